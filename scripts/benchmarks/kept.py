"""The time that a share folder adds to a call that is waited for: `scripts/bench --kept hdfs://...`.

Two tasks that do nothing, on local[2]: with a folder for the job, so that nothing finished is lost, with
``durable=False``, without a share folder, and by PySpark alone. The ways take turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.tasks import noop

__all__ = ["table"]

# What a call may take on the mini cluster of scripts/hadoop; counted beside the median, as a file on HDFS sometimes
# waits half a second: hdfs-native sleeps that long where the NameNode has not heard of the last block yet.
LIMIT_S = 0.2

WARM_RUNS = 5


def table(folder: str, repeats: int) -> str:
    """Milliseconds of each way, as Markdown."""
    from rxspark import RxSpark, rxExec, rxOptions

    rxOptions(reportProgress=0)

    def calls(**arguments: Any) -> Callable[[], object]:
        context = RxSpark(master="local[2]", **arguments)

        def call() -> object:
            with context:
                return rxExec(noop, timesToRun=2)

        return call

    def by_pyspark() -> object:
        from pyspark.sql import SparkSession

        session = SparkSession.getActiveSession()
        assert session is not None
        return session.sparkContext.parallelize(range(2), 2).map(noop).collect()

    ways: dict[str, Callable[[], object]] = {
        "a share folder": calls(hdfsShareDir=folder),
        "a share folder, durable=False": calls(hdfsShareDir=folder, durable=False),
        "no share folder": calls(),
        "PySpark alone": by_pyspark,
    }
    took = _measure(ways, repeats)
    lines = [
        f"### a waiting call of two tasks, {folder.partition(':')[0]}, ms",
        "",
        f"| | median | best | calls over {LIMIT_S * 1e3:.0f} ms |",
        "|--|--:|--:|--:|",
    ]
    for way, seconds in took.items():
        slow = sum(one > LIMIT_S for one in seconds)
        lines.append(f"| {way} | {median(seconds) * 1e3:.0f} | {min(seconds) * 1e3:.0f} | {slow} of {len(seconds)} |")
    return "\n".join(lines)


def _measure(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call of each way, after some that are not counted."""
    took: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(WARM_RUNS + repeats):
        for way, call in ways.items():
            began = time.perf_counter()
            call()
            if turn >= WARM_RUNS:
                took[way].append(time.perf_counter() - began)
    return took
