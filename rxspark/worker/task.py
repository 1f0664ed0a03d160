"""The task that this process is running, and the namespace in which a function looks up its globals."""

from __future__ import annotations

import functools
from types import FunctionType, MethodType
from typing import Any

__all__ = ["current_task", "globals_of", "running", "rxRemoteGetId"]

_number: int | None = None


def current_task() -> int | None:
    """The number of the task that this process is running, None outside of tasks."""
    return _number


def running(number: int | None) -> int | None:
    """Say which task this process is running from now on; gives the one that it was running."""
    global _number
    before, _number = _number, number
    return before


def globals_of(function: Any) -> dict[str, Any] | None:
    """The globals in which FUN looks up its names; None for what has none, as a builtin."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, type):
        function = function.__init__  # type: ignore[misc] # the class itself is meant
    elif not isinstance(function, (FunctionType, MethodType)):
        function = vars(type(function)).get("__call__")
    function = getattr(function, "__func__", function)
    return function.__globals__ if isinstance(function, FunctionType) else None


def rxRemoteGetId() -> int:
    """The number of the running task, from 1; -1 outside of rxExec.

    RevoScaleR gives -1 in its local contexts too; here a task has the same number wherever it runs.

    Examples
    --------
    >>> from rxspark import rxExec, rxRemoteGetId
    >>> rxExec(rxRemoteGetId, timesToRun=3), rxRemoteGetId()
    ([1, 2, 3], -1)
    """
    task = current_task()
    return -1 if task is None else task + 1
