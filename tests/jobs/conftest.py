"""Fixtures of the tests of jobs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rxspark import RxLocalSeq, rxCleanupJobs, rxElemArg, rxExec, rxGetJobs


@pytest.fixture(autouse=True)
def _no_jobs_left() -> Iterator[None]:
    """No test sees the jobs of another one."""
    yield
    with RxLocalSeq():
        rxCleanupJobs(rxGetJobs(), force=True)


@pytest.fixture
def context(tmp_path):
    """A context with a share folder that keeps its jobs."""
    with RxLocalSeq(wait=False, shareDir=str(tmp_path), autoCleanup=False) as made:
        yield made


@pytest.fixture
def job(context):
    """A finished job of four tasks."""
    made = rxExec(lambda i: i * i, rxElemArg(range(4)), taskChunkSize=1)
    assert made.wait(60) == "finished"
    return made
