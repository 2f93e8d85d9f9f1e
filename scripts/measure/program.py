"""The release binary, and how it is run."""

import json
import os
import subprocess

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
# A variable such as KASM_DB_FORMAT would change what is measured.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("KASM_DB_")}


class Failed(Exception):
    """A command that did not end as it should."""


def build():
    """Builds the binary and says where it is."""
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--locked", "--package", "kasm-db"],
        cwd=REPOSITORY,
        check=True,
    )
    # Cargo decides on the folder; it may be set in the environment or in a configuration.
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--no-deps"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    return os.path.join(json.loads(metadata.stdout)["target_directory"], "release", "kasm-db")


def run(command, codes, folder):
    """Runs a command in a folder, without its output; fails if its exit code is not one of these."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    if ended.returncode not in codes:
        said = ended.stderr.decode(errors="replace")[-500:]
        raise Failed(f"{' '.join(command)}: exit {ended.returncode}: {said}")
