"""Leave traces in the active compute context, in every way in which a task can end, and look who meets them."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from rxspark import rxElemArg, rxExec, rxGetComputeContext, rxGetJobResults, rxSetComputeContext, rxWaitForJob
from traces.table import TRACES, visit

__all__ = ["WAYS", "seen_afterwards", "seen_by_caller"]

Seen = dict[str, set[str]]


def seen_by_caller(labels: Iterable[str]) -> dict[str, str]:
    """Look in this process."""
    return {label: repr(TRACES[label].look()) for label in labels}


def seen_afterwards(labels: list[str]) -> dict[str, str]:
    """Look in a call of its own."""
    return {label: seen for label, (seen, _) in zip(labels, rxExec(visit, rxElemArg(labels), "look"), strict=True)}


def _twice(labels: list[str]) -> list[str]:
    return [label for label in labels for _ in range(2)]


def _seen(labels: Iterable[str], results: Iterable[Any]) -> Seen:
    """Every task's look, as each looks before it leaves something."""
    seen: Seen = {}
    for label, result in zip(labels, results, strict=True):
        if isinstance(result, tuple):
            seen.setdefault(label, set()).add(result[0])
    return seen


def _by_twos(way: Callable[[list[str]], Seen]) -> Callable[[list[str]], Seen]:
    """Try two in a call: after the first tasks of a call, rxspark looks less often."""

    def tried(labels: list[str]) -> Seen:
        seen: Seen = {}
        for first in range(0, len(labels), 2):
            seen.update(way(labels[first : first + 2]))
        return seen

    return tried


@_by_twos
def _same_chunk(labels: list[str]) -> Seen:
    """Leave, and look in the next task of the same chunk."""
    both = _twice(labels)
    return _seen(both, rxExec(visit, rxElemArg(both), rxElemArg(["leave", "look"] * len(labels)), taskChunkSize=2))


@_by_twos
def _next_chunk(labels: list[str]) -> Seen:
    """Leave, and look in the next chunk, which the same worker runs as a rule."""
    both = _twice(labels)
    return _seen(both, rxExec(visit, rxElemArg(both), rxElemArg(["leave", "look"] * len(labels))))


def _in(ways: Iterable[Callable[[list[str]], Seen]], labels: list[str], **changes: Any) -> Seen:
    before = rxSetComputeContext(rxGetComputeContext(), **changes)
    seen: Seen = {}
    try:
        for way in ways:
            for label, found in way(labels).items():
                seen.setdefault(label, set()).update(found)
    finally:
        rxSetComputeContext(before)
    return seen


@_by_twos
def _not_waiting(labels: list[str]) -> Seen:
    """The same in a call that does not wait."""
    both = _twice(labels)
    before = rxSetComputeContext(rxGetComputeContext(), wait=False)
    try:
        job = rxExec(visit, rxElemArg(both), rxElemArg(["leave", "look"] * len(labels)), taskChunkSize=2)
    finally:
        rxSetComputeContext(before)
    rxWaitForJob(job)
    return _seen(both, rxGetJobResults(job))


def _time_limit(labels: list[str]) -> Seen:
    """The same in child processes."""
    return _in([_same_chunk, _next_chunk], labels, taskTimeLimit=120)


def _after(how: str) -> Callable[[list[str]], Seen]:
    def way(labels: list[str]) -> Seen:
        both = _twice(labels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of failed tasks
            done = rxExec(visit, rxElemArg(both), rxElemArg([how, "look"] * len(labels)), taskChunkSize=2)
        assert [index for index, result in enumerate(done) if not isinstance(result, tuple)] == list(
            range(0, len(both), 2)
        )
        return _seen(both, done)

    return _by_twos(way)


def _interrupted(labels: list[str]) -> Seen:
    """Ctrl-C in the middle of a task that has left something; then a call."""
    seen = {}
    for label in labels:
        with tempfile.NamedTemporaryFile() as told:
            thread = threading.Thread(target=_interrupt, args=[told.name], name="interrupts", daemon=True)
            thread.start()
            with suppress(KeyboardInterrupt):
                rxExec(visit, label, rxElemArg(["wait", "look"]), told.name)
                for _ in range(40):  # the signal may come behind the call that heeds none
                    time.sleep(0.05)
                    if not thread.is_alive():
                        break
            thread.join()
        seen[label] = {seen_afterwards([label])[label]}
    return seen


def _interrupt(told: str) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and not os.path.getsize(told):
        time.sleep(0.01)
    time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


WAYS: dict[str, Callable[[list[str]], Seen]] = {
    "same chunk": _same_chunk,
    "next chunk": _next_chunk,
    "not waiting": _not_waiting,
    "time limit": _time_limit,
    "raised": _after("raise"),
    "interrupted": _interrupted,
    "lost": _after("die"),
}
