"""Traces of a task are undone late in a call too, where short tasks are followed by the quickest look alone."""

from __future__ import annotations

import atexit
import logging
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rxspark import rxElemArg, rxExec, rxGetOption, rxOptions, setMKLthreads

# So many tasks that those which leave something come behind the first hundred, which are all looked at closely.
COUNT, LATE = 330, (151, 152, 271)


def _state() -> list[Any]:
    """State that a task can see of what others may have left; reading it takes some microseconds."""
    root = logging.getLogger()
    return [
        os.environ.get("RX_LATE"),
        type(os.environ).__name__,
        "late" in sys.path,
        len(warnings.filters),
        rxGetOption("consoleLimit"),
        type(sys.stdout).__name__,
        sys.stderr is None,
        len(root.handlers),
        root.level,
    ]


LEAVE: dict[str, Callable[[], Any]] = {
    "variable": lambda: os.environ.update(RX_LATE="1"),
    "environment": lambda: setattr(os, "environ", {}),
    "path": lambda: sys.path.append("late"),
    "path, the list": lambda: setattr(sys, "path", [*sys.path, "late"]),
    "filters": lambda: warnings.simplefilter("error"),
    "option": lambda: rxOptions(consoleLimit=7),
    "stdout": lambda: setattr(sys, "stdout", None),
    "stderr": lambda: setattr(sys, "stderr", None),
    "handler": lambda: logging.getLogger().addHandler(logging.NullHandler()),
    "level": lambda: logging.getLogger().setLevel(1),
}


@pytest.mark.parametrize("leave", LEAVE)
def test_no_later_task_meets_what_one_left(leave: str) -> None:
    """Each task of a long chunk begins in the same state."""

    def task(i: int, late: tuple[int, ...], do: Callable[[], Any]) -> list[Any]:
        before = _state()
        if i in late:
            do()
        return before

    results = rxExec(task, rxElemArg(range(COUNT)), late=LATE, do=LEAVE[leave], taskChunkSize=COUNT)
    assert not results.errors
    assert list(results) == [results[0]] * COUNT


SAY: dict[str, tuple[Callable[[], Any], str]] = {
    "a line": (lambda: print("late"), "late\n"),
    "no whole line": (lambda: print("late", end=""), "late"),
    "to stderr": (lambda: print("late", file=sys.stderr), "late\n"),
    "by the descriptor": (lambda: os.write(1, b"late"), "late"),
    "by the stream's descriptor": (lambda: os.write(sys.stdout.fileno(), b"late"), "late"),
    "a log record": (lambda: logging.getLogger().warning("late"), "WARNING:root:late\n"),
    "by a thread": (lambda: _in_thread(lambda: print("late")), "late\n"),
    "at exit": (lambda: atexit.register(print, "late"), "late\n"),
}


def _in_thread(run: Callable[[], Any]) -> None:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@pytest.mark.parametrize("say", SAY)
def test_late_text_belongs_to_its_task(say: str, where: str) -> None:
    """Text that a task writes is in its own output and in no other one's."""
    do, text = SAY[say]
    if say == "by the descriptor" and where == "dopar-threading":
        do = SAY["by the stream's descriptor"][0]  # the descriptors are the process's there

    def task(i: int, late: tuple[int, ...], do: Callable[[], Any]) -> None:
        if i in late:
            do()

    results = rxExec(task, rxElemArg(range(COUNT)), late=LATE, do=do, taskChunkSize=COUNT)
    assert dict(results.output) == dict.fromkeys(LATE, text)


def test_a_late_warning_is_shown_for_every_task() -> None:
    """Python shows a warning of one line once a process; here each task shows it."""

    def task(i: int, late: tuple[int, ...]) -> None:
        if i in late:
            warnings.warn("late", stacklevel=1)

    results = rxExec(task, rxElemArg(range(COUNT)), late=LATE, taskChunkSize=COUNT)
    assert sorted(results.output) == list(LATE)


def test_late_seeds_and_threads_end_with_their_task() -> None:
    """A task that seeds generators, or sets threads, leaves the next one's as they would have been."""

    def task(i: int, late: tuple[int, ...]) -> tuple[int, float, float]:
        before = setMKLthreads(1) if i - 1 in late else 1
        if i in late:
            np.random.seed(1)
            random.seed(1)
            setMKLthreads(2)
        return before, 0.0 if i in late else np.random.uniform(), 0.0 if i in late else random.random()

    some = rxExec(task, rxElemArg(range(COUNT)), late=LATE, taskChunkSize=COUNT, RNGseed=1)
    none = rxExec(task, rxElemArg(range(COUNT)), late=(), taskChunkSize=COUNT, RNGseed=1)
    assert not some.errors
    assert [before for before, *_ in some] == [1] * COUNT
    expected = [numbers for _, *numbers in none]
    for place in range(LATE[0]):
        assert list(some[place][1:]) == expected[place]
    drawn = [numbers for i, (_, *numbers) in enumerate(some) if i not in LATE]
    assert drawn == expected[: len(drawn)]
