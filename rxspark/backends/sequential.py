"""RxLocalSeq: the tasks run one after another in this process, by the same guarded runner as everywhere."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rxspark.backends.base import Attempt, LocalEnvironment, Outcome, in_main_thread
from rxspark.data.refs import DataRef
from rxspark.data.stores import LocalStore, inline
from rxspark.serialize.payload import PartitionPayload
from rxspark.worker.child_process import end_child
from rxspark.worker.delivery import ResultMessage, ResultSink
from rxspark.worker.program import forget
from rxspark.worker.results import CallerInterrupt
from rxspark.worker.runner import PartitionRunner
from rxspark.worker.watch import process_kept

__all__ = ["SequentialBackend", "interrupts_told_apart"]


class SequentialBackend(LocalEnvironment):
    """Runs in the caller's own thread."""

    partitions_per_slot = 50  # the progress bar moves by partitions, each of which costs some 50 us

    def __init__(self, share_dir: str | None) -> None:
        self._share_dir = share_dir

    def slots(self, tasks: int, options: Mapping[str, Any]) -> int:
        return 1

    def run(self, attempt: Attempt) -> Outcome:
        def deliver(finished: Iterable[ResultMessage]) -> None:
            for message in finished:
                attempt.deliver(message)

        try:
            with LocalStore(self._share_dir) as store, interrupts_told_apart(), process_kept():
                run = PartitionRunner(
                    program=store.put(attempt.program, attempt.stored_program),
                    sink=ResultSink(by_file=False),
                    attempt=attempt.number,
                    owns_descriptors=in_main_thread(),
                )
                waiting = deque(attempt.partitions)
                while waiting and not attempt.cancelled.is_set():
                    try:
                        deliver(run.run_many(_taken(waiting, attempt.cancelled)))
                    except CallerInterrupt as interrupt:
                        deliver(interrupt.finished)
                        raise
            return Outcome()
        finally:
            forget()
            end_child(attempt.call_id)  # calls of other threads may have one too

    def cancel(self, attempt: Attempt) -> None:
        """Do nothing: `run` looks at `attempt.cancelled` between partitions."""

    def at_exit(self, end: Callable[[], None]) -> None:
        """Do nothing: no task outlives the call."""


def _taken(waiting: deque[PartitionPayload], cancelled: threading.Event) -> Iterator[DataRef]:
    """Take the partitions to run, one by one, as long as the call is not cancelled: the first one in any case."""
    while waiting:
        _, data = waiting.popleft()
        yield inline(data)
        if cancelled.is_set():
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
