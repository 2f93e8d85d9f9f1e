"""The tables that scripts/bench-fleet prints, and the bars that it judges by."""

import os
import platform
import statistics
import subprocess
from dataclasses import dataclass

from measure.program import ENVIRONMENT, Failed

# Times of `cat` of the same files, by the number of jobs.
FLOOR = {2: 1.5, 1: 2.5}
# How many times as fast as the peers, and as one job.
PAIR, SED, JOBS = 20, 3, 1.7
# Of `sed` and `sync`; how much longer a tree of many may take than one of few; MiB.
APPLY, LINEAR, MEMORY = 1.5, 1.1, 64


@dataclass
class Judgement:
    """What was measured, and its bar."""

    what: str
    measured: float
    bar: float
    is_at_least: bool = False

    @property
    def is_met(self):
        return self.measured >= self.bar if self.is_at_least else self.measured <= self.bar


def head(fleet, disk):
    """Returns the machine, and how large the fleet is."""
    size = fleet.bytes / len(fleet.trees) / 1000
    return (
        f"{len(fleet.trees):,} trees, {size:.0f} kB each, on {processor()}, {os.cpu_count()} cores, {_memory()}, "
        f"Linux {platform.release()}; what is written to disk is on {_filesystem(disk)}.\n"
    )


def plans(runs, rest):
    """Returns the table of `plan` and its peers, for one tree each."""
    floor = runs["cat"].of_a_tree()
    return _table([*runs.values(), *rest], ("times `cat`", lambda run: run.of_a_tree() / floor))


def applies(apply, sed):
    """Returns the table of `apply`."""
    return _table([sed, apply], ("times `sed` and `sync`", lambda run: run.of_a_tree() / sed.of_a_tree()))


def scale(whole, sizes, peak):
    """Returns how the time of a tree depends on their number."""
    every = [*sizes.values(), whole]
    rows = [[f"{run.trees:,}", f"{1e6 * run.of_a_tree():,.0f}"] for run in every]
    return markdown(["trees", "µs for each tree"], rows) + f"\nPeak memory of `plan` over {whole.trees:,} trees: {peak:.1f} MiB.\n"


def judge(runs, sizes, peak, apply, sed):
    """Returns what is judged."""
    tree = {name: run.of_a_tree() for name, run in runs.items()}
    judged = [
        Judgement(f"{runs[f'{name} {jobs}'].name}: times `cat`", tree[f"{name} {jobs}"] / tree["cat"], bar)
        for name in ("same", "changed")
        for jobs, bar in FLOOR.items()
    ]
    changed = tree["changed 2"]
    judged += [
        Judgement("two `sed` for each tree: times `plan` of every tree, 2 jobs", tree["pair"] / changed, PAIR, True),
        Judgement("`sed` over all files: times `plan` of every tree, 2 jobs", tree["sed"] / changed, SED, True),
        Judgement("`plan` with 1 job: times that with 2", tree["changed 1"] / changed, JOBS, True),
        Judgement("`apply` of an image: times `sed` and `sync`", apply.of_a_tree() / sed.of_a_tree(), APPLY),
        Judgement("peak memory of `plan`, MiB", peak, MEMORY),
    ]
    if sizes:
        few = min(sizes)
        ratio = changed / sizes[few].of_a_tree()
        judged.append(Judgement(f"a tree of {runs['changed 2'].trees:,}: times one of {few:,}", ratio, LINEAR))
    return judged


def verdicts(judged, is_judged):
    """Returns the table of bars."""
    rows = []
    for one in judged:
        bar = f"{'at least' if one.is_at_least else 'at most'} {one.bar:g}"
        verdict = ("yes" if one.is_met else "no") if is_judged else "not judged"
        rows.append([one.what, f"{one.measured:.2f}", bar, verdict])
    return markdown(["what", "measured", "bar", "met"], rows)


def peak(run, folder):
    """Returns the peak memory of a run, in MiB."""
    log = os.path.join(folder, "time.log")
    # Not by Python's getrusage: a child's peak there is at least that of the Python it was forked from.
    command = ["/usr/bin/time", "-q", "-f", "%M", "-o", log, *run.command]
    ended = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if ended.returncode != 0:
        raise Failed(f"{run.name}: exit {ended.returncode}")
    with open(log, encoding="ascii") as file:
        return int(file.read()) / 1024


def _table(runs, ratio):
    what, compute = ratio
    rows = [
        [run.name, f"{run.trees:,}", f"{statistics.median(run.times):.3f}", f"{1e6 * run.of_a_tree():,.0f}", f"{compute(run):.2f}"]
        for run in runs
    ]
    return markdown(["run", "trees", "seconds", "µs for each tree", what], rows)


def markdown(columns, rows):
    """Returns a table of Markdown."""
    lines = [columns, ["---", *("---:" for _ in columns[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def processor():
    """Returns the name of the processor."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        return f"{int(file.readline().split()[1]) / 1024 / 1024:.0f} GiB"


def _filesystem(folder):
    command = ["stat", "--file-system", "--format", "%T", folder]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().replace("ext2/ext3", "ext4")
