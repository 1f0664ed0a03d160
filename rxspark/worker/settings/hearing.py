"""Hear of changes by Python's own audit events, by whatever name a task called the functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rxspark.concurrency import once
from rxspark.worker.audit import on_event

__all__ = ["NATIVE", "PROC", "heard", "hooks", "listen"]

NATIVE = "ctypes"
"""Stands for all events by which ctypes tells that compiled code was looked up: it may have changed anything."""

PROC = "open /proc"
"""Stands for the opening of a file of `/proc`, by which a process can change itself."""

_NATIVE_EVENTS = ("ctypes.dlopen", "ctypes.dlsym", "ctypes.dlsym/handle", "ctypes.call_function")

heard: set[str] = set()
"""The events since this was last cleared."""

_hooks = 0


def hooks() -> int:
    """Number of audit hooks that others have added."""
    return _hooks


def _open(path: Any, *_: Any) -> None:
    if isinstance(path, str) and path.startswith("/proc/"):
        heard.add(PROC)


def _hook(*_: Any) -> None:
    global _hooks
    _hooks += 1
    heard.add("sys.addaudithook")


def _native(*_: Any) -> None:
    heard.add(NATIVE)


@once
def listen(events: frozenset[str], is_other: Callable[[str, tuple[Any, ...]], bool]) -> None:
    """Begin to hear of these events, once a process; but not of those that are others', by name and arguments."""

    def tell(event: str, *arguments: Any) -> None:
        if not is_other(event, arguments):
            heard.add(event)

    on_event("open", _open)
    on_event("sys.addaudithook", _hook)
    for event in _NATIVE_EVENTS:
        on_event(event, _native)
    for event in events - {NATIVE, PROC, "sys.addaudithook"}:
        on_event(event, partial(tell, event))
