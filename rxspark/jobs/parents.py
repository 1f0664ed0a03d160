"""A job of the parent of a forked process, whose state this process cannot know."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NoReturn

from rxspark.errors import RxJobError
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.job import Job
from rxspark.jobs.record import JobRecord
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.states import UNDETERMINED
from rxspark.serialize.payload import Payload
from rxspark.worker.combining import AnyPartitionResult

__all__ = ["ParentsJob", "source_in_child"]


class ParentsJob:
    """Answers what can be answered; see `Job` for what the attributes mean."""

    state = UNDETERMINED
    folder = None
    done = 0
    ended = 0.0
    fetched = False
    has_engines_bar = False

    def __init__(self, record: JobRecord) -> None:
        self.record = record
        self.error = RxJobError(
            f"it belongs to process {os.getppid()}, from which this one was forked: ask there, or give the compute "
            f"context a shareDir, by which other processes can tell of its jobs"
        )

    @property
    def task_count(self) -> int | None:
        """Number of tasks, as far as it was known."""
        return self.record.task_count

    def reason(self) -> BaseException:
        """Error to raise when somebody wants results."""
        return self.error

    def partition_results(self, after: int = 0) -> list[AnyPartitionResult]:
        """Nothing."""
        return []

    def readable_results(self) -> list[AnyPartitionResult]:
        """Nothing."""
        return []

    def payload(self) -> Payload:
        """Raise: it is run by another process."""
        self._refuse()

    def wait(self, timeout: float | None) -> bool:
        """Return at once: this process would not learn of the end."""
        return True

    def wait_for_more(self, than: int, timeout: float) -> None:
        """Wait for nothing."""
        self._refuse()

    def cancel(self, reason: str) -> bool:
        """Raise: it is run by another process."""
        self._refuse()

    def mark_fetched(self, remove: bool) -> None:
        """Do nothing: the parent keeps the results."""

    def forget(self, why: str) -> None:
        """Forget the job in this process."""

    def when_ended(self, callback: Callable[[], None], apart: bool = True) -> None:
        """Raise: its end will not be heard of here."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise RxJobError(f"{self.record.id}: {self.error}")


def source_in_child(source: Job | RemoteJob | ParentsJob) -> Job | RemoteJob | ParentsJob:
    """Choose what answers for a parent's job in the child: the job when it has ended, else its folder, if any."""
    if not isinstance(source, Job) or source.after_fork_in_child():
        return source
    return (
        ParentsJob(source.record) if source.folder is None else RemoteJob(JobFolder(source.folder.path), source.record)
    )
