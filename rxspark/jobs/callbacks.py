"""Callbacks of users: they may wait for other jobs, so they run where no job waits for them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

__all__ = ["call", "call_apart", "wait_for_callbacks"]

logger = logging.getLogger("rxspark")

_running: set[threading.Thread] = set()


def call(callback: Callable[[], object], job_id: str) -> None:
    """Call, and log what it raises: nobody is there to raise to."""
    try:
        callback()
    except Exception:
        logger.exception("a callback of %s raised", job_id)


def call_apart(callbacks: Sequence[Callable[[], object]], job_id: str) -> None:
    """Call one after another in a thread of their own, which the end of the program waits for."""

    def run() -> None:
        for callback in callbacks:
            call(callback, job_id)
        _running.discard(thread)

    if callbacks:
        thread = threading.Thread(target=run, name=f"callbacks of {job_id}", daemon=False)
        _running.add(thread)
        thread.start()


def wait_for_callbacks(seconds: float) -> None:
    """Wait for callbacks that run, for those that Python itself no longer waits for at the end of a program."""
    until = time.monotonic() + seconds
    for thread in _running.copy() - {threading.current_thread()}:
        thread.join(max(0.0, until - time.monotonic()))
