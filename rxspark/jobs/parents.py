"""A job that the process runs from which this one was forked, and of which nothing can be told here."""

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

__all__ = ["ParentsJob", "seen_from_a_fork"]


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
        """How many tasks it has, as far as it was known."""
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
        """Wait for nothing: its end would not be heard of here."""
        return True

    def wait_for_more(self, than: int, timeout: float) -> None:
        """Wait for nothing."""
        self._refuse()

    def cancel(self, reason: str) -> bool:
        """Raise: it is run by another process."""
        self._refuse()

    def was_fetched(self, remove: bool) -> None:
        """Nothing was."""

    def forget(self, why: str) -> None:
        """Forget it here."""

    def when_ended(self, callback: Callable[[], None], apart: bool = True) -> None:
        """Raise: its end will not be heard of here."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise RxJobError(f"{self.record.id}: {self.error}")


def seen_from_a_fork(source: Job | RemoteJob | ParentsJob) -> Job | RemoteJob | ParentsJob:
    """Source of a parent's job: itself when it has ended, else its folder, if it has one."""
    if not isinstance(source, Job) or source.come_to_a_fork():
        return source
    return (
        ParentsJob(source.record) if source.folder is None else RemoteJob(JobFolder(source.folder.path), source.record)
    )
