"""Programs that run a job and are killed meanwhile, and what is in the folder of their job."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from waiting import wait_until

from rxspark import RxLocalSeq, RxResults, rxElemArg, rxExec

# A program of its own, as jobs outlive programs: it submits one job, and prints its id.

DRIVER = """
import os, random, sys, time
from rxspark import *

def task(number, folder, pause):
    with open(os.path.join(folder, "ran"), "a") as file:
        file.write(f"{{number}}\\n")
    time.sleep(pause)
    return number, random.random(), random.gauss(0, 1)

if __name__ == "__main__":
    {before}
    with {context}:
        job = rxExec(task, rxElemArg(range({tasks})), {folder!r}, {pause}, RNGseed=11, taskChunkSize={size})
        print(job.id, flush=True)
        {after}
"""


def start_driver(folder: Path, context: str, tasks: int = 20, **more: Any) -> subprocess.Popen[str]:
    """Start a program that submits a job in `context`, and writes down each task that begins.

    More: `pause` of a task in seconds, `size` of a chunk, and lines `before` the job and `after` it.
    """
    script = folder / "driver.py"
    more = {"pause": 0.1, "size": 1, "before": "pass", "after": "job.wait()", **more}
    script.write_text(DRIVER.format(context=context, tasks=tasks, folder=str(folder), **more))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYSPARK_PYTHON": sys.executable,
    }
    return subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def read_id(driver: subprocess.Popen[str]) -> str:
    """The job's id, which the program prints."""
    assert driver.stdout is not None
    line = driver.stdout.readline().strip()
    assert line.startswith("rxJob_"), driver.communicate(timeout=60)
    return line


def kept_parts(share: Path, job: str) -> list[str]:
    """Names of the files with results of partitions."""
    return sorted(file.name for file in (share / "rxspark-jobs" / job / "parts").glob("*.results"))


def wait_for_parts(share: Path, job: str, count: int) -> None:
    """Wait until so many partitions are kept."""
    wait_until(lambda: len(kept_parts(share, job)) >= count, f"{count} partitions are kept", 120)


def one_kept(share: Path, driver: subprocess.Popen[str]) -> bool:
    """Tell whether any partition is kept, by a program that still runs."""
    assert driver.poll() is None
    return any(share.glob("rxspark-jobs/*/parts/*.results"))


def started_tasks(folder: Path) -> Counter[int]:
    """Count the starts of each task."""
    return Counter(map(int, (folder / "ran").read_text().split()))


def draw(number: int) -> tuple[int, float, float]:
    """The same task, for this process."""
    import random

    return number, random.random(), random.gauss(0, 1)


def undisturbed(tasks: int = 20, size: int | None = 1) -> RxResults[tuple[int, float, float]]:
    """Results of a job that nothing has disturbed."""
    with RxLocalSeq():
        return rxExec(draw, rxElemArg(range(tasks)), RNGseed=11, taskChunkSize=size)


def settled_parts(share: Path, job: str) -> list[str]:
    """Files that are there when the workers that a killed driver has left behind have ended."""
    seen: list[tuple[float, list[str]]] = [(time.monotonic(), [])]

    def unchanged_for_a_second() -> bool:
        now = kept_parts(share, job)
        if now != seen[-1][1]:
            seen.append((time.monotonic(), now))
        return time.monotonic() - seen[-1][0] > 1

    wait_until(unchanged_for_a_second, "no file is added any more", 120)
    return seen[-1][1]
