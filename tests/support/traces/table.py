"""The table of what tasks leave behind, and the task that leaves it or looks for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["METHODS", "TRACES", "Trace", "add", "name_of", "nothing", "visit"]


@dataclass(frozen=True)
class Trace:
    """Something that a task leaves in its process."""

    setting: str
    """The name of the setting in rxspark's table by which it is put back."""
    look: Callable[[], Any]
    leave: Callable[[], Any]
    alone: bool = False
    """Threads of the same process meet it while the task runs, and a call that Ctrl-C ends before the task breaks."""
    ends: bool = False
    """It cannot be put back: the worker ends."""


TRACES: dict[str, Trace] = {}

METHODS = (
    "methods of classes of asyncio, http.client, json, logging, pandas, pathlib, random, requests, socket, "
    "socketserver, string, subprocess, threading, tqdm, unittest, yaml"
)
"""The name of a setting with traces in all files."""


def add(setting: str, label: str, look: Callable[[], Any], leave: Callable[[], Any], **kind: bool) -> None:
    """Add a line to the table."""
    assert label not in TRACES, label
    TRACES[label] = Trace(setting, look, leave, **kind)


def nothing(*_: Any, **__: Any) -> None:
    """Stand in for a function."""


def name_of(value: Any) -> str:
    """Name a function or class."""
    return str(getattr(value, "__name__", value))


class LeftError(Exception):
    """A task that has left something raises it."""


# By these names, as a task may replace those of the modules.
_sleep, _open, _write, _stat, _exit, _pid, _repr = time.sleep, os.open, os.write, os.fstat, os._exit, os.getpid, repr

_NO_TRACE = Trace("", nothing, nothing)


def visit(label: str | None, how: str, told: str | None = None) -> tuple[str, int]:
    """See what is there and `leave` something, or only `look`; gives what was seen, and the process.

    After leaving it the task may `raise`, `die`, or `wait` until it is interrupted, once it has `told` so in a file; a
    thread, which cannot be interrupted, waits until that file is removed.
    Without a label it comes to the same end, but leaves nothing.
    """
    trace = _NO_TRACE if label is None else TRACES[label]
    file = _open(told, os.O_WRONLY) if told is not None else None
    seen = _repr(trace.look())
    if how != "look":
        trace.leave()
    if how == "raise":
        raise LeftError(seen)
    if how == "die":
        _exit(3)
    if how == "wait" and file is not None:
        _write(file, b"left")
        for _ in range(60):
            if _stat(file).st_nlink:
                _sleep(0.05)
    return seen, _pid()
