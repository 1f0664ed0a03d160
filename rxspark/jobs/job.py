"""A job: the one owner of everything that a call starts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import replace
from typing import Any

from rxspark.backends.base import Backend
from rxspark.errors import RxCanceledError, RxError, RxJobError
from rxspark.jobs.attempts import Attempts
from rxspark.jobs.callbacks import call, call_apart
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.folder_updates import FolderUpdates
from rxspark.jobs.progress import Progress
from rxspark.jobs.record import JobRecord
from rxspark.jobs.relay import relay
from rxspark.jobs.states import CANCELED, ENDED, FAILED, FINISHED, MISSING, QUEUED, RUNNING, follow
from rxspark.serialize.payload import Payload
from rxspark.worker.combining import AnyPartitionResult

__all__ = ["Job"]

logger = logging.getLogger("rxspark")


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
    folder : JobFolder or None
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
        self._attempts = Attempts(record, payload, backend, foreach_options or {}, self._note)
        self._whole = replace(payload, partitions=())
        self._updates = FolderUpdates(record.id, folder)
        self._changed = threading.Condition()
        self._unwanted: RxCanceledError | None = None
        self._relays_in: Context | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._callbacks_apart: list[Callable[[], None]] = []
        self._progress: Progress | None = None

    @property
    def id(self) -> str:
        """The id of the job."""
        return self.record.id

    @property
    def task_count(self) -> int | None:
        """Number of tasks; None as long as that is not known."""
        return self.done if self.record.task_count is None and self.state == FINISHED else self.record.task_count

    def reason(self) -> BaseException | None:
        """Make the error for whoever asks for results that do not exist."""
        return self.error

    def readable_results(self) -> list[AnyPartitionResult]:
        """Return the results that have come back, here and to the job's folder."""
        return self._attempts.so_far() + ([] if self.folder is None else self.folder.readable_results())

    def partition_results(self, after: int = 0) -> list[AnyPartitionResult]:
        """Return the results that have come back, but for the first `after` of them."""
        return self._attempts.so_far(after)

    def run(self) -> None:
        """Run all tasks to their end, in the caller's thread.

        Raises
        ------
        RxError
            What kept the tasks from running at all, or, with `stop_on_error`, the first task's error.
        KeyboardInterrupt
            After what was running has been ended.
        """
        self._updates.goes_when_finished = self.record.auto_cleanup
        self._move(RUNNING)
        # In a notebook the context says below which cell text is shown; engines deliver in threads of their own.
        self._relays_in = copy_context() if self.record.console_output else None
        try:
            with Progress(self.record.task_count, self.record.description, self.has_engines_bar) as self._progress:
                self._run_to_the_end()
        except BaseException:
            self._updates.leave_what_can_be_resumed(self.done)
            raise

    def detach(self) -> None:
        """Take a copy of the payload: the caller may change arguments as soon as it goes on."""
        self._whole = self._attempts.detach()

    def payload(self) -> Payload:
        """Return all that it had to run, if it was started in the background."""
        return self._whole

    def resume_after(self, state: str, payload: Payload, results: list[AnyPartitionResult]) -> None:
        """Be queued after another one of this id, which had this to run, ended in `state` and left these results."""
        self.state, self._whole, self._attempts.results = state, payload, results
        self.done = sum(len(part.numbers) for part in results)
        self._move(QUEUED)

    def run_in_background(self) -> None:
        """Run as `run` does, unless cancelled before; nobody is there to raise to: `error` keeps what went wrong."""
        with self._changed:
            if self.state != QUEUED:
                return
            self._change(RUNNING, None)
        self._updates.write_state(RUNNING, None, self._end_of(RUNNING))
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

    @property
    def attempts(self) -> Attempts:
        """Its attempts, which keep the results."""
        return self._attempts

    def wait_for_more(self, than: int, timeout: float) -> None:
        """Wait until more than so many partitions have answered, the job has ended, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._attempts.results) > than or self.state in ENDED, timeout)

    def cancel(self, reason: str) -> bool:
        """End the job, with all that it runs; False if it had ended before."""
        with self._changed:
            if self.state in ENDED:
                return False
            self._unwanted = RxCanceledError(reason)
            callbacks = self._change(CANCELED, self._unwanted) if self.state == QUEUED else None
        if callbacks is None:
            self._attempts.cancel()
        else:
            self._attempts.close_feed()
            self._updates.write_state(CANCELED, self._unwanted, self._end_of(CANCELED))
            self._call(callbacks)
        return True

    def write_heartbeat(self) -> None:
        """Write a heartbeat for other processes, and do what they ask for."""
        wanted = self._updates.write_heartbeat()
        if wanted:
            self.cancel(wanted)

    def mark_fetched(self, remove: bool) -> None:
        """Note that somebody has got the results; `remove` the job then."""
        self.fetched = True
        if remove:
            self.forget("its results were fetched, which removes them unless autoCleanup=False says otherwise")
        elif self.folder is not None:
            self.folder.write_fetched()

    def mark_unfetched(self) -> None:
        """Note that the results of a call that was waited for could not be made, so that others can read them."""
        self._updates.goes_when_finished = False
        self._updates.write_state(self.state, self.error, self.ended)

    def forget(self, why: str) -> None:
        """Let go of everything that the job holds."""
        self._updates.remove()
        self._call(self._change(MISSING, RxJobError(why)))
        self._whole = self._attempts.forget()

    def when_ended(self, callback: Callable[[], None], apart: bool = False) -> None:
        """Call when the job has ended, or at once if it has ended already.

        In the thread that ran it, or `apart`: in one of its own, for what may take long, or wait for another job.
        """
        with self._changed:
            if self.state not in ENDED:
                (self._callbacks_apart if apart else self._callbacks).append(callback)
                return
        call(callback, self.id)

    def after_fork_in_child(self) -> bool:
        """In a forked process: whether the job has ended, and can be asked here; else it is the parent's."""
        self._changed = threading.Condition()  # who held it is not there
        return self.state in ENDED

    def _move(self, state: str, error: BaseException | None = None) -> None:
        follow(self.state, state)
        self._updates.write_state(state, error, self._end_of(state))  # first: who waits for the end may end the process
        self._call(self._change(state, error))

    def _end_of(self, state: str) -> float:
        return (self.ended or time.time()) if state in ENDED else 0.0

    def _change(self, state: str, error: BaseException | None) -> list[Callable[[], None]]:
        """Change the state, the one place where that happens; return who is to be told, outside of the lock."""
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
            self._attempts.run()
            if self._unwanted is not None and not self._attempts.complete:
                raise self._unwanted
        except BaseException as error:
            self._attempts.cancel()
            self._attempts.close_feed()
            self._attempts.take_from_journals()
            # What was ended may raise whatever it likes.
            why = error if isinstance(error, KeyboardInterrupt) else self._unwanted or error
            self._move(CANCELED if isinstance(why, (KeyboardInterrupt, RxCanceledError)) else FAILED, why)
            if why is error:
                raise
            raise why from error
        finally:
            self._attempts.remove_journals()
        self._move(FINISHED)

    def _note(self, part: AnyPartitionResult) -> None:
        """Note a result that has come, and let it be seen; on whatever thread brings it."""
        with self._changed:
            self.done += len(part.numbers)
            self._changed.notify_all()
        if self._relays_in is not None:
            self._relays_in.copy().run(relay, part)
        if part.unsaved:
            self._updates.warn("cannot be kept", part.unsaved)
        if self._progress is not None:
            self._progress.add(len(part.numbers))
