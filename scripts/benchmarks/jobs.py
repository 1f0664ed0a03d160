"""Jobs that are submitted and come back to, which only rxspark has."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.tasks import noop

# Tasks of the job that is resumed, and tasks a chunk.
TASKS, CHUNK = 1_000, 50


def submit(_: Any) -> list[Any]:
    """Two tasks that do nothing, as a job: submitted, waited for, fetched."""
    from rxspark import rxExec, rxGetComputeContext, rxGetJobResults, rxSetComputeContext, rxWaitForJob

    waiting = rxSetComputeContext(rxGetComputeContext(), wait=False)
    try:
        job = rxExec(noop, timesToRun=2)
    finally:
        rxSetComputeContext(waiting)
    rxWaitForJob(job)
    return list(rxGetJobResults(job))


def half(number: int, mended: str) -> int:
    """Its number; odd ones fail until they are mended."""
    if number % 2 and not Path(mended).exists():
        raise ValueError(number)
    return number


def half_a_job() -> Any:
    """A job in a folder, half of whose tasks have failed, for a reason that is gone now."""
    from rxspark import rxElemArg, rxExec, rxGetComputeContext, rxSetComputeContext, rxWaitForJob

    mended = _folder() / "mended"
    mended.unlink(missing_ok=True)
    shared = {"shareDir": str(_folder()), "wait": False}
    waiting = rxSetComputeContext(rxGetComputeContext(), **shared)
    try:
        job = rxExec(half, rxElemArg(range(TASKS)), str(mended), taskChunkSize=CHUNK, RNGscope="task")
    finally:
        rxSetComputeContext(waiting)
    rxWaitForJob(job)
    mended.touch()
    return job


def resume(job: Any) -> list[Any]:
    """The rest of that job, and all results."""
    from rxspark import rxGetJobResults, rxResumeJob, rxWaitForJob

    again = rxResumeJob(job, only="failed")
    rxWaitForJob(again)
    return list(rxGetJobResults(again))


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="rxspark-bench-"))
