"""The test of the harness: in a right program nothing is found, and each of many wrong ones is caught."""

import os
import sys
import time

from . import faults, interleave, parallel, power, realcut, repeat
from .judge import Found, Judge
from .scenario import OUTSIDE, ROOT, Broken, Scenario, Work

MODES = {
    "repeat": repeat.twice,
    "kill": faults.kill, "error": faults.errors, "short": faults.short, "power": power.cuts,
    "interleave": interleave.gaps, "parallel": parallel.rounds, "realcut": realcut.cuts,
}  # fmt: skip

# What is wrong, the mode that has to see it, and the violations that it may be called.
BUGS = {
    "no_file_sync": ("power", {"whole", "set", "durable", "recover", "attributes"}),
    "no_dir_sync": ("power", {"set", "durable"}),
    "no_last_sync": ("power", {"set", "durable"}),
    "no_journal": ("kill", {"set", "recover"}),
    "no_roll_back": ("error", {"exit"}),
    "no_owner": ("kill", {"attributes"}),
    "no_mode": ("kill", {"attributes"}),
    "no_xattrs": ("kill", {"attributes"}),
    "short_write": ("short", {"whole", "exit"}),
    "swallow": ("error", {"exit"}),
    "swallow_sync": ("error", {"lied"}),
    "no_clean": ("kill", {"stray", "recover"}),
    "no_clean_on_error": ("error", {"stray"}),
    "no_recover": ("kill", {"set", "recover", "stray"}),
    "recover_forgets": ("kill", {"set"}),
    "in_place": ("kill", {"whole"}),
    "wide_journal": ("kill", {"private"}),
    "outside": ("repeat", {"touched"}),
    "wide_stage": ("repeat", {"private"}),
    "busy": ("repeat", {"idle"}),
    "traceback": ("error", {"crash"}),
    "no_path": ("error", {"message"}),
    "no_reason": ("error", {"message"}),
    "wrong_sentence": ("error", {"state"}),
    "done_too_early": ("power", {"durable"}),
    "lost_update": ("interleave", {"lost"}),
    "no_second_look": ("interleave", {"lost"}),
    "follows_links": ("interleave", {"touched"}),
    "no_lock": ("parallel", {"lock", "exit", "stray", "set"}),
}
# Only root can give a file away.
AS_ROOT = {"no_owner"}


def run(chosen):
    """Runs the right program through every mode and each wrong one through its own; returns the exit code.

    Where bugs are named, only these.
    """
    failed, chosen.depth, chosen.quick = 0, 1 if chosen.quick else 2, True
    os.environ.pop("BUG", None)
    wanted = chosen.self_test
    for mode in MODES if not wanted else ():
        if mode == "realcut" and os.geteuid() != 0:
            continue
        found, seconds = _one(mode, chosen, None)
        total = sum(found.faults.values())
        good = total and not found.violations
        failed += not good
        print(
            f"{'ok' if good else 'FAILED':7} right program  {mode:11} {total:5} faults {seconds:6.1f} s",
            flush=True,
        )
        for violation in found.violations[: chosen.show]:
            print("        " + "  ".join(violation))
    caught, chosen.depth = 0, 2
    for bug, (mode, names) in BUGS.items():
        if (bug in AS_ROOT and os.geteuid() != 0) or (wanted and bug not in wanted):
            continue
        os.environ["BUG"] = bug
        found, seconds = _one(mode, chosen, 1, names)
        seen = sorted({name for _, name, _, _ in found.violations} & names)
        failed += not seen
        caught += bool(seen)
        others = sorted({name for _, name, _, _ in found.violations} - names)
        word = "caught" if seen else "MISSED"
        print(f"{word:7} {bug:18} {mode:11} {', '.join(seen or others):20} {seconds:5.1f} s", flush=True)
    os.environ.pop("BUG", None)
    print(f"{caught} wrong programs caught, {failed} failures")
    return 1 if failed else 0


def _one(mode, chosen, limit, names=None):
    start = time.monotonic()
    work, found = Work(chosen.folder), Found(limit, names)
    try:
        scenario = _scenario(work)
        scenario.learn(work)
        MODES[mode](Judge(scenario, work, found, mode), chosen)
    except Broken as why:
        found.add(mode, "without a fault", "broken", why)
    finally:
        work.remove()
    return found, time.monotonic() - start


def _scenario(work):
    box = os.path.join(work.path, "template")
    for path, text in (
        ("docker/compose.yaml", "image: old\n" * 40),
        ("conf/server.conf", "x = 'old'\n" * 60),
        ("conf/other.conf", "y\n"),
    ):
        there = os.path.join(box, ROOT, path)
        os.makedirs(os.path.dirname(there), exist_ok=True)
        with open(there, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(there, 0o640)
        if os.geteuid() == 0:
            os.chown(there, 70, 70)
        try:
            os.setxattr(there, "user.note", b"kept")
        except OSError:
            pass
    os.makedirs(os.path.join(box, OUTSIDE))
    program = [sys.executable, "-ISB", os.path.join(os.path.dirname(os.path.realpath(__file__)), "standin.py")]
    root = "{BOX}/" + ROOT
    return Scenario("stand-in", box, [*program, "apply", root], [*program, "recover", root])
