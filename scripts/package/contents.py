"""What every package holds: the program, what it prints about itself, and files of the repository."""

import os
import subprocess
import tempfile

from .git import git

SHELLS = ("bash", "zsh", "fish")
LICENSES = ("LICENSE-APACHE", "LICENSE-MIT")


class Contents:
    """All that goes into packages, read once."""

    def __init__(self, repository, program):
        self.repository = repository
        with open(program, "rb") as file:
            self.program = file.read()
        self.completions = {shell: run(program, "completions", shell) for shell in SHELLS}
        self.man = man_pages(program)
        self.schemas = below(repository, "schemas")
        self.examples = below(repository, "examples")
        self.docs = below(repository, "docs")
        texts = ("README.md", "CHANGELOG.md", "SECURITY.md", *LICENSES)
        self.texts = {name: read(repository, name) for name in texts}


def run(program, *arguments):
    # Nothing of the caller's environment may change what is printed.
    return subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE, env={}).stdout


def man_pages(program):
    with tempfile.TemporaryDirectory() as folder:
        run(program, "man", folder)
        return {name: read(folder, name) for name in sorted(os.listdir(folder))}


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def below(repository, folder):
    """Returns the committed files of a folder by path: their contents and modes, and a text for a link."""
    found = {}
    for line in filter(None, git(repository, "ls-files", "-s", "-z", folder).split("\0")):
        about, path = line.split("\t", 1)
        name = os.path.join(repository, path)
        if os.path.islink(name):
            found[path] = os.readlink(name)
        else:
            found[path] = (read(repository, path), 0o755 if about.startswith("100755 ") else 0o644)
    if not found:
        raise SystemExit(f"scripts/release: nothing is committed in {folder}")
    return found


def put(tree, prefix, files):
    """Puts files of the repository below a folder of a tree."""
    for path, content in files.items():
        if isinstance(content, str):
            tree.link(prefix + path, content)
        else:
            tree.file(prefix + path, *content)
