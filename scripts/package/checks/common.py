"""Commands whose result is checked."""

import os
import subprocess


def run(*command, code=0, says=(), **more):
    """Runs a command that must end with this code and print these texts; returns what it prints."""
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    missing = [text for text in says if text not in ended.stdout]
    if ended.returncode != code or missing:
        raise SystemExit(
            f"{ended.stdout}\n{' '.join(command)}\nends with {ended.returncode}, expected {code}; does not print {missing}"
        )
    return ended.stdout


def must(holds, what):
    if not holds:
        raise SystemExit(f"does not hold: {what}")


def only(folder, end):
    """Returns the path of the only file in a folder whose name ends so."""
    found = [name for name in os.listdir(folder) if name.endswith(end)]
    must(len(found) == 1, f"one file *{end} in {folder}: {found}")
    return os.path.join(folder, found[0])
