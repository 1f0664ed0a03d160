"""A job that another process runs or ran, as its folder tells of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rxspark.errors import RxCanceledError, RxContextError, RxError, RxFileError, RxJobError
from rxspark.files.paths import login
from rxspark.jobs.callbacks import call
from rxspark.jobs.folder import HEARTBEAT_TIMEOUT_S, JobFolder, owned
from rxspark.jobs.gathering import first_error
from rxspark.jobs.record import JobRecord
from rxspark.jobs.states import CANCELED, ENDED, FAILED, FINISHED, MISSING, UNDETERMINED, JobStatus
from rxspark.serialize.payload import Payload
from rxspark.worker.combining import AnyPartitionResult, each_task_once

__all__ = ["RemoteJob"]

# Seconds between looks at the folder of a job that is waited for.
POLL_INTERVAL_S = 0.5

# Seconds for which a store of objects may not list what has been written.
_LISTING_LAG_S = 30.0


class RemoteJob:
    """Answers from a folder; see `Job` for what the attributes mean."""

    has_engines_bar = False

    def __init__(self, folder: JobFolder, record: JobRecord | None = None) -> None:
        self.folder = folder
        self._gone: RxJobError | None = None
        self._names: list[str] = []
        self._damage: RxError | None = None
        try:
            self.record = record or folder.record()
        except RxError as problem:  # a row in a list it is all the same; what needs more than that says why not
            self._damage = problem
            self.record = JobRecord.unreadable(folder.id)

    @property
    def is_unreadable(self) -> bool:
        """Tell whether the record cannot be read, so that nothing can be fetched or run."""
        return self._damage is not None

    @property
    def runner(self) -> str:
        """The process that runs it, or ran it, by the words of its folder."""
        status = self._status()
        return "another process" if status is None else str(status.process)

    @property
    def own(self) -> bool:
        """Tell whether the job is the user's own, by the owner of its folder, or else by its record."""
        owner = owned(self.folder.path)
        return self.record.user in ("", login()) if owner is None else owner

    @property
    def state(self) -> str:
        """State by the folder, and by whether the process that wrote it is alive."""
        return self._judge()[0]

    @property
    def task_count(self) -> int | None:
        """Number of tasks."""
        return self.record.task_count

    @property
    def error(self) -> BaseException | None:
        """The reason why it failed, was cancelled, or is unknown."""
        return self._judge()[1]

    @property
    def done(self) -> int:
        """Tasks whose answers are in the folder."""
        try:
            return min(self.folder.done(), self.record.task_count or 0)
        except RxError:
            return 0

    @property
    def ended(self) -> float:
        """Time at which it ended; 0 before, or when that is not known."""
        status = self._status()
        return 0.0 if status is None else status.ended or (0.0 if status.active else status.heard)

    @property
    def fetched(self) -> bool:
        """Tell whether the results were fetched."""
        status = self._status()
        return status is not None and status.fetched

    def partition_results(self, after: int = 0) -> list[AnyPartitionResult]:
        """Read the results in the folder: all, each task once; or those that have come since the first `after`."""
        if self._damage is not None:
            raise self._damage
        names = [name for name in self.folder.part_names() if name not in self._names]
        if after:
            self._names += names
            return self.folder.partition_results(names)
        self._names += names
        return each_task_once(self.folder.partition_results(self._names))

    def wait_for_all(self) -> None:
        """Wait until the folder of a job that has finished shows the results of all tasks; RxFileError if it does not.

        What is incomplete would be taken for all there is, and removed.
        """
        until = time.monotonic() + (_LISTING_LAG_S if self.folder.path.store else 0.0)
        count = self.record.task_count or 0
        while (there := self.folder.done()) < count:
            if time.monotonic() > until:
                raise RxFileError(
                    f"{self.folder.path} has the results of {there} of {count} tasks, though the job has finished: the "
                    f"others could not be kept there. rxGetJobResults(job, partial=True) gives those that there are, "
                    f"rxResumeJob(job) runs the rest"
                )
            time.sleep(POLL_INTERVAL_S)

    def failed(self) -> set[int]:
        """Read which tasks have failed, one file after another, so that the results are never all in memory."""
        runs = []
        for name in self.folder.part_names():
            (part,) = self.folder.partition_results([name])
            runs.append((part.numbers, set(part.failures)))
        failed = {number for _, failures in runs for number in failures}
        # A task that failed may have run again.
        return failed - {n for numbers, failures in runs for n in numbers if n in failed and n not in failures}

    def reason(self) -> BaseException | None:
        """Make the error for whoever asks for results: a task's own, if that is what ended the job."""
        if self.record.stop_on_error and self.state == FAILED:
            parts = self.folder.readable_results()
            if any(part.failures for part in parts):
                return first_error(parts)
        return self.error

    def payload(self) -> Payload:
        """Read all that was to be run."""
        if self._damage is not None:
            raise self._damage
        return self.folder.payload()

    def readable_results(self) -> list[AnyPartitionResult]:
        """Read the results in the folder, but for damaged files."""
        return self.folder.readable_results()

    def wait(self, timeout: float | None) -> bool:
        """Wait until the job has ended, or cannot be told of any more, at most `timeout` seconds; whether it has."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.state not in (*ENDED, UNDETERMINED):
            left = POLL_INTERVAL_S if deadline is None else min(POLL_INTERVAL_S, deadline - time.monotonic())
            if left <= 0:
                return False
            time.sleep(left)
        return True

    def wait_for_more(self, than: int, timeout: float) -> None:
        """Wait a while."""
        time.sleep(timeout)

    def cancel(self, reason: str) -> bool:
        """Ask the process that runs the job to end it; False if it had ended before."""
        if self.state in ENDED:
            return False
        self.folder.ask_to_cancel()
        return True

    def mark_fetched(self, remove: bool) -> None:
        """Note that somebody has got the results; `remove` the job then."""
        if remove:
            self.forget("its results were fetched, which removes them unless autoCleanup=False says otherwise")
        else:
            self.folder.write_fetched()

    def forget(self, why: str) -> None:
        """Remove the folder."""
        self.folder.remove()
        self._gone = RxJobError(why)

    def when_ended(self, callback: Callable[[], None], apart: bool = True) -> None:
        """Call when the job has ended, from a thread that looks for that."""

        def look() -> None:
            self.wait(None)
            call(callback, self.record.id)

        threading.Thread(target=look, name="rxspark-callback", daemon=True).start()

    def _status(self) -> JobStatus | None:
        try:
            return self.folder.status()
        except RxError:
            return None

    def _judge(self) -> tuple[str, BaseException | None]:
        if self._gone is not None:
            return MISSING, self._gone
        try:
            if not self.folder.exists():
                return MISSING, RxJobError(f"there is no folder {self.folder.path} any more")
            if self._damage is not None:
                return UNDETERMINED, self._damage
            return self._by_status(self.folder.status())
        except RxContextError as problem:  # the file system cannot be reached
            return UNDETERMINED, problem
        except RxFileError as problem:
            return (UNDETERMINED, problem) if self.folder.exists() else (MISSING, problem)

    def _by_status(self, status: JobStatus) -> tuple[str, BaseException | None]:
        if not status.active:
            return status.state, self._reason(status)
        silence = time.time() - status.heard
        if status.process.here and not status.process.alive:
            if self.done == self.record.task_count and not self.record.stop_on_error:
                return FINISHED, None  # it was killed between its last task and saying so
            return FAILED, RxJobError(f"{status.process}, which ran it, has ended before the job")
        if not status.process.here and silence > HEARTBEAT_TIMEOUT_S:
            return UNDETERMINED, RxJobError(
                f"nothing was heard of {status.process}, which runs it, for {silence:.0f} s"
            )
        return status.state, None

    @staticmethod
    def _reason(status: JobStatus) -> BaseException | None:
        if status.state == CANCELED:
            return RxCanceledError(status.reason)
        return RxJobError(status.reason) if status.state == FAILED else None
