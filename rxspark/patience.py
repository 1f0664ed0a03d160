"""Waiting no longer than is sensible for what may not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["within"]

Answer = TypeVar("Answer")


def within(seconds: float, act: Callable[[], Answer], what: str) -> Answer:
    """What `act` returns; TimeoutError, which tells `what` it was to do, when it takes longer.

    It runs in a thread of its own, and goes on there by itself then. Ctrl-C is heard meanwhile, also where `act` is
    native code.

    >>> within(60, lambda: 6 * 7, "multiply")
    42
    """
    outcome: list[Answer | Exception] = []

    def run() -> None:
        try:
            outcome.append(act())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name=f"rxspark: {what}", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError(f"timed out: to {what} took more than {seconds:g} seconds")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]
