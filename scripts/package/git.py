"""What Git says about the repository."""

import subprocess


def git(repository, *arguments):
    # In a container, a checkout may belong to somebody else; whoever runs this script trusts it anyway.
    command = ["git", "-c", f"safe.directory={repository}", *arguments]
    return subprocess.run(command, cwd=repository, check=True, stdout=subprocess.PIPE, text=True).stdout
