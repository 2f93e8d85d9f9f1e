"""Runs that take turns, so that what else the machine does meets all of them."""

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import Callable, Optional

from measure.program import ENVIRONMENT, Failed


@dataclass
class Run:
    """Something that is timed: a command, over so many trees."""

    name: str
    command: list
    trees: int
    # Where its standard output goes; nowhere without it.
    output: Optional[str] = None
    # What is done before each turn, and not timed.
    before: Optional[Callable] = None
    environment: dict = field(default_factory=dict)
    times: list = field(default_factory=list)

    def turn(self):
        """Runs it once; remembers how long it took."""
        if self.before:
            self.before()
        # Not a pipe: whoever reads it takes time from the run.
        with open(self.output or os.devnull, "wb") as output, tempfile.TemporaryFile() as errors:
            start = time.perf_counter()
            ended = subprocess.run(
                self.command,
                env={**ENVIRONMENT, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
            took = time.perf_counter() - start
            if ended.returncode != 0:
                errors.seek(0)
                raise Failed(f"{self.name}: exit {ended.returncode}: {errors.read().decode(errors='replace')[-500:]}")
        self.times.append(took)

    def of_a_tree(self):
        """Returns the median for each tree, in seconds."""
        return statistics.median(self.times) / self.trees


def take_turns(runs, turns):
    """Runs all of them in turns; the first turn only warms up, if there are several."""
    for turn in range(turns + (turns > 1)):
        for run in runs:
            run.turn()
            if turn == 0 and turns > 1:
                run.times.clear()
