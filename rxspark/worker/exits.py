"""Run the functions that a task registers by `atexit` at the end of the task.

A task's program ends with the task, while its process goes on: a worker's is ended by a pool, which calls no such
functions, and in the caller's own process they would be called at the end of his program. What a library registers
for itself stays with the process in which it was loaded.
"""

from __future__ import annotations

import atexit
import sys
import sysconfig
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

from rxspark.once import once
from rxspark.worker.current_task import TASK

__all__ = ["follow_exits", "registered", "run_registered"]

registered: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
"""Functions that the running task has registered, with their arguments."""

_register, _unregister = atexit.register, atexit.unregister


@once
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def _of_library(frame: FrameType | None) -> bool:
    """Whether the code that registers is a library's, or that of a module which is just being imported."""
    if frame is not None and frame.f_code.co_filename.startswith(_library_folders()):
        return True
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _register_in_task(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
    task = TASK.get()
    if task is None or task.ended or _of_library(sys._getframe(1)):
        _register(func, *args, **kwargs)
    else:
        registered.append((func, args, kwargs))
        task.touched = True
    return func


def _unregister_in_task(func: Callable[..., Any], /) -> None:
    registered[:] = [entry for entry in registered if entry[0] != func]
    _unregister(func)


def follow_exits() -> Callable[[], None]:
    """Let tasks register with us; gives a function that ends this."""
    before = atexit.register, atexit.unregister
    atexit.register, atexit.unregister = _register_in_task, _unregister_in_task

    def end() -> None:
        atexit.register, atexit.unregister = before

    return end


def run_registered() -> None:
    """Call what the task has registered, the last first; errors are told as at the end of a program."""
    while registered:
        func, args, kwargs = registered.pop()
        try:
            func(*args, **kwargs)
        except BaseException:
            traceback.print_exc()
