"""Several targets that one run writes at a time: each of them must be as good as if it were alone.

Every thread is traced, and a fault hits the n-th call of one name of whichever thread comes to it first. What the others have
done by then is another thing in every run, so each fault is put several times.
"""

import os
import signal

from . import faults, trace, tree
from .scenario import ROOT

NAMES = ("one", "two", "three", "four")
DOCUMENT = "several.yaml"
CALLS = ("mkdirat", "openat", "write", "fsync", "renameat", "renameat2", "unlinkat", "fchmod", "fsetxattr", "pwrite64")
# Of the main thread, which reads documents, and of libraries there are some more.
MOST = 80


def cuts(judge, options):
    """SIGKILL, an error and SIGTERM at each call."""
    if judge.scenario.several is None:
        return
    start = _start(judge.scenario)
    times = 1 if options.quick else 3
    step = 7 if options.quick else 1
    for what in ("signal=KILL", "error=EIO", "error=ENOSPC", "signal=TERM"):
        jobs = [(name, nth) for name in CALLS for nth in range(1, MOST, step) for _ in range(times)]
        jobs = [job for job in jobs if faults.matches(options.only, _described(what, *job))]
        over = {}

        def one(job):
            name, nth = job
            # A thread makes so many of these calls and no more.
            if nth < over.get(name, MOST) and not _fault(judge, start, what, name, nth):
                over[name] = nth

        faults.each(one, jobs, judge.found, options.jobs)


def _described(what, name, nth):
    return f"{what} at {name}#{nth} of any thread"


def _start(scenario):
    """The box: a box of the scenario for each target, and the document of all of them."""
    start = {".": scenario.start["."]}
    for name in NAMES:
        start.update({os.path.normpath(os.path.join(name, path)): entry for path, entry in scenario.start.items()})
    wanted = scenario.start["wanted.yaml"]
    targets = "".join(f"  - {{name: {name}, deployment: {name}/{ROOT}}}\n" for name in NAMES)
    start[DOCUMENT] = wanted._replace(content=wanted.content + b"targets:\n" + targets.encode())
    return start


def _fault(judge, start, what, name, nth):
    """Puts the fault into a run and looks at every target; tells whether there was such a call."""
    work, found, at = judge.work, judge.found, _described(what, name, nth)
    with work.box(start) as box:
        log = os.path.join(work.path, os.path.basename(box) + ".log")
        # A call that only reads is of no interest, but counts: what is meant is the n-th of all.
        front = ["strace", "-f", "-qq", "-o", log, "-e", f"trace={name}", "-e", f"inject={name}:{what}:when={nth}"]
        command = [part.replace("{BOX}", box) for part in judge.scenario.several]
        ended = trace.run(front + command, box)
        with open(log, encoding="latin-1") as file:
            text = file.read()
        os.unlink(log)
        # What kills leaves no mark behind the call.
        if not ("(INJECTED)" in text or "+++ killed by" in text or "--- SIGTERM" in text):
            return False
        found.count(what.replace("=", " ") + " among several targets")
        boxes = [os.path.join(box, target) for target in NAMES]
        found.note("runs with several targets under way", sum(_is_under_way(one) for one in boxes) > 1)
        stands = [judge.look(one, f"{at}, {target}") for one, target in zip(boxes, NAMES)]
        if what != "signal=KILL":
            _said(judge, ended, stands, boxes, at)
        for one, target in zip(boxes, NAMES):
            judge.settle(one, f"{at}, {target}")
        return True


def _is_under_way(box):
    there = tree.read(os.path.join(box, ROOT))
    return any(f"{tree.STATE}/{name}" in there for name in ("journal", "journal.new"))


def _said(judge, ended, stands, boxes, at):
    """Compares the end of a run that was not killed with how its targets stand."""
    code, hows = ended.code, [set(standing.values()) for standing in stands]
    if code == -signal.SIGTERM and all(how == {"old"} for how in hows):
        # It came while the program was loaded.
        return
    if not isinstance(code, int) or code < 0 or "panicked" in ended.err:
        judge.bad(at, "crash", f"ended with {code}: {ended.err[-200:]}")
        return
    if any(len(how) > 1 for how in hows) and code not in (8, 130):
        judge.bad(at, "set", f"exit {code}, and a target is mixed: {hows}")
    if code == 0 and any(how != {"new"} for how in hows):
        judge.bad(at, "exit", f"exit 0, but the targets are {hows}: {ended.err[-200:]}")
    if code in (1, 7) and any(how == {"new"} for how in hows) and not all(how == {"new"} for how in hows):
        judge.bad(at, "exit", f"exit {code}, but the targets are {hows}: {ended.err[-200:]}")
    # Any other code may say of one of them that something is left.
    if code in (0, 1, 7, 130):
        for box, target in zip(boxes, NAMES):
            judge.strays(box, f"{at}, {target}")
