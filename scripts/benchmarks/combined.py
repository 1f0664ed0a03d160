"""Measure whole calls whose many results are combined: `scripts/bench --combined`.

Each task has an element and a random stream of its own. What the driver takes is its Python's: under RxSpark the JVM
holds the executor too. A process of its own for each context, as memory is what it has taken at most.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.processes import peak_mb
from benchmarks.tasks import same
from rxspark import ComputeContext, RxLocalParallel, RxSpark, rxElemArg, rxExec, rxOptions
from rxspark.results import RxCombined

TASKS = 10_000_000

CONTEXTS: dict[str, Callable[[], ComputeContext]] = {
    "RxLocalParallel, 2 cores": RxLocalParallel,
    "RxSpark, local[2]": lambda: RxSpark(
        master="local[2]", extraSparkConfig={"spark.ui.enabled": "false", "spark.log.level": "ERROR"}
    ),
}


def measure(name: str, tasks: int) -> dict[str, float]:
    """Seconds, the driver's processor time and its growth by one call, behind a small one."""
    rxOptions(reportProgress=0, numCoresToUse=2)
    with CONTEXTS[name]():
        rxExec(same, rxElemArg(range(1000)), combine="sum")
        before, began, spent = peak_mb(), time.perf_counter(), time.process_time()
        found = rxExec(same, rxElemArg(range(tasks)), combine="sum")
        seconds, spent = time.perf_counter() - began, time.process_time() - spent
    assert isinstance(found, RxCombined)
    if (found.value, found.count) != (tasks * (tasks - 1) // 2, tasks):
        raise ValueError(f"{found.value} of {found.count} tasks, not the sum of all numbers below {tasks}")
    return {
        "seconds": seconds,
        "driver": spent,
        "megabytes": peak_mb() - before,
        "partitions": len(found.info),
    }


def table(tasks: int = TASKS) -> str:
    """All contexts, as Markdown."""
    titles = "| context | tasks | partitions | seconds | µs a task | driver: s of processor | µs a task | more MB |"
    lines = [titles, "|---" + "|--:" * 7 + "|"]
    for name in CONTEXTS:
        command = [sys.executable, "-m", "benchmarks.combined", name, str(tasks)]
        told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        seconds, driver = told["seconds"], told["driver"]
        lines.append(
            f"| {name} | {tasks:,} | {told['partitions']} | {seconds:.1f} | {seconds / tasks * 1e6:.2f} | "
            f"{driver:.2f} | {driver / tasks * 1e6:.3f} | {told['megabytes']:,.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
