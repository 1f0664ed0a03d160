"""A job: the one owner of everything that a call starts."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import replace
from typing import Any

from rxspark.backends.base import Attempt, Backend
from rxspark.backends.engine_errors import translate_errors
from rxspark.data.bundle import Bundle
from rxspark.data.local_files import remove_journals
from rxspark.errors import RxCanceledError, RxError, RxJobError, RxLostTaskError
from rxspark.jobs.callbacks import call, call_apart
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.gathering import first_error
from rxspark.jobs.progress import Progress
from rxspark.jobs.record import JobRecord
from rxspark.jobs.relay import relay
from rxspark.jobs.states import CANCELED, ENDED, FAILED, FINISHED, MISSING, QUEUED, RUNNING, follow
from rxspark.serialize.payload import Payload
from rxspark.worker.delivery import ResultMessage
from rxspark.worker.journal import PartitionJournal, journal_path
from rxspark.worker.results import PartitionResult, TaskFailure

__all__ = ["Job"]

logger = logging.getLogger("rxspark")

# Attempts in a row that bring nothing, after which what is missing is given up. In the first attempt a worker's death
# costs what its partition had not delivered; from the second on each task is guarded on its own, so that it costs the
# guilty one alone; the third is for the death of whole machines.
_ATTEMPTS = 3


class Job:
    """Runs the partitions of one call on a backend until each task has its result.

    Attributes
    ----------
    record : JobRecord
        What is known of it from its start on.
    state : str
        One of `STATES`.
    error : BaseException or None
        Why it failed or was cancelled.
    done : int
        Tasks that have answered.
    ended : float
        When it ended, in seconds since 1970-01-01 UTC; 0 before.
    fetched : bool
        Whether somebody has got its results.
    has_engines_bar : bool
        Whether the engine shows a progress bar of it in terminals.
    folder : Folder or None
        Where other processes find it.
    """

    def __init__(
        self,
        record: JobRecord,
        payload: Payload,
        backend: Backend,
        folder: JobFolder | None = None,
        foreach_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.record = record
        self.backend = backend
        self.folder = folder
        self.state = QUEUED
        self.error: BaseException | None = None
        self.done, self.ended, self.fetched = 0, 0.0, False
        self.has_engines_bar = backend.draws_bar
        self._payload = self._whole = replace(payload, partitions=())
        self._missing = list(payload.partitions)
        self._foreach_options = foreach_options or {}
        self._attempt: Attempt | None = None
        self._lost_reason = ""
        self._cancelled = threading.Event()
        self._results: list[PartitionResult] = []
        self._complained = False
        self._changed = threading.Condition()
        self._answered: set[int] = set()
        self._problem: RxError | None = None
        self._stopped = False
        self._unwanted: RxCanceledError | None = None
        self._relays_in: Context | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._callbacks_apart: list[Callable[[], None]] = []
        self._progress: Progress | None = None

    @property
    def id(self) -> str:
        """Its name."""
        return self.record.id

    def reason(self) -> BaseException | None:
        """Give the error for who wants results that there are none of."""
        return self.error

    def readable_results(self) -> list[PartitionResult]:
        """Give the results that have come back, here and to the job's folder."""
        return self._results + ([] if self.folder is None else self.folder.readable_results())

    def partition_results(self, after: int = 0) -> list[PartitionResult]:
        """Give the results that have come back, but for the first `after` of them."""
        return self._results[after:]

    def run(self) -> None:
        """Run all tasks to their end, in the caller's thread.

        Raises
        ------
        RxError
            What kept the tasks from running at all, or, with `stop_on_error`, the first task's error.
        KeyboardInterrupt
            After what was running has been ended.
        """
        self._move(RUNNING)
        # In a notebook the context says below which cell text is shown; engines deliver in threads of their own.
        self._relays_in = copy_context() if self.record.console_output else None
        try:
            with Progress(self.record.task_count, self.record.description, self.has_engines_bar) as self._progress:
                self._run_to_the_end()
        except BaseException:
            self._leave_what_can_be_resumed()
            raise

    def detach(self) -> None:
        """Take a copy of the payload: the caller may change arguments as soon as it goes on."""
        self._payload = self._whole = replace(self._payload, partitions=tuple(self._missing)).detached()
        self._missing = list(self._payload.partitions)

    def payload(self) -> Payload:
        """Give all that it had to run, if it was started in the background."""
        return self._whole

    def resume_after(self, state: str, payload: Payload, results: list[PartitionResult]) -> None:
        """Be queued after another one of this id, which had this to run, ended in `state` and left these results."""
        self.state, self._whole, self._results = state, payload, results
        self.done = sum(len(part.numbers) for part in results)
        self._move(QUEUED)

    def run_in_background(self) -> None:
        """Run as `run` does, unless cancelled before; nobody is there to raise to: `error` keeps what went wrong."""
        with self._changed:
            if self.state != QUEUED:
                return
            self._change(RUNNING, None)
        self._tell(RUNNING)
        try:
            self._run_to_the_end()
        except RxError:
            return
        except Exception:
            logger.exception("%s failed by a mistake in rxspark", self.record.id)

    def wait(self, timeout: float | None) -> bool:
        """Wait until the job has ended, at most `timeout` seconds; whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self.state in ENDED, timeout)

    def wait_for_more(self, than: int, timeout: float) -> None:
        """Wait until more than so many partitions have answered, the job has ended, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._results) > than or self.state in ENDED, timeout)

    def cancel(self, reason: str) -> bool:
        """End the job, with all that it runs; False if it had ended before."""
        with self._changed:
            if self.state in ENDED:
                return False
            self._unwanted = RxCanceledError(reason)
            callbacks = self._change(CANCELED, self._unwanted) if self.state == QUEUED else None
        if callbacks is None:
            self._cancel()
        else:
            self._tell(CANCELED, self._unwanted)
            self._call(callbacks)
        return True

    def beat(self) -> None:
        """Give a sign of life where other processes look for one, and do what they ask for."""
        if self.folder is not None:
            with self._complaining("cannot be kept up to date"):
                wanted = self.folder.beat()
                if wanted:
                    self.cancel(wanted)

    def was_fetched(self, remove: bool) -> None:
        """Note that somebody has got the results; `remove` the job then."""
        self.fetched = True
        if remove:
            self.forget("its results were fetched, which removes them unless autoCleanup=False says otherwise")
        elif self.folder is not None:
            self.folder.write_fetched()

    def forget(self, why: str) -> None:
        """Let go of everything that the job holds."""
        if self.folder is not None:
            try:
                self.folder.remove()
            except RxError as problem:  # whoever has just fetched the results shall get them
                logger.warning("the folder of %s cannot be removed: %s", self.id, problem)
        self._call(self._change(MISSING, RxJobError(why)))
        self._results, self._missing = [], []
        self._payload = self._whole = replace(self._payload, program=Bundle([]), partitions=(), shared_objects=())

    def when_ended(self, callback: Callable[[], None], apart: bool = False) -> None:
        """Call when the job has ended, or at once if it has ended already.

        In the thread that ran it, or `apart`: in one of its own, for what may take long, or wait for another job.
        """
        with self._changed:
            if self.state not in ENDED:
                (self._callbacks_apart if apart else self._callbacks).append(callback)
                return
        call(callback, self.id)

    def come_to_a_fork(self) -> bool:
        """In a forked process: whether the job has ended, and can be asked here; else it is the parent's."""
        self._changed = threading.Condition()  # who held it is not there
        return self.state in ENDED

    def _move(self, state: str, error: BaseException | None = None) -> None:
        follow(self.state, state)
        self._tell(state, error)  # first: who waits for the end may end the process
        self._call(self._change(state, error))

    def _tell(self, state: str, error: BaseException | None = None) -> None:
        """Let other processes know the state."""
        if self.folder is not None:
            with self._complaining("cannot be kept up to date"):
                self.folder.write_state(state, "" if error is None else str(error), self._end_of(state))

    def _end_of(self, state: str) -> float:
        return (self.ended or time.time()) if state in ENDED else 0.0

    @contextlib.contextmanager
    def _complaining(self, what: str) -> Iterator[None]:
        """Go on when the job's folder cannot be written: its results still come to this process; tell of it once."""
        try:
            yield
        except RxError as problem:
            self._complain(what, str(problem))

    def _complain(self, what: str, why: str) -> None:
        with self._changed:
            first, self._complained = not self._complained, True
        if first:
            logger.warning("%s %s: %s. It goes on, but may not be resumed if this process ends", self.id, what, why)

    def _leave_what_can_be_resumed(self) -> None:
        """After a call that was waited for: without a result its folder is of no use."""
        if self.folder is None:
            return
        if self.done:
            logger.warning("%s: what %s tasks gave is kept; rxResumeJob(%r) runs the rest", self.id, self.done, self.id)
        else:
            with self._complaining("cannot be removed"):
                self.folder.remove()

    def _change(self, state: str, error: BaseException | None) -> list[Callable[[], None]]:
        """Change the state, the one place where that happens; gives who is to be told, outside of the lock."""
        with self._changed:
            self.state = follow(self.state, state)
            self.error = error
            callbacks: list[Callable[[], None]] = []
            if state in ENDED:
                self.ended = self._end_of(state)
                callbacks, self._callbacks = self._callbacks, []
                # Before anybody hears of the end, and ends the program: that waits for this thread.
                call_apart(self._callbacks_apart, self.id)
                self._callbacks_apart = []
            self._changed.notify_all()
        return callbacks

    def _call(self, callbacks: list[Callable[[], None]]) -> None:
        for callback in callbacks:
            call(callback, self.id)

    def _run_to_the_end(self) -> None:
        try:
            self._run_rounds()
            self._raise_what_ended_it()
        except BaseException as error:
            self._cancel()
            self._take_what_is_on_record()
            # What was ended may raise whatever it likes.
            why = error if isinstance(error, KeyboardInterrupt) else self._unwanted or error
            self._move(CANCELED if isinstance(why, (KeyboardInterrupt, RxCanceledError)) else FAILED, why)
            if why is error:
                raise
            raise why from error
        finally:
            if self.backend.journals is not None:
                remove_journals(self.backend.journals, self._payload.call_id)
        self._move(FINISHED)

    def _run_rounds(self) -> None:
        attempts = 0
        while self._missing and attempts < _ATTEMPTS and not self._cancelled.is_set():
            self._attempt = self._next_attempt(attempts)
            with translate_errors(self.record.context):
                outcome = self.backend.run(self._attempt)
            self._lost_reason = outcome.lost_reason or self._lost_reason
            before = len(self._missing)
            self._missing = [part for part in self._missing if part.numbers[0] not in self._answered]
            if len(self._missing) == before:
                attempts += 1
            elif not outcome.result_limit_hit:
                attempts = 1
        if not self._cancelled.is_set():
            for numbers, _ in self._missing:
                self._give_up(numbers)

    def _next_attempt(self, number: int) -> Attempt:
        payload, record = self._payload, self.record
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

    def _raise_what_ended_it(self) -> None:
        if self._problem is not None:
            raise self._problem
        if self._stopped:
            raise first_error(self._results)
        if self._unwanted is not None and self._missing:
            raise self._unwanted

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
        with self._changed:
            if part.numbers and part.numbers[0] in self._answered:  # a second copy of an attempt that was given up
                return
            self._answered.update(part.numbers[:1])
            self._results.append(part)
            self.done += len(part.numbers)
            self._problem = self._problem or part.problem
            self._stopped = self._stopped or (self.record.stop_on_error and bool(part.failures))
            stop = self._problem is not None or self._stopped
            self._changed.notify_all()
        if self.backend.journals is not None and len(part.numbers) > 1:
            with contextlib.suppress(OSError):
                os.unlink(journal_path(self.backend.journals, f"{self._payload.call_id}-{part.numbers[0]}"))
        if self._relays_in is not None:
            self._relays_in.copy().run(relay, part)
        if part.unsaved:
            self._complain("cannot be kept", part.unsaved)
        if self._progress is not None:
            self._progress.add(len(part.numbers))
        if stop and not self._cancelled.is_set():
            self._cancel()

    def _take_what_is_on_record(self) -> None:
        """After an early end: take in what workers of this host had finished of partitions that will not arrive."""
        folder, call_id = self.backend.journals, self._payload.call_id
        if folder is None:
            return
        for numbers, _ in self._missing:
            if numbers[0] not in self._answered:
                found = PartitionJournal(folder, f"{call_id}-{numbers[0]}").recorded()
                if found is not None:
                    self._take(found.pack())

    def _cancel(self) -> None:
        self._cancelled.set()
        if self._attempt is not None:
            self.backend.cancel(self._attempt)

    def _give_up(self, numbers: Sequence[int]) -> None:
        """Answer for tasks whose workers died each time, with an error of its own type."""
        message = f"no answer came in {_ATTEMPTS} attempts; the last one ended with: {self._lost_reason}"
        failure = TaskFailure("WorkerDied", message, "", error=RxLostTaskError)
        self._take(PartitionResult.failed(numbers, failure, _ATTEMPTS).pack())
