"""Undo at the end of a task what it has registered for good, and run what it has registered by `atexit`.

A task's program ends with the task, while its process goes on: a worker's is ended by a pool, which calls no such
functions, and in the caller's own process they would be called at the end of his program. What a library registers
for itself stays with the process in which it was loaded.
"""

from __future__ import annotations

import atexit
import codecs
import faulthandler
import sys
import sysconfig
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

from rxspark.concurrency import once
from rxspark.worker.current_task import TASK

__all__ = ["follow_exits", "registered", "run_registered"]

registered: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
"""Functions that the running task has registered, with their arguments."""

_register, _unregister = atexit.register, atexit.unregister
_codec, _later, _handle = codecs.register, faulthandler.dump_traceback_later, faulthandler.register


@once
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def _of_library(frame: FrameType | None) -> bool:
    """Tell whether the code that registers is a library's, rxspark's, or that of a module being imported."""
    if frame is not None:
        name = str(frame.f_globals.get("__name__"))  # rxspark may lie anywhere, also in a zip file
        if name.partition(".")[0] == "rxspark" or frame.f_code.co_filename.startswith(_library_folders()):
            return True
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _at_the_end(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Have a function run at the end of the task whose own code is calling ours; whether there is such a task."""
    task = TASK.get()
    if task is None or task.ended or _of_library(sys._getframe(2)):
        return False
    registered.append((func, args, kwargs))
    task.touched = True
    return True


def _register_in_task(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
    if not _at_the_end(func, args, kwargs):
        _register(func, *args, **kwargs)
    return func


def _register_codec(search_function: Callable[[str], Any], /) -> None:
    _codec(search_function)
    _at_the_end(codecs.unregister, (search_function,), {})


def _dump_later(*args: Any, **kwargs: Any) -> None:
    _later(*args, **kwargs)
    _at_the_end(faulthandler.cancel_dump_traceback_later, (), {})


def _handle_in_task(signum: int, /, *args: Any, **kwargs: Any) -> None:
    _handle(signum, *args, **kwargs)
    _at_the_end(faulthandler.unregister, (signum,), {})


def _unregister_in_task(func: Callable[..., Any], /) -> None:
    registered[:] = [entry for entry in registered if entry[0] != func]
    _unregister(func)


def follow_exits() -> Callable[[], None]:
    """Let tasks register with us; return a function that ends this."""
    before = atexit.register, atexit.unregister
    atexit.register, atexit.unregister = _register_in_task, _unregister_in_task
    codecs.register, faulthandler.dump_traceback_later = _register_codec, _dump_later
    faulthandler.register = _handle_in_task  # type: ignore[assignment]

    def end() -> None:
        atexit.register, atexit.unregister = before
        codecs.register, faulthandler.dump_traceback_later, faulthandler.register = _codec, _later, _handle

    return end


def run_registered(first: int) -> None:
    """Call what a task has registered, from `first` on, the last first; errors are told as at the end of a program."""
    while len(registered) > first:
        func, args, kwargs = registered.pop()
        try:
            func(*args, **kwargs)
        except BaseException:
            traceback.print_exc()
