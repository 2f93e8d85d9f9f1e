"""What is put to the test: a tree, a command that changes it, and the ways back to a good state."""

import os
import shutil
import tempfile
import threading

from . import trace, tree

# The two folders of a box. What is outside of the root must stay as it is.
ROOT, OUTSIDE = "root", "outside"


class Broken(Exception):
    """A scenario that does not work without any fault; nothing can be said of one with faults."""


class Scenario:
    """A command and the two states that it may leave.

    `files` is a template: the box that every run starts from, with `root`, `outside` and what else the command
    reads. In an argument `{BOX}` stands for the box. `recover` is the command that mends without knowing what
    was wanted, and `again` the one that leads to the new state; either may be None. `several` is the command for a
    box with a box for each of several targets; see side_by_side.py.
    """

    def __init__(self, name, files, command, recover=None, again=None, old=None, new=None, in_place=False,
                 several=None):  # fmt: skip
        self.name, self.files, self.command, self.recover, self.in_place = (
            name,
            files,
            command,
            recover,
            in_place,
        )
        self.several = several
        self.again = again if again is not None else command
        # A command that only mends may lead to either state, and `again` is that command.
        self.mends = again == recover and recover is not None
        self.old = old or tree.read(os.path.join(files, ROOT))
        self.new = new
        # What an interrupted run has left, where the command is the one that mends it.
        self.left = set(tree.read(os.path.join(files, ROOT))) if self.mends else set()
        self.start = tree.read(files)

    def learn(self, work):
        """Runs the command without a fault and keeps what it made."""
        with work.box(self.start) as box:
            ended = trace.run(argv(self.command, box), box)
            if ended.code != 0:
                raise Broken(f"{self.name}: exit {ended.code} without a fault: {ended.err.strip()[-300:]}")
            made = tree.read(os.path.join(box, ROOT))
        self.new = self.new or made
        files = {p: e for p, e in self.old.items() if e.kind == "file" and p in self.new and not _ours(p)}
        self.changed = sorted(path for path, old in files.items() if self.new[path].content != old.content)
        if not self.changed:
            raise Broken(f"{self.name}: the command changes no file")

    def waits(self, seconds):
        """The command, told how long to wait for the lock."""
        return [*self.command, "--lock-timeout", seconds]


def _ours(path):
    return path == tree.STATE or path.startswith(tree.STATE + "/")


def argv(command, box):
    return [part.replace("{BOX}", box) for part in command]


class Work:
    """Where the boxes are: in memory where there is room, as a fault costs a box and the system syncs it."""

    def __init__(self, folder=None):
        if folder is None and os.access("/dev/shm", os.W_OK):
            folder = "/dev/shm"
        self.path = tempfile.mkdtemp(prefix="crashtest.", dir=folder)
        self._lock, self._count = threading.Lock(), 0

    def name(self):
        with self._lock:
            self._count += 1
            return os.path.join(self.path, f"box{self._count:06}")

    def box(self, start):
        return _Box(self.name(), start)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class _Box:
    def __init__(self, path, start):
        self.path, self.start = path, start

    def __enter__(self):
        tree.write(self.start, self.path)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
