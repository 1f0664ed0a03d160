"""A job: the one owner of everything that a call starts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from rxspark.backends.base import Backend, Work
from rxspark.errors import RxError, RxLostTaskError, RxTaskError
from rxspark.progress import Progress
from rxspark.worker.envelope import Envelopes, Failure

__all__ = ["Job"]

# Attempts in a row that bring nothing, after which what is missing is given up. In the first attempt a worker's death
# costs what its partition had not delivered; from the second on each task is guarded on its own, so that it costs the
# guilty one alone; the third is for the death of whole machines.
_ATTEMPTS = 3


@dataclass
class Job:
    """Runs the partitions of one call on a backend until each task has its envelope.

    Attributes
    ----------
    envelopes : list of Envelopes
        What has come back.
    """

    backend: Backend
    work: Work
    tasks: int
    stop_on_error: bool
    relay_output: bool

    def __post_init__(self) -> None:
        self.envelopes: list[Envelopes] = []
        self._lock = threading.Lock()
        self._answered: set[int] = set()
        self._problem: RxError | None = None
        self._stopped = False
        self.work.deliver = self._take

    def run(self) -> None:
        """Run all tasks to their end.

        Raises
        ------
        RxError
            What kept the tasks from running at all, or, with `stop_on_error`, the first task's error.
        KeyboardInterrupt
            After what was running has been ended.
        """
        try:
            with Progress(self.tasks, self.work.description) as self._progress:
                self._run_rounds()
        except BaseException:
            self._cancel()
            raise
        if self._problem is not None:
            raise self._problem
        if self._stopped:
            raise self._first_error()

    def _run_rounds(self) -> None:
        attempts = 0
        while self.work.partitions and attempts < _ATTEMPTS:
            self.work.attempt = attempts
            self.backend.run(self.work)
            if self.work.cancelled.is_set():
                return
            before = len(self.work.partitions)
            self._keep_missing()
            attempts = attempts + 1 if len(self.work.partitions) == before else 1
        for numbers in self.work.numbers:
            self._give_up(numbers)

    def _keep_missing(self) -> None:
        """Leave in `work` the partitions that have not been delivered."""
        both = zip(self.work.numbers, self.work.partitions, strict=True)
        missing = [(numbers, packed) for numbers, packed in both if numbers.start not in self._answered]
        self.work.numbers = [numbers for numbers, _ in missing]
        self.work.partitions = [packed for _, packed in missing]

    def _take(self, packed: bytes) -> None:
        """Take in the envelopes of one partition; on any thread, also that on which Spark delivers."""
        part = Envelopes.unpack(packed)
        with self._lock:
            if part.numbers and part.numbers[0] in self._answered:  # a second copy of an attempt that was given up
                return
            self._answered.update(part.numbers[:1])
            self.envelopes.append(part)
            self._problem = self._problem or part.problem
            self._stopped = self._stopped or (self.stop_on_error and bool(part.failures))
            stop = self._problem is not None or self._stopped
        if self.relay_output:
            _relay(part)
        self._progress.add(len(part.numbers))
        if stop and not self.work.cancelled.is_set():
            self._cancel()

    def _cancel(self) -> None:
        self.work.cancelled.set()
        self.backend.cancel(self.work)

    def _give_up(self, numbers: range) -> None:
        """Answer for tasks whose workers died each time, with an error of its own type."""
        part = Envelopes("", 0, _ATTEMPTS)
        told = f"no answer came in {_ATTEMPTS} attempts; the last one ended with: {self.work.trouble}"
        for number in numbers:
            part.add(number, None, 0.0, 0.0)
            part.failures[number] = Failure("WorkerDied", told, "", error=RxLostTaskError)
        self._take(part.pack())

    def _first_error(self) -> RxTaskError:
        number, failure, host = min(
            ((number, failure, part.host) for part in self.envelopes for number, failure in part.failures.items()),
            key=lambda found: found[0],
        )
        return failure.to_error(number, host)


def _relay(part: Envelopes) -> None:
    """Show the console output of a partition's tasks, each line behind the number of its task."""
    write: Callable[[str], int] = sys.stdout.write
    for number, text in part.output.items():
        for line in text.splitlines():
            write(f"[task {number}] {line}\n")
    if part.output:
        sys.stdout.flush()
