"""Listen to Python's audit events by one hook, as each hook stays for good and slows every event."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from rxspark.concurrency import is_own, once

__all__ = ["on_event", "on_thread"]

_listeners: dict[str, tuple[Callable[..., None], ...]] = {}


def on_event(event: str, listener: Callable[..., None]) -> None:
    """Call `listener` with the arguments of each such event, in the thread in which it happens, before it happens.

    What the listener raises is raised by whatever caused the event.
    """
    _listeners[event] = (*_listeners.get(event, ()), listener)
    _install()


@once
def _install() -> None:
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    for listener in _listeners.get(event, ()):
        listener(*arguments)


_thread_listeners: list[Callable[[threading.Thread], None]] = []


def on_thread(listener: Callable[[threading.Thread], None]) -> None:
    """Call `listener` with each thread that is about to start, in the thread that starts it; but for our own ones."""
    _thread_listeners.append(listener)
    _wrap_start()


@once
def _wrap_start() -> None:
    # The audit event for it is new in Python 3.12.
    start = threading.Thread.start

    @wraps(start)
    def start_noted(thread: threading.Thread) -> None:
        if not is_own(thread):
            for listener in _thread_listeners:
                listener(thread)
        start(thread)

    threading.Thread.start = start_noted  # type: ignore[assignment, method-assign]
