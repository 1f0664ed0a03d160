"""Futures of jobs, for code that waits by concurrent.futures or asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from rxspark.jobs.callbacks import call_apart
from rxspark.jobs.job import Job
from rxspark.jobs.parents import ParentsJob
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.states import ENDED
from rxspark.results import RxResults

__all__ = ["JobFuture", "awaited"]

T = TypeVar("T")


class JobFuture(Future[RxResults[T]]):
    """The results of a job; it stays pending, so that it can be cancelled, until the job has ended."""

    def __init__(self, source: Job | RemoteJob | ParentsJob, read: Callable[[], RxResults[T]]) -> None:
        super().__init__()
        self._source = source
        self._read = read
        if source.state in ENDED:
            call_apart([self._take], source.record.id)  # not here, where reading would hold up an event loop
        else:
            source.when_ended(self._take, apart=True)

    def cancel(self) -> bool:
        """Cancel the job; False if it has ended already."""
        cancelled = super().cancel()
        if cancelled:
            self._source.cancel("its future was cancelled")
        return cancelled

    def _take(self) -> None:
        if not self.set_running_or_notify_cancel():
            return
        try:
            results = self._read()
        except BaseException as error:
            self.set_exception(error)
        else:
            self.set_result(results)


async def awaited(future: Future[RxResults[T]]) -> RxResults[T]:
    """Wait for a future in asyncio; who is cancelled while waiting does not cancel it."""
    return await asyncio.shield(asyncio.wrap_future(future))
