"""Runs a command, under strace where a fault has to be put into it, and reads what strace wrote.

A fault is named as strace counts: the n-th call of one name. The count is kept for each thread, and only the
main thread of the main process is traced, so faults hit nothing else.
"""

import os
import re
import resource
import signal
import subprocess
from typing import NamedTuple

# Where a call has its paths: pairs of (descriptor, string), plain strings, or a descriptor alone.
AT = {
    "openat": [(0, 1)], "openat2": [(0, 1)], "mkdirat": [(0, 1)], "mknodat": [(0, 1)], "unlinkat": [(0, 1)],
    "renameat": [(0, 1), (2, 3)], "renameat2": [(0, 1), (2, 3)], "linkat": [(0, 1), (2, 3)],
    "symlinkat": [(1, 2)], "fchmodat": [(0, 1)], "fchownat": [(0, 1)], "utimensat": [(0, 1)],
}  # fmt: skip
PLAIN = {
    "open": [0], "creat": [0], "mkdir": [0], "mknod": [0], "unlink": [0], "rmdir": [0], "rename": [0, 1],
    "link": [0, 1], "symlink": [1], "chmod": [0], "chown": [0], "lchown": [0], "truncate": [0],
    "setxattr": [0], "lsetxattr": [0], "removexattr": [0], "lremovexattr": [0],
}  # fmt: skip
DESCRIPTOR = {
    "write": 0, "pwrite64": 0, "writev": 0, "pwritev": 0, "pwritev2": 0, "ftruncate": 0, "fallocate": 0,
    "fsync": 0, "fdatasync": 0, "syncfs": 0, "sync_file_range": 0, "fchmod": 0, "fchown": 0, "fsetxattr": 0,
    "fremovexattr": 0, "flock": 0, "copy_file_range": 2, "sendfile": 0, "splice": 2,
}  # fmt: skip
# These change nothing, but something may change between two of them.
READING_AT = {
    "newfstatat": [(0, 1)],
    "statx": [(0, 1)],
    "faccessat": [(0, 1)],
    "faccessat2": [(0, 1)],
    "readlinkat": [(0, 1)],
}
READING = {"read": 0, "pread64": 0, "fstat": 0, "getdents64": 0, "flistxattr": 0, "close": 0}

OPENING = {"open", "openat", "openat2", "creat"}
SYNCING = {"fsync", "fdatasync", "syncfs"}
RENAMING = {"rename", "renameat", "renameat2", "link", "linkat"}

LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$", re.S)
FD = re.compile(r"^(\d+|AT_FDCWD)(?:<(.*)>)?(?:\(deleted\))?$", re.S)
RESULT = re.compile(r"\)\s+= (-?\d+|\?)(.*)$", re.S)


class Call(NamedTuple):
    """One system call that touched a file of ours."""

    name: str
    nth: int
    paths: tuple
    args: tuple
    result: int
    mutates: bool

    def label(self, base):
        paths = " ".join(os.path.relpath(path, base) for path in self.paths)
        return f"{self.name}#{self.nth} {paths}"


class Ended(NamedTuple):
    """How a command ended: its exit code, or minus the signal; 'hangs' where it did not."""

    code: object
    out: str
    err: str


def run(argv, box, seconds=60, file_size=None, die_at_size=False):
    """Runs a command and waits for its end. `file_size` is the largest file it may write, in bytes."""

    def limit():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL if die_at_size else signal.SIG_IGN)

    try:
        ended = subprocess.run(argv, cwd=box, env=environment(box), stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=seconds, preexec_fn=limit)  # fmt: skip
    except subprocess.TimeoutExpired as late:
        return Ended("hangs", _text(late.stdout), _text(late.stderr))
    return Ended(ended.returncode, _text(ended.stdout), _text(ended.stderr))


def environment(box):
    """Nothing of the caller's, so that a run here is a run anywhere."""
    kept = {name: os.environ[name] for name in ("BUG", "KASM_DB_BUG") if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": box, "TMPDIR": box, **kept}


def _text(data):
    return (data or b"").decode("utf-8", "replace")


def inject(call, what, log):
    """The front of a command line that puts a fault into one call: `error=EIO`, `signal=KILL`."""
    return ["strace", "-qq", "-o", log, "-e", f"trace={call.name}", "-e", f"inject={call.name}:{what}"]


def calls(argv, box, below=None, reading=False):
    """Runs a command and lists its calls on files below a folder, with the data that it wrote."""
    wanted = [*AT, *PLAIN, *DESCRIPTOR, *(READING_AT if reading else ()), *(READING if reading else ())]
    # Not every processor has every call.
    names = ["?" + name for name in wanted]
    log = os.path.join(box, "trace")
    front = ["strace", "-qq", "-y", "-xx", "-s", "1048576", "-o", log, "-e", "trace=" + ",".join(names)]
    ended = run(front + argv, box)
    with open(log, encoding="latin-1") as file:
        lines = file.read().splitlines()
    os.unlink(log)
    return ended, _read(lines, box, below or box, reading)


def _read(lines, box, below, reading):
    counts, found = {}, []
    for line in lines:
        match = LINE.match(line)
        if not match:
            continue
        name, rest = match.groups()
        counts[name] = counts.get(name, 0) + 1
        args = _arguments(rest)
        paths = tuple(_paths(name, args, box))
        if not any(path == below or path.startswith(below + "/") for path in paths):
            continue
        mutates = _mutates(name, args)
        if mutates or reading:
            result = RESULT.search(line)
            value = int(result.group(1)) if result and result.group(1) != "?" else -1
            found.append(Call(name, counts[name], paths, tuple(args), value, mutates))
    return found


def _mutates(name, args):
    if name in OPENING:
        # To open a file for writing changes nothing yet, but it may fail, and it is where the writing starts.
        return name == "creat" or any(re.search("O_WRONLY|O_RDWR", arg) for arg in args)
    return name in AT or name in PLAIN or name in DESCRIPTOR


def _paths(name, args, box):
    if name in DESCRIPTOR or name in READING:
        where = DESCRIPTOR.get(name, READING.get(name))
        match = FD.match(args[where]) if where < len(args) else None
        return [decode(match.group(2))] if match and match.group(2) else []
    if name in PLAIN:
        return [os.path.normpath(os.path.join(box, string(args[i]))) for i in PLAIN[name]]
    paths = []
    for fd, path in AT.get(name) or READING_AT.get(name, ()):
        match = FD.match(args[fd]) if path < len(args) and args[path].startswith('"') else None
        if match:
            base = decode(match.group(2) or box)
            paths.append(os.path.normpath(os.path.join(base, string(args[path]))))
    return paths


def _arguments(rest):
    """Splits at the commas that are in no bracket and no string."""
    args, depth, quoted, start = [], 0, False, 0
    for at, char in enumerate(rest):
        if char == '"':
            # With -xx no quote and no backslash stands in a string for itself.
            quoted = not quoted
        elif quoted:
            continue
        elif char in "([{<":
            depth += 1
        elif char in ")]}>" and depth:
            depth -= 1
        elif char == ")" or (char == "," and not depth):
            args.append(rest[start:at].strip())
            start = at + 1
            if char == ")":
                break
    return args


def unhex(text):
    """The bytes of a string as strace writes it with -xx."""
    return re.sub(
        rb"\\x([0-9a-f]{2})", lambda hit: bytes.fromhex(hit.group(1).decode()), text.encode("latin-1")
    )


def string(arg):
    return os.fsdecode(unhex(arg.strip('".')))


def decode(path):
    return os.fsdecode(unhex(path)).removesuffix(" (deleted)")
