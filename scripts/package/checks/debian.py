"""The Debian package in a clean Debian: installed, used in shells, and removed."""

import hashlib
import os

from . import tab
from .common import must, only, run

# What a host has whose administrator reads man pages and presses Tab.
PACKAGES = "bash-completion,fish,lintian,man-db,zsh"
SUITE = "bookworm"

ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    # Options are not broken at their hyphens.
    "MANWIDTH": "200",
}

# How each shell starts, and what is typed first: bash loads completions as the start files of a login do.
SHELLS = {
    "bash": (["bash", "-i"], ". /usr/share/bash-completion/bash_completion; echo started: $((40 + 2))"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; echo started: $((40 + 2))"),
    "fish": (["fish", "-i"], "echo started: (math 40 + 2)"),
}


def root(folder):
    """Unpacks a clean Debian, and returns its folder."""
    tools = os.environ.get("KASM_DB_TOOLS", os.path.expanduser("~/.cache/kasm-db"))
    recipe = hashlib.sha256(f"{SUITE} {PACKAGES}".encode()).hexdigest()[:12]
    archive = os.path.join(tools, f"packages-root-{recipe}.tar")
    if not os.path.exists(archive):
        os.makedirs(tools, exist_ok=True)
        new = archive + ".new.tar"
        run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", SUITE, new)
        os.rename(new, archive)
    unpacked = os.path.join(folder, "debian")
    os.mkdir(unpacked)
    # No devices: the check may run where they cannot be made.
    run("tar", "-C", unpacked, "-xf", archive, "--exclude=./dev/*")
    return unpacked


def check(packages, folder):
    clean = root(folder)

    def inside(*command, **more):
        return run("chroot", clean, *command, env=ENVIRONMENT, **more)

    run("cp", only(packages, ".deb"), os.path.join(clean, "tmp/kasm-db.deb"))
    # What a check of the archive of Debian would say; for root it also says that root runs it.
    lint = inside("lintian", "--allow-root", "--fail-on", "error,warning", "/tmp/kasm-db.deb")
    must(not [line for line in lint.splitlines() if line[:3] in ("E: ", "W: ")], lint)
    before = everything(clean)
    inside("dpkg", "-i", "/tmp/kasm-db.deb")
    inside("dpkg", "--verify", "kasm-db")
    example = "/usr/share/doc/kasm-db/examples/existing/kasm-db.yaml"
    inside("kasm-db", "validate", "-f", example, says=["valid"])
    inside("kasm-db", "plan", "-f", example, says=["Plan: 2 to add, 4 to change, 0 to remove in 5 files."])
    inside("man", "kasm-db-plan", says=["NAME", "kasm-db-plan", "--detailed-exitcode", "EXIT STATUS"])
    must(not inside("sh", "-c", "man --warnings=w kasm-db-plan 2>&1 > /dev/null"), "the page has no warnings")
    inside("man", "5", "kasm-db.yaml", says=["preload.libraries"])
    for shell, (command, first) in SHELLS.items():
        tab.check(shell, ["chroot", clean, *command], first)
    inside("dpkg", "--purge", "kasm-db")
    # What shells keep in a home is theirs.
    added = everything(clean) - before
    left = [path for path in added if "kasm" in path and not path.startswith("root/")]
    must(not left, f"nothing is left: {left}")


def everything(top):
    """Returns the paths of all files in the root."""
    paths = (os.path.join(folder, name) for folder, _, files in os.walk(top) for name in files)
    return {os.path.relpath(path, top) for path in paths}
