"""Measure what the driver alone does with many tasks: `scripts/bench --driver`.

A stand-in for the cluster answers each partition at once, with results such as workers make, so that what is left is
the driver's own: planning, shipping, taking results in, and putting the results together. The time in which the
stand-in makes its answers is not counted. A process of its own for each size, as memory is what it has taken at most.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.tasks import noop
from rxspark import RxLocalSeq, execute, rxExec, rxOptions
from rxspark.backends.base import Attempt, Outcome
from rxspark.backends.sequential import SequentialBackend
from rxspark.worker.results import PartitionResult

# Tasks and partitions; the last is a thousand executors with ten slots each.
SIZES = ((10**4, 100), (10**5, 1_000), (10**6, 10_000), (10**7, 10_000))


class Cluster(SequentialBackend):
    """A backend whose tasks give None in no time; else that of RxLocalSeq, and so never behind what a backend has."""

    same_host = False
    partitions_per_slot = 1

    def __init__(self, slots: int) -> None:
        super().__init__(share_dir=None)
        self._slots = slots
        self.spent = 0.0
        """Seconds in which answers were made."""

    def slots(self, tasks: int, options: Mapping[str, Any]) -> int:
        """As many as there are to be partitions."""
        return self._slots

    def run(self, attempt: Attempt) -> Outcome:
        """Answer for each partition."""
        for numbers, _ in attempt.partitions:
            began = time.perf_counter()
            part = PartitionResult(f"node-{numbers[0] % 1000}", 1, 0)
            for number in numbers:
                part.add(number, None, began, 1e-6)
            packed = part.pack()
            self.spent += time.perf_counter() - began
            attempt.deliver(packed)
        return Outcome()


def measure(tasks: int, partitions: int) -> dict[str, float]:
    """Seconds and peak memory of one call."""
    cluster = Cluster(partitions)
    execute.backend_for = lambda context, background: cluster  # type: ignore[assignment]
    rxOptions(reportProgress=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with RxLocalSeq():
        results = rxExec(noop, timesToRun=tasks)
    seconds = time.perf_counter() - began - cluster.spent
    if len(results) != tasks or any(value is not None for value in results):
        raise ValueError(f"{len(results)} results, not {tasks} times None")
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    timings = results.timings
    return {
        "seconds": seconds,
        "plan and ship": timings.plan + timings.ship,
        "decode": timings.decode,
        "megabytes": kilobytes / 1000,
    }


def table() -> str:
    """All sizes, as Markdown."""
    lines = ["| tasks | partitions | seconds | plan, ship | decode | µs a task | MB | bytes a task |", "|--:" * 8 + "|"]
    for tasks, partitions in SIZES:
        command = [sys.executable, "-m", "benchmarks.driver", str(tasks), str(partitions)]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        seconds, megabytes = told["seconds"], told["megabytes"]
        lines.append(
            f"| {tasks:,} | {partitions:,} | {seconds:.2f} | {told['plan and ship']:.2f} | {told['decode']:.2f} | "
            f"{seconds / tasks * 1e6:.2f} | {megabytes:,.0f} | {megabytes * 1e6 / tasks:,.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
