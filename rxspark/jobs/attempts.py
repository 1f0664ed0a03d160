"""Attempts at the partitions of a call: what was lost runs again, until each task has a result or is given up."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rxspark.backends.base import Attempt, Backend
from rxspark.backends.engine_errors import translate_errors
from rxspark.data.bundle import Bundle
from rxspark.data.local_files import remove_journals
from rxspark.errors import RxError, RxLostTaskError
from rxspark.jobs.gathering import first_error
from rxspark.jobs.record import JobRecord
from rxspark.serialize.payload import Payload
from rxspark.worker.delivery import ResultMessage
from rxspark.worker.journal import PartitionJournal, journal_path
from rxspark.worker.results import PartitionResult, TaskFailure

__all__ = ["Attempts"]

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
        What has come back.
    """

    def __init__(
        self,
        record: JobRecord,
        payload: Payload,
        backend: Backend,
        foreach_options: Mapping[str, Any],
        on_result: Callable[[PartitionResult], None],
    ) -> None:
        self.results: list[PartitionResult] = []
        self._record = record
        self._payload = replace(payload, partitions=())
        self._missing = list(payload.partitions)
        self._backend = backend
        self._foreach_options = foreach_options
        self._on_result = on_result
        self._attempt: Attempt | None = None
        self._lost_reason = ""
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._answered: set[int] = set()
        self._problem: RxError | None = None
        self._stopped = False

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self._missing

    def run(self) -> None:
        """Run what is missing, until each task has a result or `cancel` is called.

        Raises
        ------
        RxError
            What kept the tasks from running at all, or, with `stop_on_error`, the first task's error.
        """
        fruitless = 0
        while self._missing and fruitless < _ATTEMPTS and not self._cancelled.is_set():
            self._attempt = self._next_attempt(fruitless)
            with translate_errors(self._record.context):
                outcome = self._backend.run(self._attempt)
            self._lost_reason = outcome.lost_reason or self._lost_reason
            before = len(self._missing)
            self._missing = [part for part in self._missing if part.numbers[0] not in self._answered]
            if len(self._missing) == before:
                fruitless += 1
            elif not outcome.result_limit_hit:
                fruitless = 1
        if not self._cancelled.is_set():
            for numbers, _ in self._missing:
                self._give_up(numbers)
        if self._problem is not None:
            raise self._problem
        if self._stopped:
            raise first_error(self.results)

    def cancel(self) -> None:
        """End what runs, and begin no other attempt."""
        self._cancelled.set()
        if self._attempt is not None:
            self._backend.cancel(self._attempt)

    def take_from_journals(self) -> None:
        """After an early end: take in what workers of this host had finished of partitions that will not arrive."""
        folder, call_id = self._backend.journals, self._payload.call_id
        if folder is None:
            return
        for numbers, _ in self._missing:
            if numbers[0] not in self._answered:
                found = PartitionJournal(folder, f"{call_id}-{numbers[0]}").recorded()
                if found is not None:
                    self._take(found.pack())

    def remove_journals(self) -> None:
        """Remove what workers of this host have left of the call."""
        if self._backend.journals is not None:
            remove_journals(self._backend.journals, self._payload.call_id)

    def detach(self) -> Payload:
        """Take a copy of all that is to run, which stays as it is when the caller changes his arguments; gives it."""
        whole = replace(self._payload, partitions=tuple(self._missing)).detached()
        self._payload, self._missing = whole, list(whole.partitions)
        return whole

    def forget(self) -> Payload:
        """Let go of results and bytes; gives the payload that is left, an empty one."""
        self.results, self._missing = [], []
        self._payload = replace(self._payload, program=Bundle([]), partitions=(), shared_objects=())
        return self._payload

    def _next_attempt(self, number: int) -> Attempt:
        payload, record = self._payload, self._record
        return Attempt(
            call_id=payload.call_id,
            description=record.description,
            number=number,
            program=payload.program,
            stored_program=payload.stored_program,
            partitions=tuple(self._missing),
            deliver=self._receive,
            cancelled=self._cancelled,
            nodes=(record.names or ()) if record.once_per_node else (),
            foreach_options=self._foreach_options,
        )

    def _receive(self, message: ResultMessage) -> None:
        """Take in the results of one partition, from where they are; on any thread, also that of Spark's callbacks."""
        try:
            packed = message if isinstance(message, bytes) else message.take()
        except OSError as error:
            self._lost_reason = f"results could not be fetched: {error}"
        else:
            self._take(packed)

    def _take(self, packed: bytes) -> None:
        part = PartitionResult.unpack(packed)
        with self._lock:
            if part.numbers and part.numbers[0] in self._answered:  # a second copy of an attempt that was given up
                return
            self._answered.update(part.numbers[:1])
            self.results.append(part)
            self._problem = self._problem or part.problem
            self._stopped = self._stopped or (self._record.stop_on_error and bool(part.failures))
            stop = self._problem is not None or self._stopped
        if self._backend.journals is not None and len(part.numbers) > 1:
            with contextlib.suppress(OSError):
                os.unlink(journal_path(self._backend.journals, f"{self._payload.call_id}-{part.numbers[0]}"))
        self._on_result(part)
        if stop and not self._cancelled.is_set():
            self.cancel()

    def _give_up(self, numbers: Sequence[int]) -> None:
        """Answer for tasks whose workers died each time, with an error of its own type."""
        message = f"no answer came in {_ATTEMPTS} attempts; the last one ended with: {self._lost_reason}"
        failure = TaskFailure("WorkerDied", message, "", error=RxLostTaskError)
        self._take(PartitionResult.failed(numbers, failure, _ATTEMPTS).pack())
