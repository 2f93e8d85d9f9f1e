"""Faults that hit the process itself: killed, refused by the system, cut short while writing."""

import errno
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from . import trace, tree
from .scenario import ROOT, argv

ERRORS = ("ENOSPC", "EIO", "EACCES", "EROFS", "EDQUOT", "EPERM", "EINTR")
# What only a change of names runs into: another file system, and a mount point.
NAME_ERRORS = ("EXDEV", "EBUSY")
# A kernel does not interrupt for ever, and a loop around EINTR is right; four times in a row is much.
STICKY = {"EINTR": "+3"}


def each(function, items, found, jobs):
    """Runs a function over items in several threads, until there are enough violations."""

    def one(item):
        if not found.enough():
            function(item)

    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(one, item) for item in items]:
            done.result()


def traced(scenario, work, start, command, reading=False):
    """Lists the calls that a command makes on files of the box when it starts from a state."""
    with work.box(start) as box:
        ended, calls = trace.calls(argv(command, box), box, reading=reading)
        return ended, [
            call._replace(paths=tuple(os.path.relpath(p, box) for p in call.paths)) for call in calls
        ]


def matches(only, description):
    """Whether a fault is wanted. The description of a fault in a recovery begins with that of the first one."""
    return only in description or description in only


def label(call):
    return f"{call.name}#{call.nth} {' '.join(path.removeprefix(ROOT + '/') for path in call.paths)}"


def kill(judge, options):
    """SIGKILL at each call that changes something, and again at each such call of the recoveries.

    The call at which the process dies does not take place, so that the states after none, one, two ... calls
    are all seen. A state that was seen is not gone into again.
    """
    scenario, work, found = judge.scenario, judge.work, judge.found
    seen = {tree.digest(scenario.start)}
    level = [("", scenario.start, [("", scenario.command)])]
    for depth in range(options.depth):
        points = []
        for where, start, commands in level:
            for name, command in commands:
                calls = traced(scenario, work, start, command)[1]
                points += [(where + name, start, command, call) for call in calls if call.mutates]
        points = [point for point in points if matches(options.only, _killed(point))]
        reached = []

        def one(point):
            _, start, command, call = point
            at = _killed(point)
            with work.box(start) as box:
                log = os.path.join(work.path, os.path.basename(box) + ".log")
                front = trace.inject(call, f"signal=KILL:when={call.nth}", log)
                ended = trace.run(front + argv(command, box), box)
                os.unlink(log)
                if ended.code not in (-9, 137):
                    judge.bad(at, "missed", f"the run does the same things in another order: exit {ended.code}")
                found.count("kill" if depth == 0 else "kill in a recovery")
                judge.look(box, at)
                judge.settle(box, at)
                reached.append((at, tree.read(box)))

        each(one, points, found, options.jobs)
        level = []
        for at, state in sorted(reached, key=lambda pair: pair[0]):
            key = tree.digest(state)
            if key not in seen:
                seen.add(key)
                back = [(f"{at}, then recover ", scenario.recover)] if scenario.recover else []
                if not scenario.mends:
                    back.append((f"{at}, then again ", scenario.again))
                level.append(("", state, back))
        if not level:
            break


def _killed(point):
    where, _, _, call = point
    return f"{where}killed at {label(call)}"


def errors(judge, options):
    """Each call that changes something fails, once and from then on, with each error."""
    scenario, work, found = judge.scenario, judge.work, judge.found
    calls = [c for c in traced(scenario, work, scenario.start, scenario.command)[1] if c.mutates]
    jobs = []
    for index, call in enumerate(calls):
        names = ERRORS + (NAME_ERRORS if call.name in trace.RENAMING else ())
        if options.quick:
            names = (names[index % len(names)],)
        jobs += [(call, name, sticky) for name in names for sticky in (False, True)]
    jobs = [job for job in jobs if matches(options.only, _failing(job))]

    def one(job):
        call, name, sticky = job
        at = _failing(job)
        many = STICKY.get(name, "+") if sticky else ""
        when = f"{call.nth}..{call.nth + 3}" if many == "+3" else f"{call.nth}{many}"
        with work.box(scenario.start) as box:
            log = os.path.join(work.path, os.path.basename(box) + ".log")
            ended = trace.run(
                trace.inject(call, f"error={name}:when={when}", log) + argv(scenario.command, box), box
            )
            with open(log, encoding="latin-1") as file:
                hit = "(INJECTED)" in file.read()
            os.unlink(log)
            if not hit:
                judge.bad(at, "missed", f"the run does the same things in another order: exit {ended.code}")
            found.count("error, sticky" if sticky else "error, once")
            standing = judge.look(box, at)
            reason = os.strerror(getattr(errno, name))
            # From then on means that the message cannot be written either.
            mute = sticky and call.name == "write"
            judge.said(ended, standing, at, [call], reason, mute)
            if ended.code == 0 and call.name in trace.SYNCING and name != "EINTR":
                judge.bad(at, "lied", "exit 0, but what was written may not be on the disk")
            if not sticky and ended.code in (0, 1, 7):
                # What an earlier run left may stay where this one changed nothing.
                judge.strays(box, at, but=scenario.left if ended.code else ())
            judge.settle(box, at)

    each(one, jobs, found, options.jobs)


def _failing(job):
    call, name, sticky = job
    return f"{name} {'from' if sticky else 'at'} {label(call)}"


def short(judge, options):
    """Writes that stop in the middle: at a limit of the file size, and on a file system that fills up."""
    scenario, work, found = judge.scenario, judge.work, judge.found
    sizes = sorted({len(scenario.new[path].content) for path in scenario.changed})
    limits = {0, 1, 100, 500}
    for size in sizes:
        limits |= {size // 4, size // 2, size - 1}
    limits = sorted(limits)[:: 3 if options.quick else 1]

    def one(job):
        limit, dies = job
        at = f"no file larger than {limit} bytes, {'SIGXFSZ' if dies else 'EFBIG'}"
        with work.box(scenario.start) as box:
            ended = trace.run(argv(scenario.command, box), box, file_size=limit, die_at_size=dies)
            found.count("short write")
            standing = judge.look(box, at)
            if not dies or ended.code >= 0:
                judge.said(ended, standing, at, reason=os.strerror(errno.EFBIG))
                if ended.code in (0, 1, 7):
                    judge.strays(box, at)
            judge.settle(box, at)

    each(one, [(limit, dies) for limit in limits for dies in (False, True)], found, options.jobs)
    if os.geteuid() == 0:
        room = range(0, 24, 4 if options.quick else 1)
        each(lambda left: _full(judge, left, None), room, found, options.jobs)
        each(lambda left: _full(judge, None, left), room, found, options.jobs)


def _full(judge, pages, inodes):
    """Runs on a small file system of its own, with so many pages or inodes to spare."""
    scenario, work = judge.scenario, judge.work
    at = f"{pages} pages left" if inodes is None else f"{inodes} inodes left"
    box = work.name()
    os.mkdir(box)
    used = sum(1 + len(entry.content) // 4096 for entry in scenario.start.values() if entry.kind == "file")
    size = f"size={(used + pages) * 4096}" if inodes is None else f"nr_inodes={len(scenario.start) + inodes}"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"{size},mode=700", "tmpfs", box], check=True, capture_output=True
    )
    try:
        try:
            tree.write(scenario.start, box)
        except OSError:
            return
        ended = trace.run(argv(scenario.command, box), box)
        judge.found.count("full file system")
        standing = judge.look(box, at)
        judge.said(ended, standing, at, reason=None if ended.code == 0 else os.strerror(errno.ENOSPC))
        if ended.code in (0, 1, 7):
            judge.strays(box, at)
        judge.settle(box, at)
    finally:
        subprocess.run(["umount", "-l", box], capture_output=True)
        os.rmdir(box)
