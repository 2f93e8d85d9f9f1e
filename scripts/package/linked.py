"""What is linked into the program: its crates, as Cargo resolves them for the target, and the libraries below them."""

import json
import os
import subprocess
import tomllib


class Library:
    """A crate, or a library that is no crate."""

    def __init__(self, name, version, license, purl, folder=None, sha256=None, repository=None):
        self.name, self.version, self.license, self.purl = name, version, license, purl
        # Where its sources are; None if it is ours, or no crate.
        self.folder = folder
        self.sha256 = sha256
        self.repository = repository
        # Names and versions of the libraries that it uses directly.
        self.uses = []

    @property
    def key(self):
        return self.name, self.version


def linked(repository, target):
    """Returns the program's own package, and all libraries that are linked into it."""

    def cargo(*arguments):
        run = ["cargo", *arguments, "--locked"]
        return subprocess.run(run, cwd=repository, check=True, stdout=subprocess.PIPE, text=True).stdout

    # `metadata` also unites features that only tests want; `tree` does not, but tells names and versions only.
    tree = cargo(
        *("tree", "--package", "kasm-db", "--target", target, "--edges", "normal,no-proc-macro"),
        *("--prefix", "none", "--format", "{p}"),
    )
    keys = {(words[0], words[1].removeprefix("v")) for words in map(str.split, tree.splitlines()) if words}
    data = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target))
    sums = checksums(repository)
    libraries, key_of = {}, {}
    for package in data["packages"]:
        key = package["name"], package["version"]
        key_of[package["id"]] = key
        if key not in keys:
            continue
        is_ours = package["source"] is None
        # A slash is what crates wrote before SPDX had operators.
        license = (package["license"] or "").replace("/", " OR ")
        libraries[key] = Library(
            *key,
            license,
            f"pkg:cargo/{package['name']}@{package['version']}",
            folder=None if is_ours else os.path.dirname(package["manifest_path"]),
            sha256=sums.get(key),
            repository=package["repository"],
        )
    for node in data["resolve"]["nodes"]:
        library = libraries.get(key_of[node["id"]])
        if library is not None:
            normal = (dep for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"]))
            library.uses = sorted({key_of[dep["pkg"]] for dep in normal} & libraries.keys())
    missing = keys - libraries.keys()
    if missing:
        raise SystemExit(f"scripts/release: cargo metadata does not know {sorted(missing)}")
    program = next(library for library in libraries.values() if library.name == "kasm-db")
    below = [rust(), glibc()]
    program.uses += [library.key for library in below]
    others = [library for key, library in libraries.items() if key != program.key] + below
    return program, sorted(others, key=lambda library: library.key)


def checksums(repository):
    with open(os.path.join(repository, "Cargo.lock"), "rb") as file:
        packages = tomllib.load(file)["package"]
    return {(one["name"], one["version"]): one.get("checksum") for one in packages}


def rust():
    version = said("rustc", "--version").split()[1]
    return Library("rust-std", version, "MIT OR Apache-2.0", f"pkg:generic/rust-std@{version}")


def glibc():
    version = said("getconf", "GNU_LIBC_VERSION").split()[1]
    return Library("glibc", version, "LGPL-2.1-or-later", f"pkg:generic/glibc@{version}")


def said(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
