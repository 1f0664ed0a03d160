"""The task to which the running code belongs, and the namespace in which a function looks up its globals.

"Inside a task" is a matter of the thread and its context: the thread that runs FUN is inside, and so are the threads
that a task starts; the other threads of the program are not.
"""

from __future__ import annotations

import functools
import threading
from contextvars import ContextVar, copy_context
from types import FunctionType, MethodType
from typing import Any

from rxspark.concurrency import once
from rxspark.rng.active import thread_starts
from rxspark.worker.audit import on_thread
from rxspark.worker.capture import Capture

__all__ = ["TASK", "Task", "current_task", "follow_threads", "globals_of", "rxRemoteGetId"]


class Task:
    """One task while it runs; `ended` tells threads that it has left behind that they belong to no task any more."""

    __slots__ = ("at_terminal", "capture", "ended", "number", "threads", "touched", "turn", "warned")

    def __init__(self, number: int, capture: Capture) -> None:
        self.number = number
        self.capture = capture
        self.ended = False
        self.touched = False  # it has done something that its end must take in or undo
        self.warned = False  # it has shown a warning
        self.at_terminal = False  # it talks with the user: what it writes is shown at once
        self.threads: list[threading.Thread] = []
        self.turn = threading.RLock()  # calls inside the task, by whichever of its threads, take turns


TASK: ContextVar[Task | None] = ContextVar("rxspark_task", default=None)


def current_task() -> int | None:
    """The number of the task to which the running code belongs, None outside of tasks."""
    task = TASK.get()
    return None if task is None else task.number


@once
def follow_threads() -> None:
    """Have each thread that a task starts run in a copy of the task's context, so that it belongs to the task."""
    on_thread(_thread_starts)


def _thread_starts(thread: threading.Thread) -> None:
    task = TASK.get()
    if task is None or task.ended:
        return
    begin = thread_starts()
    task.threads.append(thread)
    task.touched = True
    context, run = copy_context(), thread.run

    def run_in_task() -> None:
        del thread.run  # so that the thread does not hold itself
        context.run(begin)
        context.run(run)

    thread.run = run_in_task  # type: ignore[method-assign]


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

    Returns
    -------
    int
        1 for the first task of the call.

    Examples
    --------
    >>> from rxspark import rxExec, rxRemoteGetId
    >>> rxExec(rxRemoteGetId, timesToRun=3), rxRemoteGetId()
    ([1, 2, 3], -1)
    """
    task = current_task()
    return -1 if task is None else task + 1
