"""What all tests share: a Spark that stays on this machine, and a compute context that no test leaves behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from rxspark import rxGetComputeContext, rxSetComputeContext


def pytest_configure(config: pytest.Config) -> None:
    """Set what the JVM reads from its environment: it is started once a process, by whichever test comes first."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


@pytest.fixture(autouse=True)
def _context_restored() -> Iterator[None]:
    """No test sees the compute context that another one has set."""
    before = rxGetComputeContext()
    yield
    rxSetComputeContext(before)
