"""Waiting of tests: for a condition, with a deadline and a word on what did not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_INTERVAL_S = 0.02  # between two looks


def wait_until(condition: Callable[[], T], what: str, timeout: float = 60) -> T:
    """Value of `condition` as soon as it counts as true.

    Raises TimeoutError, which tells `what` was waited for, after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} seconds for this: {what}")
        time.sleep(_INTERVAL_S)
    return value


def stays_true(condition: Callable[[], object], what: str, seconds: float) -> None:
    """Look for some seconds; raises AssertionError with `what` as soon as `condition` does not count as true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            raise AssertionError(what)
        time.sleep(_INTERVAL_S)


def let_pass(seconds: float, why: str) -> None:
    """Let time pass where there is nothing to look at, for a stated reason."""
    assert why
    time.sleep(seconds)
