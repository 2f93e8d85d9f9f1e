"""Packages are built, twice, and crates are installed and packaged."""

import filecmp
import os
import shutil

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


# A C compiler without the static C library.
SHARED_ONLY = """#!/bin/sh
case "$*" in
*-print-file-name=libc.a*) echo libc.a ;;
*) exec {compiler} "$@" ;;
esac
"""


def install(repository, folder):
    # With a folder of its own: what other commands built before must not help.
    environment = {**os.environ, "CARGO_TARGET_DIR": os.path.join(folder, "target-of-install")}

    def installed(name, *options, **variables):
        root = os.path.join(folder, name)
        command = ["cargo", "install", "--locked", "--path", "crates/cli", *options, "--root", root]
        run(*command, cwd=repository, env={**environment, **variables})
        program = os.path.join(root, "bin/kasm-db")
        run(program, "--version", says=["kasm-db "])
        return program

    empty = os.path.join(folder, "empty-of-install")
    os.mkdir(empty)
    shutil.copy(installed("installed"), empty)
    # It needs no library, and no dynamic linker.
    run("chroot", empty, "/kasm-db", "--version", says=["kasm-db "])
    run("ldd", installed("with-host-libc", "--features", "host-libc"), says=["libc.so.6"])
    tools = os.path.join(folder, "tools")
    os.mkdir(tools)
    with open(os.path.join(tools, "cc"), "w", encoding="utf-8") as file:
        file.write(SHARED_ONLY.format(compiler=shutil.which("cc")))
    os.chmod(file.name, 0o755)
    path = f"{tools}:{os.environ['PATH']}"
    run("ldd", installed("without-static-libc", "--debug", PATH=path), says=["libc.so.6"])


def crates(repository):
    """Each crate is built from what would be published, in the order of their dependencies."""
    run("cargo", "package", "--locked", "--workspace", "--exclude", "kasm-db-testing", "--exclude", "kasm-db-hooks", cwd=repository)
