"""Many runs at once: one writes, and the rest find the lock or nothing to do."""

import os
import re
import subprocess

from . import trace
from .scenario import argv

RUNS = 50
IDLE = re.compile("nothing to|no changes", re.I)
# A run takes a few milliseconds, and 50 of them would hardly meet; so each sync takes some, as on a slow disk.
SLOW = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:delay_exit=5000"]
BARRIER = ["sh", "-c", 'read -r _; exec "$@" < /dev/null', "sh"]


def rounds(judge, options):
    for number in range(2 if options.quick else 20):
        # Half of the rounds wait for the lock, so that every run gets its turn.
        _round(judge, number, wait="30" if number % 2 else "0")


def _round(judge, number, wait):
    scenario, work, found = judge.scenario, judge.work, judge.found
    where = f"round {number + 1}, --lock-timeout {wait}"
    command = scenario.waits(wait)
    with work.box(scenario.start) as box:
        # All of them wait for the end of one pipe, as the first would be done before the last has started.
        reader, writer = os.pipe()
        started = [
            subprocess.Popen([*BARRIER, *SLOW, *argv(command, box)], cwd=box, stdin=reader,
                             env=trace.environment(box), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, errors="replace")
            for _ in range(RUNS)
        ]  # fmt: skip
        os.close(reader)
        os.close(writer)
        wrote, locked, idle = 0, 0, 0
        for run in started:
            out, err = run.communicate(timeout=120)
            found.count("run among 50")
            if run.returncode == 0 and not IDLE.search(out + err):
                wrote += 1
            elif run.returncode == 0:
                idle += 1
            elif run.returncode == 6 and wait == "0":
                locked += 1
            else:
                judge.bad(where, "exit", f"exit {run.returncode}: {err[-200:]}")
        if wrote != 1:
            judge.bad(where, "lock", f"{wrote} wrote, {locked} found the lock, {idle} found nothing to do")
        found.note("runs that wrote", wrote)
        found.note("runs that found the lock", locked)
        found.note("runs that found nothing to do", idle)
        standing = judge.look(box, where, settled=True)
        if set(standing.values()) != {"new"}:
            judge.bad(where, "set", standing)
        judge.strays(box, where)
