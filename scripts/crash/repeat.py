"""The command without a fault: what it may call at all, and that a second run finds nothing to do."""

import os
import re

from . import faults, trace, tree
from .scenario import ROOT, argv


def twice(judge, options):
    scenario, work, found = judge.scenario, judge.work, judge.found
    ended, calls = faults.traced(scenario, work, scenario.start, scenario.command)
    found.count("run without a fault")
    for call in calls:
        if not all(path == ROOT or path.startswith(ROOT + "/") for path in call.paths):
            judge.bad(faults.label(call), "touched", "it is outside of the root")
        made = re.search(r"O_CREAT.*\b(0[0-7]{3,4})$", " ".join(call.args))
        if made and int(made.group(1), 8) & 0o077:
            judge.bad(faults.label(call), "private", f"it is made with the mode {made.group(1)}")
    with work.box(scenario.start) as box:
        root = os.path.join(box, ROOT)
        ended = trace.run(argv(scenario.command, box), box)
        judge.said(ended, judge.look(box, "the first run", settled=True), "the first run")
        judge.strays(box, "the first run")
        before = tree.stamps(root)
        ended, calls = trace.calls(argv(scenario.again, box), box)
        found.count("run without a fault")
        for call in calls:
            if call.name != "flock":
                judge.bad(f"the second run, {faults.label(call)}", "idle", "it has nothing to do")
        if ended.code != 0 or tree.stamps(root) != before:
            judge.bad(
                "the second run", "idle", f"exit {ended.code}, and a file was touched: {ended.err[-200:]}"
            )
