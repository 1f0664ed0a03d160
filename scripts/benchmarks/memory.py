"""Count the copies of an object that a host holds, while all workers of a contender use it."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.tasks import OBJECT
from benchmarks.workloads import Workload

if TYPE_CHECKING:
    from benchmarks.contenders import Contender


def copies(contender: Contender, work: Workload) -> float:
    """Measure by how many objects this process and all below it grow, its workers having started before.

    The object that this process has is not counted, as it was there before.
    """
    whole, meeting = contender.data, Path(os.environ["BENCH_MEETING"])
    for contender.data in (np.zeros(1), whole):
        shutil.rmtree(meeting, ignore_errors=True)
        meeting.mkdir(parents=True)
        before, after = resident(), list[float]()
        watch = threading.Thread(target=_watch, args=[meeting, work.workers, after], daemon=True)
        watch.start()
        results = contender.run(work)
        watch.join()
    work.check(results)
    return (after[0] - before) / OBJECT


def _watch(meeting: Path, workers: int, after: list[int]) -> None:
    """Measure once all workers hold the object, and let them go."""
    while len(list(meeting.iterdir())) < workers:
        time.sleep(0.01)
    after.append(resident())
    (meeting / "measured").touch()


def resident() -> int:
    """Bytes of memory of this process and all below it; what n processes share counts as 1/n in each."""
    return sum(map(_proportional, _tree(os.getpid())))


def _tree(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += _tree(int(child))
    return found


def _proportional(pid: int) -> int:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return 0
