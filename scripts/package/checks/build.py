"""Packages are built, twice, and crates are installed and packaged."""

import filecmp
import os

from ..git import git
from .common import must, run


def release(repository, out):
    changed = git(repository, "status", "--porcelain")
    must(not changed, f"everything is committed:\n{changed}")
    run("scripts/release", "--out", out, cwd=repository)


def again(repository, packages, folder):
    """The folder of the sources and that of what is built must not matter."""
    clone, out = os.path.join(folder, "elsewhere"), os.path.join(folder, "again")
    run("git", "-c", f"safe.directory={repository}", "clone", "--quiet", repository, clone)
    environment = {**os.environ, "CARGO_TARGET_DIR": os.path.join(folder, "target-of-again")}
    run("scripts/release", "--out", out, cwd=clone, env=environment)
    names = sorted(os.listdir(packages))
    must(names == sorted(os.listdir(out)) and len(names) == 5, f"five files twice: {names}")
    _, different, errors = filecmp.cmpfiles(packages, out, names, shallow=False)
    must(not different and not errors, f"the same bytes: {different} {errors}")


def install(repository, folder):
    root = os.path.join(folder, "installed")
    # With a folder of its own: what other commands built before must not help.
    environment = {**os.environ, "CARGO_TARGET_DIR": os.path.join(folder, "target-of-install")}
    run("cargo", "install", "--locked", "--path", "crates/cli", "--root", root, cwd=repository, env=environment)
    run(os.path.join(root, "bin/kasm-db"), "--version", says=["kasm-db "])


def crates(repository):
    """Each crate is built from what would be published, in the order of their dependencies."""
    run("cargo", "package", "--locked", "--workspace", "--exclude", "kasm-db-testing", "--exclude", "kasm-db-hooks", cwd=repository)
