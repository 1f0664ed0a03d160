"""Attempts at the partitions of a call: what was lost runs again, until each task has a result or is given up."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rxspark.backends.base import Attempt, Backend, no_more
from rxspark.backends.engine_errors import translate_errors
from rxspark.data.bundle import Bundle
from rxspark.data.local_files import remove_journals
from rxspark.errors import RxCombineError, RxContextError, RxError, RxLostTaskError
from rxspark.jobs.combining import SiblingCombiner, combiner_of, readable
from rxspark.jobs.gathering import first_error
from rxspark.jobs.record import JobRecord
from rxspark.serialize.payload import PartitionPayload, Payload
from rxspark.worker.combining import AnyPartitionResult, CombinedResult, going_home
from rxspark.worker.delivery import ResultMessage
from rxspark.worker.journal import PartitionJournal, journal_path, messages_on_record
from rxspark.worker.results import PartitionResult, TaskFailure
from rxspark.worker.tree import Branches

__all__ = ["Attempts"]

# Seconds that a window of elements may take to be read before those that are there are run.
_GATHER_S = 0.05

# Attempts in a row that bring nothing, after which what is missing is given up. In the first attempt a worker's death
# costs what its partition had not delivered; from the second on each task is guarded on its own, so that it costs the
# guilty one alone; the third is for the death of whole machines.
_ATTEMPTS = 3


class Attempts:
    """Runs the partitions of one call on a backend, and takes in their results.

    Parameters
    ----------
    record : JobRecord
        The job that the call belongs to.
    payload : Payload
        What is to run.
    backend : Backend
        Where it runs.
    foreach_options : mapping
        Arguments of the call for joblib.
    on_result : callable
        Called with each result that is new, on whatever thread brings it.

    Attributes
    ----------
    results : list of PartitionResult
        What has come back, and was not handed out.
    handed_out : int
        Tasks whose results are kept no longer.
    """

    def __init__(
        self,
        record: JobRecord,
        payload: Payload,
        backend: Backend,
        foreach_options: Mapping[str, Any],
        on_result: Callable[[AnyPartitionResult], None],
    ) -> None:
        self.results: list[AnyPartitionResult] = []
        self.handed_out = 0
        self._record = record
        self._payload = replace(payload, partitions=())
        self._missing = _by_first(payload.partitions)
        self._backend = backend
        self._foreach_options = foreach_options
        self._on_result = on_result
        self._attempt: Attempt | None = None
        self._lost_reason = ""
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._answers = 0
        self._siblings = None if record.combine is None else SiblingCombiner(combiner_of(record))
        self._problem: RxError | None = None
        self._stopped = False

    def so_far(self, after: int = 0) -> list[AnyPartitionResult]:
        """Return what has come back, but for the first `after` of it, as it is now."""
        with self._lock:
            found = self.results[after:]
            return [part.snapshot() if isinstance(part, CombinedResult) else part for part in found]

    @property
    def complete(self) -> bool:
        """Tell whether each task has a result."""
        return not self._missing and not self._more_to_come and self._feed_error is None

    @property
    def _more_to_come(self) -> bool:
        return self._payload.feed is not None and not self._payload.feed.exhausted

    @property
    def _feed_error(self) -> RxError | None:
        return None if self._payload.feed is None else self._payload.feed.error

    def run(self) -> None:
        """Run what is missing, until each task has a result or `cancel` is called.

        Raises
        ------
        RxError
            What kept the tasks from running at all, or, with `stop_on_error`, the first task's error.
        """
        while (self._missing or self._more_to_come) and not self._cancelled.is_set():
            if not self._missing:
                self._wait_for_more()
            self._run_missing()
            if not self._cancelled.is_set():
                for numbers, _ in tuple(self._missing.values()):
                    self._give_up(numbers)
        problem = self._problem or (None if self._stopped else self._feed_error)
        if problem is not None:
            raise problem
        if self._stopped:
            raise first_error(self.results)

    def _run_missing(self) -> None:
        """Run what is missing, as often as it takes or is worth it."""
        fruitless = 0
        while self._missing and fruitless < _ATTEMPTS and not self._cancelled.is_set():
            before = self._answers
            self._attempt = self._next_attempt(fruitless)
            with translate_errors(self._record.context):
                outcome = self._backend.run(self._attempt)
            if self._missing:
                self._take_from_batches()
            self._lost_reason = outcome.lost_reason or self._lost_reason
            if self._answers == before:
                fruitless += 1
            elif not outcome.result_limit_hit:
                fruitless = 1

    def _wait_for_more(self) -> None:
        """Wait until the feed has a window of partitions, or has some and no more at once."""
        feed = self._payload.feed
        while feed is not None and not (self._missing or feed.exhausted or self._cancelled.is_set()):
            self._missing |= _by_first(feed.take(feed.window, _GATHER_S))

    def _more(self, timeout: float) -> Sequence[PartitionPayload] | None:
        """Return partitions to run beside those that run; None when no more will come."""
        feed = self._payload.feed
        if feed is None or feed.exhausted:
            return None
        taken = feed.take(feed.window // 2, timeout)
        with self._lock:
            self._missing |= _by_first(taken)
        return taken

    def hand_out(self) -> PartitionResult | None:
        """Return the results of a partition and keep them no longer; None when there are none."""
        with self._lock:
            part = self.results.pop(0) if self.results else None
            assert not isinstance(part, CombinedResult)  # of which nobody gets single values
            self.handed_out += 0 if part is None else len(part.numbers)
        return part

    def take_back(self, part: PartitionResult) -> None:
        """Keep results again that were handed out and not used."""
        with self._lock:
            self.results.insert(0, part)
            self.handed_out -= len(part.numbers)

    def close_feed(self) -> None:
        """Read no more elements."""
        if self._payload.feed is not None:
            self._payload.feed.close()

    def cancel(self) -> None:
        """End what runs, and begin no other attempt."""
        self._cancelled.set()
        if self._payload.feed is not None:
            self._payload.feed.stop()
        if self._attempt is not None:
            self._backend.cancel(self._attempt)

    def take_from_journals(self) -> None:
        """After an early end: take in what workers of this host had finished of partitions that will not arrive."""
        folder, call_id = self._backend.journals, self._payload.call_id
        if folder is None:
            return
        self._take_from_batches()
        for first in tuple(self._missing):
            found = PartitionJournal(folder, f"{call_id}-{first}").recorded()
            if found is not None:
                self._take(going_home(found).pack(), whole=False)

    def _take_from_batches(self) -> None:
        """Take in the partitions that workers of this host had kept while others of their batch ran."""
        if self._backend.journals is not None:
            for message in messages_on_record(self._backend.journals, self._payload.call_id):
                self._take(message)

    def remove_journals(self) -> None:
        """Remove what workers of this host have left of the call."""
        if self._backend.journals is not None:
            remove_journals(self._backend.journals, self._payload.call_id)

    def detach(self) -> Payload:
        """Take a copy of all that is to run, which stays as it is when the caller changes his arguments; return it."""
        whole = replace(self._payload, partitions=tuple(self._missing.values())).detached()
        self._payload, self._missing = whole, _by_first(whole.partitions)
        return whole

    def forget(self) -> Payload:
        """Free results and bytes; return the payload that is left, an empty one."""
        self.results, self._missing = [], {}
        self._payload = replace(self._payload, program=Bundle([]), partitions=(), shared_objects=(), feed=None)
        return self._payload

    def _next_attempt(self, number: int) -> Attempt:
        payload, record, feed = self._payload, self._record, self._payload.feed
        return Attempt(
            call_id=payload.call_id,
            description=record.description,
            number=number,
            program=payload.program,
            stored_program=payload.stored_program,
            partitions=tuple(self._missing.values()),
            deliver=self._receive,
            cancelled=self._cancelled,
            nodes=(record.names or ()) if record.once_per_node else (),
            foreach_options=self._foreach_options,
            more=no_more if number else self._more,
            window=0 if feed is None else feed.window,
        )

    def _receive(self, message: ResultMessage) -> None:
        """Take in the results of one partition, from where they are; on any thread, also that of Spark's callbacks."""
        try:
            packed = message if isinstance(message, bytes) else message.take()
        except OSError as error:
            self._lost_reason = f"results could not be fetched: {error}"
        except RxContextError as problem:  # as those of any other attempt would be
            self._problem = self._problem or problem
            self.cancel()
        else:
            self._take(packed)

    def _take(self, packed: bytes, whole: bool = True) -> None:
        part: AnyPartitionResult = PartitionResult.unpack(packed)
        with self._lock:
            answered = self._missing.pop(part.numbers[0], None) if part.numbers else None
            if part.numbers and answered is None:  # a second copy of an attempt that was given up
                return
            self._answers += 1
            self.results.append(part)
            self._problem = self._problem or (part.problem and readable(part.problem))
            self._stopped = self._stopped or (self._record.stop_on_error and bool(part.failures))
            # Partitions that may have to run again stay apart.
            if whole and isinstance(part, CombinedResult) and not part.failures and self._problem is None:
                self._combine(part)
            stop = self._problem is not None or self._stopped
        if self._backend.journals is not None and len(part.numbers) > 1:
            with contextlib.suppress(OSError):
                os.unlink(journal_path(self._backend.journals, f"{self._payload.call_id}-{part.numbers[0]}"))
        self._on_result(part)
        if answered is not None and self._payload.feed is not None:
            self._payload.feed.answered(len(answered.numbers))
        if stop and not self._cancelled.is_set():
            self.cancel()

    def _give_up(self, numbers: Sequence[int]) -> None:
        """Answer for tasks whose workers died each time, with an error of its own type."""
        message = f"no answer came in {_ATTEMPTS} attempts; the last one ended with: {self._lost_reason}"
        failure = TaskFailure("WorkerDied", message, "", error=RxLostTaskError)
        part = PartitionResult.failed(numbers, failure, _ATTEMPTS)
        part.branches = None if self._record.combine is None else Branches()
        self._take(going_home(part).pack())

    def _combine(self, part: CombinedResult) -> None:
        assert self._siblings is not None
        try:
            self._siblings.add(part.branches)
        except RxCombineError as problem:
            self._problem = problem


def _by_first(partitions: Iterable[PartitionPayload]) -> dict[int, PartitionPayload]:
    """Return partitions by the number of their first task, by which their results are known."""
    return {partition.numbers[0]: partition for partition in partitions}
