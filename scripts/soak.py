"""Calls of mixed kinds over one session, spread over a time; memory, threads and files must stay flat."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import psutil

from rxspark import RxLocalParallel, RxSpark, rxElemArg, rxExec, rxSetComputeContext

LARGE = np.arange(500_000.0)


def _plain() -> None:
    assert rxExec(abs, rxElemArg([-1, -2])) == [1, 2]


def _seeded() -> None:
    draw = lambda: float(np.random.normal())  # noqa: E731
    assert rxExec(draw, timesToRun=4, RNGseed=777) == rxExec(draw, timesToRun=4, RNGseed=777)


def _shared() -> None:
    assert rxExec(lambda x, i: float(x[i]), LARGE, rxElemArg([3, 4])) == [3.0, 4.0]


def _large_result() -> None:
    assert len(rxExec(lambda: bytes(4_000_000))[0]) == 4_000_000


def _failing() -> None:
    assert list(rxExec(lambda i: 1 / i, rxElemArg([1, 0, 2])).errors) == [1]


def _dying() -> None:
    kill = lambda i: os.kill(os.getpid(), signal.SIGKILL) if i == 1 else i  # noqa: E731
    assert list(rxExec(kill, rxElemArg([0, 1, 2]), taskChunkSize=1).errors) == [1]


# Deaths are seldom, and take seconds.
KINDS: list[Callable[[], None]] = [*[_plain, _seeded, _shared, _large_result, _failing] * 10, _dying]


def _state() -> tuple[float, int, int]:
    own = psutil.Process()
    return own.memory_info().rss / 1e6, own.num_threads(), own.num_fds()


def main() -> int:
    """Run the calls; 1 when memory, threads or files have grown since a tenth of them had run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--context", choices=["spark", "localpar"], default="spark")
    given = parser.parse_args()
    config = {"spark.ui.enabled": "false"}
    spark = RxSpark(master="local[2,4]", extraSparkConfig=config)
    rxSetComputeContext(spark if given.context == "spark" else RxLocalParallel())
    warnings.simplefilter("ignore")
    begun, settled = time.monotonic(), (0.0, 0, 0)
    print(f"{'calls':>6} {'minutes':>8} {'MB':>8} {'threads':>8} {'files':>6}")
    for number in range(1, given.calls + 1):
        KINDS[number % len(KINDS)]()
        if number == given.calls // 10:
            settled = _state()
        if number % max(1, given.calls // 20) == 0:
            memory, threads, files = _state()
            minutes = (time.monotonic() - begun) / 60
            print(f"{number:6} {minutes:8.1f} {memory:8.1f} {threads:8} {files:6}", flush=True)
        time.sleep(max(0.0, begun + number * given.minutes * 60 / given.calls - time.monotonic()))
    grown, more_threads, more_files = (now - then for now, then in zip(_state(), settled, strict=True))
    print(f"grown by {grown:.1f} MB, {more_threads} threads, {more_files} files since call {given.calls // 10}")
    return 0 if grown < 100 and more_threads <= 4 and more_files <= 4 else 1


if __name__ == "__main__":
    sys.exit(main())
