"""Tests of this folder start a Spark session."""

from __future__ import annotations

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark them."""
    item.add_marker("spark")
