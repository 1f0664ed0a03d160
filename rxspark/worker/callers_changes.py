"""Changes that other threads of the program make while tasks run in its process: they stay, and are no task's.

Python's audit events tell of changes of environment and working folder in the thread that makes them. So whatever is
kept, to be put back after tasks, learns of those that come from outside of tasks. A thread that a task has left behind
is no thread of the program.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rxspark.worker.current_task import TASK
from rxspark.worker.settings.interpreter import ENVIRONMENT
from rxspark.worker.settings.setting import Setting
from rxspark.worker.settings.system import FOLDER

__all__ = ["is_callers_change", "with_callers_changes"]

_kept: list[dict[Setting, Any]] = []


@contextmanager
def with_callers_changes(*kept: dict[Setting, Any]) -> Iterator[None]:
    """Enter the caller's changes in these values, which are to be put back in his own process."""
    _kept.extend(kept)
    try:
        yield
    finally:
        for mine in kept:
            del _kept[next(index for index, values in enumerate(_kept) if values is mine)]


def is_callers_change(event: str, arguments: tuple[Any, ...]) -> bool:
    """Tell whether this thread is the program's own, outside of tasks; if so enter its change in what is kept."""
    if not _kept or TASK.get() is not None:
        return False
    if event in ("os.putenv", "os.unsetenv"):
        name, *value = arguments
        for values in _kept:
            rest = {known: found for known, found in values[ENVIRONMENT].items() if known != name}
            values[ENVIRONMENT] = rest | ({name: value[0]} if value else {})
        return True
    if event == "os.chdir" and not isinstance(arguments[0], int):
        folder = os.path.realpath(os.fsdecode(arguments[0]))
        if os.path.isdir(folder):  # else it stays where it is
            for values in _kept:
                values[FOLDER] = folder
        return True
    return False
