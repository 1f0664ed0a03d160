"""Tests of this folder have several hosts: a real Hadoop, by the fixtures `cluster` and `hdfs_root`, or Spark's own."""

from __future__ import annotations

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark them by what they start."""
    assert isinstance(item, pytest.Function)
    item.add_marker("hadoop" if "cluster" in item.fixturenames else "spark")
