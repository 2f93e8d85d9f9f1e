"""What must hold after a fault, whatever the fault was.

| name | what |
|---|---|
| whole | each file is old or new, byte for byte |
| attributes | owner, mode and extended attributes are kept |
| touched | no other file below the root, and nothing outside of it, has changed |
| set | after `recover` alone all files are old or all are new |
| recover | `recover`, and the command again, end well |
| stray | nothing temporary is left after recovery, or after an error that says that nothing changed |
| private | journal, backups and follow-up are readable by their owner alone, and nobody else can write to any of it |
| durable | what was reported as done outlasts a power cut |
| exit, state | the exit code and the `state:` line say what holds |
| lied | success was reported, but a sync had failed |
| message | an error names the path and the reason |
| crash | no panic, no hang, no death by a signal that was not sent |
| idle | a run with nothing to do writes nothing |
| lost | another's change is still there |
"""

import os
import re
import threading

from . import trace, tree
from .scenario import OUTSIDE, ROOT, argv

# Exit codes, and what they promise of the files; see the table in README.md.
ALL_NEW, ALL_OLD, PENDING = {0, 9}, {1, 4, 5, 6, 7}, {8}
SENTENCES = {1: "nothing changed", 7: "rolled back", 8: "recovery pending"}
PANIC = re.compile(r"panicked at|Traceback \(most recent|internal error|RUST_BACKTRACE|core dumped")


class Found:
    """Collects violations and counts faults; safe for several threads.

    With a limit the run ends after so many violations of one of the names.
    """

    def __init__(self, limit=None, names=None):
        self.violations, self.faults, self.notes = [], {}, {}
        self._lock, self._limit, self._names = threading.Lock(), limit, names
        self.stopped = False

    def add(self, mode, where, name, detail):
        with self._lock:
            self.violations.append((mode, name, where, " ".join(str(detail).split())[:400]))

    def count(self, mode, number=1):
        with self._lock:
            self.faults[mode] = self.faults.get(mode, 0) + number

    def note(self, name, number=1):
        with self._lock:
            self.notes[name] = self.notes.get(name, 0) + number

    def enough(self):
        if self._limit is None:
            return self.stopped
        return sum(name in self._names for _, name, _, _ in list(self.violations)) >= self._limit


class Judge:
    """Looks at boxes after faults of one mode in one scenario."""

    def __init__(self, scenario, work, found, mode):
        self.scenario, self.work, self.found, self.mode = scenario, work, found, mode
        self._settled = scenario.__dict__.setdefault("settled", {})

    def bad(self, where, name, detail):
        self.found.add(self.mode, f"{self.scenario.name}: {where}", name, detail)

    # The files as they are

    def standing(self, now):
        """For each file that changes: old, new, torn or missing."""
        standing = {}
        for path in self.scenario.changed:
            there = now.get(path)
            if there is None or there.kind != "file":
                standing[path] = "missing"
            elif there.content == self.scenario.old[path].content:
                standing[path] = "old"
            elif there.content == self.scenario.new[path].content:
                standing[path] = "new"
            else:
                standing[path] = "torn"
        return standing

    def look(self, box, where, settled=False):
        """Checks what holds at any moment; returns how the files stand. `settled`: nothing may be half done."""
        now = tree.read(os.path.join(box, ROOT))
        standing = self.standing(now)
        for path, how in standing.items():
            if how in ("missing", "torn") and (settled or not self.scenario.in_place):
                size = len(now[path].content) if path in now else "no"
                self.bad(where, "whole", f"{path} is {how}: {size} bytes")
            elif path in now and now[path].attributes() != self.scenario.old[path].attributes():
                if settled or how != "torn":
                    self.bad(
                        where,
                        "attributes",
                        f"{path}: {now[path].attributes()}, not {self.scenario.old[path].attributes()}",
                    )
        for path, entry in self.scenario.old.items():
            if path in standing or path.split("/")[0] == tree.STATE:
                continue
            if now.get(path) != entry:
                self.bad(where, "touched", f"{path} was none of its business")
        outside = {p: e for p, e in self.scenario.start.items() if p.split("/")[0] == OUTSIDE}
        there = {p: e for p, e in _below(box, OUTSIDE).items()}
        if there != outside:
            self.bad(where, "touched", "something outside of the root has changed")
        for path, entry in now.items():
            if path.split("/")[0] == tree.STATE and entry.mode & (0o022 if tree.PUBLIC.fullmatch(path) else 0o077):
                self.bad(where, "private", f"{path} has the mode {entry.mode:04o}")
        return standing

    def strays(self, box, where, but=()):
        """Nothing may be left that is neither a file of the tree nor a generation."""
        there = tree.read(os.path.join(box, ROOT))
        for path in there:
            generation = tree.GENERATION.fullmatch(path)
            if generation and path not in but and path + "/manifest" not in there:
                self.bad(where, "stray", f"{path} has no manifest")
            known = path in self.scenario.old or path in self.scenario.new
            kept = tree.KEPT.fullmatch(path)
            temporary = tree.TEMPORARY.search(path) or (kept and tree.UNFINISHED.search(path))
            if ((not known and not kept) or temporary) and path not in but:
                self.bad(where, "stray", f"{path} is left")

    # What the command said

    def said(self, ended, standing, where, calls=(), reason=None, mute=False):
        """Compares exit code, `state:` line and message with how the files stand."""
        code, how = ended.code, set(standing.values())
        if code == "hangs" or (isinstance(code, int) and code < 0) or PANIC.search(ended.err):
            self.bad(where, "crash", f"ended with {code}: {ended.err[-200:]}")
            return
        if code in ALL_NEW and how != {"new"} and not (self.scenario.mends and how == {"old"}):
            self.bad(where, "exit", f"exit {code}, but the files are {_sum(standing)}")
        elif code in ALL_OLD and how != {"old"} and not self.scenario.mends:
            self.bad(where, "exit", f"exit {code}, but the files are {_sum(standing)}: {ended.err[-200:]}")
        elif code not in ALL_NEW | ALL_OLD | PENDING:
            self.bad(where, "exit", f"exit {code} says nothing of the files: {ended.err[-200:]}")
        if code == 0 or mute:
            return
        if code in SENTENCES and SENTENCES[code] not in ended.err:
            self.bad(where, "state", f"exit {code} without `{SENTENCES[code]}`: {ended.err[-200:]}")
        names = {os.path.basename(path) for call in calls for path in call.paths} | {ROOT, tree.STATE}
        names |= {os.path.basename(path) for path in self.scenario.changed}
        if reason and not (reason.lower() in ended.err.lower() and any(name in ended.err for name in names)):
            self.bad(where, "message", f"neither path nor `{reason}` in: {ended.err[-300:]}")

    # The ways back

    def settle(self, box, where):
        """Recovers copies of a box in both ways and checks what comes of it. Each state is done once."""
        now = tree.read(box)
        key = tree.digest(now)
        if key not in self._settled:
            self._settled[key] = self._ways_back(now)
            self.found.note("states recovered")
        for name, detail in self._settled[key]:
            self.bad(where, name, detail)

    def _ways_back(self, start):
        kept = Found()
        inner = Judge.__new__(Judge)
        inner.scenario, inner.work, inner.found, inner.mode = self.scenario, self.work, kept, self.mode
        if self.scenario.recover:
            with self.work.box(start) as box:
                inner._after(box, self.scenario.recover, "recover", {"old", "new"})
                if not self.scenario.mends:
                    inner._after(box, self.scenario.again, "recover, then the command", {"new"})
        if not self.scenario.mends:
            with self.work.box(start) as box:
                inner._after(box, self.scenario.again, "the command again", {"new"})
        return [(name, f"{where.split(': ', 1)[1]}: {detail}") for _, name, where, detail in kept.violations]

    def _after(self, box, command, what, ends):
        ended = trace.run(argv(command, box), box)
        if ended.code != 0 or PANIC.search(ended.err):
            self.bad(what, "recover", f"exit {ended.code}: {ended.err[-300:]}")
        standing = self.look(box, what, settled=True)
        if len(set(standing.values())) != 1 or not set(standing.values()) <= ends:
            self.bad(what, "set", f"the files are {_sum(standing)}")
        self.strays(box, what)


def _below(box, folder):
    base = os.path.join(box, folder)
    if not os.path.isdir(base):
        return {}
    return {os.path.normpath(os.path.join(folder, path)): entry for path, entry in tree.read(base).items()}


def _sum(standing):
    if len(set(standing.values())) == 1:
        return "all " + next(iter(standing.values()))
    return ", ".join(f"{os.path.basename(path)} {how}" for path, how in standing.items())
