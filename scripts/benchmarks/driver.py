"""Measure what the driver alone does with many tasks: `scripts/bench --driver`.

A stand-in for the cluster answers each partition at once, with results such as workers make, so that what is left is
the driver's own: planning, shipping, taking results in, and putting the results together. The time in which the
stand-in makes its answers is not counted. A process of its own for each size, as memory is what it has taken at most.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.processes import peak_mb
from benchmarks.tasks import noop
from rxspark import RxLocalSeq, execute, rxExec, rxOptions
from rxspark.backends.base import Attempt, Outcome
from rxspark.backends.sequential import SequentialBackend
from rxspark.results import RxCombined
from rxspark.worker.combining import going_home
from rxspark.worker.results import PartitionResult
from rxspark.worker.tree import Branches

# Tasks and partitions; the last is a thousand executors with ten slots each.
SIZES = ((10**4, 100), (10**5, 1_000), (10**6, 10_000), (10**7, 10_000))

RESULTS: dict[str, dict[str, Any]] = {
    "each": {},
    "combined": {"combined": True},
    "each, half of them lost once": {"lost": 0.5},
}
"""What comes home, and the share of partitions that is lost in the first attempt, as `Cluster` takes it."""


class Cluster(SequentialBackend):
    """A backend whose tasks give None in no time; else that of RxLocalSeq, and so never behind what a backend has."""

    same_host = False
    partitions_per_slot = 1

    def __init__(self, slots: int, combined: bool = False, lost: float = 0.0) -> None:
        super().__init__(share_dir=None)
        self._slots = slots
        self._combined = combined
        self._lost = lost
        self.spent = 0.0
        """Seconds in which answers were made."""

    def slots(self, tasks: int, options: Mapping[str, Any]) -> int:
        """As many as there are to be partitions."""
        return self._slots

    def run(self, attempt: Attempt) -> Outcome:
        """Answer for each partition, but for those that are lost at first."""
        lost = int(len(attempt.partitions) * self._lost) if attempt.number == 0 else 0
        for numbers, _ in attempt.partitions[lost:]:
            began = time.process_time()
            part = PartitionResult(f"node-{numbers[0] % 1000}", 1, 0)
            part.numbers.extend(numbers)
            part.started.extend([began] * len(numbers))
            part.seconds.extend([1e-6] * len(numbers))
            if self._combined:
                part.branches = _branches(numbers[0], numbers[-1] + 1)
            else:
                part.values = [None] * len(numbers)
            packed = going_home(part).pack()
            self.spent += time.process_time() - began
            attempt.deliver(packed)
        return Outcome("executors were lost" if lost else "")


def _branches(first: int, stop: int) -> Branches:
    """Return the fewest branches that stand for neighbouring tasks, as a worker is left with."""
    found = Branches()
    while first < stop:
        level = (stop - first).bit_length() - 1
        if first:
            level = min(level, (first & -first).bit_length() - 1)
        found[level, first >> level] = None
        first += 1 << level
    return found


def _neither(a: None, b: None) -> None:
    """Combine results that are nothing."""


def measure(tasks: int, partitions: int, options: dict[str, Any]) -> dict[str, float]:
    """Seconds and peak memory of one call; `options` as `Cluster` takes them."""
    cluster = Cluster(partitions, **options)
    execute.run_call = partial(execute.run_call, make_backend=lambda context, background: cluster)
    rxOptions(reportProgress=0)
    before = peak_mb()
    began = time.process_time()
    with RxLocalSeq():
        results = rxExec(noop, timesToRun=tasks, combine=_neither if "combined" in options else None)
    seconds = time.process_time() - began - cluster.spent
    if not cluster.spent:
        raise RuntimeError("the tasks ran elsewhere than on the stand-in")
    values = [results.value] if isinstance(results, RxCombined) else results
    count = results.count if isinstance(results, RxCombined) else len(results)
    if count != tasks or any(value is not None for value in values):
        raise ValueError(f"{count} results, not {tasks} times None")
    megabytes = peak_mb() - before
    timings = results.timings
    return {
        "seconds": seconds,
        "plan and ship": timings.plan + timings.ship,
        "decode": timings.decode,
        "megabytes": megabytes,
    }


def run(tasks: int, partitions: int, options: dict[str, Any]) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.driver", str(tasks), str(partitions), json.dumps(options)]
    told: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return told


def table() -> str:
    """All sizes, as Markdown."""
    titles = "| tasks | partitions | results | seconds | plan, ship | decode | µs a task | MB | bytes a task |"
    lines = [titles, "|--:" * 9 + "|"]
    for tasks, partitions, results in [(*size, results) for results in RESULTS for size in SIZES]:
        told = run(tasks, partitions, RESULTS[results])
        seconds, megabytes = told["seconds"], told["megabytes"]
        lines.append(
            f"| {tasks:,} | {partitions:,} | {results} | {seconds:.2f} | {told['plan and ship']:.2f} | "
            f"{told['decode']:.2f} | {seconds / tasks * 1e6:.2f} | {megabytes:,.0f} | {megabytes * 1e6 / tasks:,.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))))
