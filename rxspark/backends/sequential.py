"""RxLocalSeq: the tasks run one after another in this process, by the same guarded runner as everywhere."""

from __future__ import annotations

import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import monotonic  # by this name, as a task may replace that of the module
from types import FrameType
from typing import Any

from rxspark.backends.base import Work, in_main_thread
from rxspark.data.bundle import Bundle
from rxspark.data.refs import DataRef
from rxspark.data.stores import LocalStore, inline
from rxspark.worker.child_process import end_child
from rxspark.worker.program import forget
from rxspark.worker.results import CallerInterrupt
from rxspark.worker.runner import run_partitions
from rxspark.worker.watch import process_kept

__all__ = ["SequentialBackend", "interrupts_told_apart"]


class SequentialBackend:
    """Runs in the caller's own thread."""

    process_environment: bytes | None = None  # the tasks are in this very process
    same_host = True
    journals: str | None = None
    partitions_per_slot = 100  # the progress bar moves by partitions
    draws_bar = False

    def __init__(self, share_dir: str | None) -> None:
        self._share_dir = share_dir

    def slots(self, tasks: int, options: dict[str, Any]) -> int:
        return 1

    def nodes(self) -> list[str]:
        return [socket.gethostname()]

    def prepare(self, kind: str, modules: Iterable[str]) -> None:
        """Nothing to do: the workers have what this process has."""

    def run(self, work: Work) -> None:
        def deliver(finished: Iterable[bytes]) -> None:
            for packed in finished:
                work.deliver(packed)

        try:
            with LocalStore(self._share_dir) as carrier, interrupts_told_apart(), process_kept():
                call = carrier.call(work.call, work.kept)
                run = partial(run_partitions, call, attempt=work.attempt, descriptors=in_main_thread())
                waiting = deque(zip(work.numbers, work.partitions, strict=True))
                while waiting and not work.cancelled.is_set():
                    try:
                        deliver(run(_for_a_while(waiting, work.cancelled)))
                    except CallerInterrupt as interrupt:
                        deliver(interrupt.finished)
                        raise
        finally:
            forget()
            end_child()

    def cancel(self, work: Work) -> None:
        """Nothing runs in the background: `run` looks at `work.cancelled` between partitions."""

    def thread(self, run: Callable[[], None], name: str) -> threading.Thread | None:
        return None

    def at_the_end(self, end: Callable[[], None]) -> None:
        """Nothing to do: no task outlives the call."""


# Seconds after which partitions that have run are delivered: that, and to make the process ready for tasks once more,
# takes a millisecond.
_A_WHILE = 0.05


def _for_a_while(waiting: deque[tuple[Sequence[int], Bundle]], cancelled: threading.Event) -> Iterator[DataRef]:
    """Take partitions to run before any is delivered: one, and more as long as they are many short tasks."""
    end = monotonic() + _A_WHILE
    while waiting:
        numbers, partition = waiting.popleft()
        yield inline(partition)
        if len(numbers) == 1 or monotonic() > end or cancelled.is_set():
            return


@contextmanager
def interrupts_told_apart() -> Iterator[None]:
    """Let Ctrl-C raise an exception of its own, so that it ends the call; a task may raise KeyboardInterrupt itself."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise CallerInterrupt

    if not in_main_thread() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # the signal goes elsewhere: to another thread, or to a handler that the program has set
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except CallerInterrupt:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)
