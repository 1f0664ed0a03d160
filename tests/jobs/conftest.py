"""Fixtures of the tests of jobs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rxspark import RxLocalSeq, rxCleanupJobs, rxGetJobs


@pytest.fixture(autouse=True)
def _no_jobs_left() -> Iterator[None]:
    """No test sees the jobs of another one."""
    yield
    with RxLocalSeq():
        rxCleanupJobs(rxGetJobs(), force=True)
