"""Presses Tab in a shell on a terminal of its own."""

import os
import pty
import select
import signal
import time

from .common import must

PATIENCE = 30
# What is typed, and what the program says if Tab completed the word: that it does not know half of it otherwise.
KEYS = b"kasm-db explain audit.log_cat\t"
EXPECTED = b"in every PostgreSQL major"


def check(shell, command, first):
    """Types the start of a word and Tab, and waits until the program explains the whole word."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "vt100", "PS1": "ready> "}
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, environment)
    try:
        os.write(terminal, first.encode() + b"\n")
        until(terminal, b"started: 42", shell)
        os.write(terminal, KEYS)
        time.sleep(1)
        os.write(terminal, b"\n")
        until(terminal, EXPECTED, shell)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def until(terminal, text, shell):
    """Reads until a text comes."""
    said, end = b"", time.monotonic() + PATIENCE
    while text not in said:
        readable, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
        must(readable, f"{shell}: {text!r} within {PATIENCE} s; so far: {said!r}")
        said += os.read(terminal, 65536)
    return said
