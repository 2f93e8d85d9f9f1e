"""Somebody else changes a file in a gap of the run, and every gap has its turn.

The process is stopped behind a call, the intruder does its work, the process goes on. What the intruder did
must still be there at the end, whatever the exit code, and nothing outside of the root may have been touched.
"""

import os
import select
import shutil
import signal
import subprocess
import time

from . import faults, trace, tree
from .scenario import OUTSIDE, ROOT, argv

MARK = b"# written by somebody else\n"


def edit(root, path):
    with open(os.path.join(root, path), "ab") as file:
        file.write(MARK)


def replace(root, path):
    there = os.path.join(root, path)
    with open(there, "rb") as file:
        content = file.read()
    with open(there + ".theirs", "wb") as file:
        file.write(content + MARK)
    os.rename(there + ".theirs", there)


def link_file(root, path):
    """The file becomes a link to one outside that has the same content, so that a look at it does not help."""
    there, outside = os.path.join(root, path), os.path.join(root, "..", OUTSIDE, os.path.basename(path))
    shutil.copy2(there, outside)
    os.unlink(there)
    os.symlink(outside, there)


def link_folder(root, path):
    """The folder becomes a link to a copy outside."""
    folder = os.path.join(root, os.path.dirname(path))
    outside = os.path.join(root, "..", OUTSIDE, "folder")
    tree.copy(folder, outside)
    os.rename(folder, folder + ".theirs")
    os.symlink(outside, folder)


def chmod(root, path):
    os.chmod(os.path.join(root, path), 0o400)


def delete(root, path):
    os.unlink(os.path.join(root, path))


def _marked(root, path):
    with open(os.path.join(root, path), "rb") as file:
        return MARK in file.read()


# What each does, and what is there afterwards.
INTRUDERS = {
    edit: _marked,
    replace: _marked,
    link_file: lambda root, path: os.path.islink(os.path.join(root, path)),
    link_folder: lambda root, path: os.path.islink(os.path.join(root, os.path.dirname(path))),
    chmod: lambda root, path: os.stat(os.path.join(root, path)).st_mode & 0o7777 == 0o400,
    delete: lambda root, path: not os.path.lexists(os.path.join(root, path)),
}


def gaps(judge, options):
    scenario, work, found = judge.scenario, judge.work, judge.found
    calls = faults.traced(scenario, work, scenario.start, scenario.command, reading=True)[1]
    blind = _blind(calls, scenario.changed) if scenario.in_place else set()
    if options.quick:
        # And the last look before names change: who comes behind it is found by a look afterwards alone.
        renames = {i for i, call in enumerate(calls) if call.name in trace.RENAMING}
        calls = [call for i, call in enumerate(calls) if call.mutates or i + 1 in renames]
    targets = [scenario.changed[0], scenario.changed[-1]]
    jobs = [(call, intruder, path) for call in calls for intruder in INTRUDERS for path in targets]
    if options.quick:
        # Seven has no factor in common with the number of pairs: each pair has its turn.
        jobs = jobs[::7]
    jobs = [job for job in jobs if faults.matches(options.only, _label(*job))]
    possible = [job for job in jobs if not (job[1] is edit and (job[0], job[2]) in blind)]
    if len(possible) < len(jobs):
        found.note("edits left out, in gaps that writing in place cannot close", len(jobs) - len(possible))
    jobs = possible
    faults.each(lambda job: _gap(judge, *job), jobs, found, options.jobs)


def _blind(calls, changed):
    """The gaps between the last look at a file and the write into it, in which nothing shows an edit.

    An exchange brings out what was there, and a write does not; it is a limit of writing in place.
    """
    blind = set()
    for index, call in enumerate(calls):
        path = call.paths[0].removeprefix(ROOT + "/")
        if call.name == "write" and path in changed:
            for earlier in reversed(calls[:index]):
                blind.add((earlier, path))
                if earlier.name == "read" and earlier.paths == call.paths:
                    break
    return blind


def _label(call, intruder, path):
    return f"{intruder.__name__} of {path} behind {faults.label(call)}"


def _gap(judge, call, intruder, path):
    scenario, work, found = judge.scenario, judge.work, judge.found
    where = _label(call, intruder, path)
    with work.box(scenario.start) as box:
        root = os.path.join(box, ROOT)
        try:
            ended, marks = _run(argv(scenario.command, box), box, call, lambda: intruder(root, path))
        except FileNotFoundError:
            found.note("gaps in which the intruder found nothing to change")
            return
        if marks is None:
            judge.bad(where, "missed", f"the run does the same things in another order: exit {ended.code}")
            return
        found.count("interleaving")
        if not INTRUDERS[intruder](root, path):
            judge.bad(
                where,
                "lost",
                f"exit {ended.code}, and what {intruder.__name__} did is gone: {ended.err[-200:]}",
            )
        if tree_stamps(box) != marks:
            judge.bad(where, "touched", f"exit {ended.code}, and something outside of the root was touched")
        if ended.code == "hangs" or (isinstance(ended.code, int) and ended.code < 0) or "panicked" in ended.err:
            judge.bad(where, "crash", f"ended with {ended.code}: {ended.err[-200:]}")
        now = tree.read(root)
        others = {other: how for other, how in judge.standing(now).items() if _apart(other, path, intruder)}
        wanted = {0: {"new"}, 9: {"new"}, 1: {"old"}, 4: {"old"}, 7: {"old"}}.get(ended.code)
        if wanted and others and set(others.values()) != wanted and not scenario.mends:
            judge.bad(where, "exit", f"exit {ended.code}, and the other files are {others}: {ended.err[-200:]}")
        _mend(judge, box, where, intruder, path)


def tree_stamps(box):
    return tree.stamps(os.path.join(box, OUTSIDE))


def _apart(other, path, intruder):
    """Whether a file is none that the intruder changed."""
    if intruder is link_folder:
        return not other.startswith(os.path.dirname(path) + "/")
    return other != path


def _mend(judge, box, where, intruder, path):
    """Once the links are gone again, recovery has to come to an end, and keeps what the intruder did."""
    root = os.path.join(box, ROOT)
    if intruder is link_folder:
        folder = os.path.join(root, os.path.dirname(path))
        os.unlink(folder)
        os.rename(folder + ".theirs", folder)
        tree_clean(os.path.join(box, OUTSIDE, "folder"))
        judge.settle(box, where)
    elif judge.scenario.recover:
        trace.run(argv(judge.scenario.recover, box), box)
        if not INTRUDERS[intruder](root, path):
            judge.bad(where, "lost", f"recover undid what {intruder.__name__} did")


def tree_clean(folder):
    for there, folders, files in os.walk(folder, topdown=False):
        for name in files:
            os.unlink(os.path.join(there, name))
        for name in folders:
            os.rmdir(os.path.join(there, name))
    os.rmdir(folder)


def _run(command, box, call, intrude, seconds=30):
    """Runs a command, stops it behind a call, and lets somebody in; returns the stamps outside from then on."""
    reader, writer = os.pipe()
    front = trace.inject(call, f"signal=STOP:when={call.nth}", f"/dev/fd/{writer}")
    child = subprocess.Popen(front + command, cwd=box, env=trace.environment(box), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                             pass_fds=[writer])  # fmt: skip
    os.close(writer)
    marks, seen, until = None, b"", time.monotonic() + seconds
    try:
        while marks is None and select.select([reader], [], [], max(0, until - time.monotonic()))[0]:
            part = os.read(reader, 65536)
            seen += part
            if not part:
                break
            if b"stopped by SIGSTOP" in seen:
                with open(f"/proc/{child.pid}/task/{child.pid}/children", encoding="ascii") as file:
                    stopped = [int(pid) for pid in file.read().split()]
                try:
                    intrude()
                finally:
                    marks = tree_stamps(box)
                    for pid in stopped:
                        os.kill(pid, signal.SIGCONT)
        out, err = child.communicate(timeout=seconds)
        return trace.Ended(child.returncode, out, err), marks
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        return trace.Ended("hangs", out, err), marks
    finally:
        os.close(reader)
        if child.poll() is None:
            child.communicate()
