"""Leave traces in the active compute context, in every way in which a task can end, and look who meets them."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from waiting import let_pass, wait_until

from rxspark import (
    RxResults,
    rxElemArg,
    rxExec,
    rxGetComputeContext,
    rxGetJobResults,
    rxSetComputeContext,
    rxWaitForJob,
)
from traces.table import TRACES, visit

__all__ = ["WAYS", "Way", "seen_afterwards", "seen_by_caller"]

Seen = dict[str, set[str]]

_kill, _pid = os.kill, os.getpid  # by these names, as a task may replace those of the module


def seen_by_caller(labels: Iterable[str]) -> dict[str, str]:
    """Look in this process."""
    return {label: repr(TRACES[label].look()) for label in labels}


def seen_afterwards(labels: list[str]) -> dict[str, str]:
    """Look in a call of its own."""
    return {label: seen for label, (seen, _) in zip(labels, rxExec(visit, rxElemArg(labels), "look"), strict=True)}


@dataclass(frozen=True)
class Way:
    """A way in which tasks that have left something come to their end, while others look.

    Two are tried in a call, as after the first tasks of a call rxspark looks less often.
    """

    ending: str = "leave"
    """End of a task that has left something; see `visit`."""
    in_chunks: bool = True
    """Whether those who look are in the same chunk; else in the next one, which the same worker runs as a rule."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the compute context."""

    def seen(self, labels: Sequence[str]) -> Seen:
        """Return what tasks see behind those that leave something."""
        found: Seen = {}
        for first in range(0, len(labels), 2):
            found |= self._run([([label], [label]) for label in labels[first : first + 2]])
        return found

    def undisturbed(self, labels: Sequence[str]) -> Seen:
        """Return what tasks see in processes and threads of the same kind, where nothing was left."""
        return self._run([([None], labels)])

    def _run(self, chunks: Sequence[tuple[Sequence[str | None], Sequence[str]]]) -> Seen:
        """Run chunks in which some tasks leave something, then others look."""
        tasks: list[tuple[str | None, str]] = []
        for leaving, looking in chunks:
            tasks += [*((label, self.ending) for label in leaving), *((label, "look") for label in looking)]
        labels, hows = zip(*tasks, strict=True)
        before = rxSetComputeContext(rxGetComputeContext(), **self.changes)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of failed tasks
                chunk = len(tasks) // len(chunks) if self.in_chunks else None
                called: RxResults[tuple[str, int]]
                called = job = rxExec(visit, rxElemArg(labels), rxElemArg(hows), taskChunkSize=chunk)
                if self.changes.get("wait", True) is False:
                    rxWaitForJob(job)
                    called = rxGetJobResults(job)
        finally:
            rxSetComputeContext(before)
        return self._looks(tasks, called)

    def _looks(self, tasks: Sequence[tuple[str | None, str]], results: Sequence[Any]) -> Seen:
        """Return what each task saw, as each looks before it leaves something; check that they ended as they should."""
        seen: Seen = {}
        for (label, how), result in zip(tasks, results, strict=True):
            assert isinstance(result, tuple) == (how in ("look", "leave")), (label, how, result)
            if label is not None and isinstance(result, tuple):
                seen.setdefault(label, set()).add(result[0])
        return seen


class _Lost(Way):
    """All that leave something die, one after another, before others look: a new process takes most of a second."""

    def seen(self, labels: Sequence[str]) -> Seen:
        return self._run([(labels, labels)])


class _Interrupted(Way):
    """Ctrl-C in the middle of a task that has left something; then a call."""

    def seen(self, labels: Sequence[str]) -> Seen:
        found = {}
        for label in labels:
            _interrupt_a_task(label)
            found[label] = {seen_afterwards([label])[label]}
        return found

    def undisturbed(self, labels: Sequence[str]) -> Seen:
        return {label: {seen} for label, seen in seen_afterwards(list(labels)).items()}


def _interrupt_a_task(label: str) -> None:
    before = set(threading.enumerate())
    with tempfile.NamedTemporaryFile() as told:
        thread = threading.Thread(target=_interrupt, args=[told.name], name="interrupts", daemon=True)
        thread.start()
        with suppress(KeyboardInterrupt):
            rxExec(visit, label, rxElemArg(["wait", "look"]), told.name)
            thread.join(2)  # the signal may come behind the call that heeds none
        thread.join()
    with suppress(TimeoutError):  # a thread that outlives the call is none of joblib's, which runs tasks
        wait_until(lambda: before.issuperset(threading.enumerate()), "its task has ended", 2)


def _interrupt(told: str) -> None:
    with suppress(TimeoutError):
        wait_until(lambda: os.path.getsize(told), "the task has left something", 20)
    let_pass(0.02, "the task waits")
    _kill(_pid(), signal.SIGINT)


WAYS: dict[str, Way] = {
    "same chunk": Way(),
    "next chunk": Way(in_chunks=False),
    "not waiting": Way(changes={"wait": False}),
    "time limit": Way(changes={"taskTimeLimit": 120}),
    "time limit, next chunk": Way(in_chunks=False, changes={"taskTimeLimit": 120}),
    "raised": Way("raise"),
    "interrupted": _Interrupted("wait"),
    "lost": _Lost("die"),
}
