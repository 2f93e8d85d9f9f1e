"""The program, linked statically."""

import json
import os
import subprocess


def build(repository, target, epoch):
    """Builds the program; returns its path."""

    def said(*command):
        return subprocess.run(command, cwd=repository, check=True, stdout=subprocess.PIPE, text=True).stdout

    cargo_home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    # Messages of a panic name source files: not by the folders of whoever builds.
    flags = [
        "-Ctarget-feature=+crt-static",
        f"--remap-path-prefix={repository}=/src/kasm-db",
        f"--remap-path-prefix={os.path.realpath(cargo_home)}=/src/cargo",
    ]
    environment = {
        **os.environ,
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
        "CARGO_INCREMENTAL": "0",
        "SOURCE_DATE_EPOCH": str(epoch),
    }
    # With a target that is named, build scripts and macros are not linked statically.
    options = ["--locked", "--release", "--package", "kasm-db", "--target", target]
    subprocess.run(["cargo", "build", *options], cwd=repository, check=True, env=environment)
    folder = json.loads(said("cargo", "metadata", "--no-deps", "--format-version", "1"))["target_directory"]
    program = os.path.join(folder, target, "release", "kasm-db")
    ldd = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    if "statically linked" not in ldd and "not a dynamic executable" not in ldd:
        raise SystemExit(f"scripts/release: {program} is not linked statically:\n{ldd}")
    # That says nothing of a program that is linked statically and asks for a dynamic linker.
    said(program, "--version")
    return program
