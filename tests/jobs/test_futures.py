"""Jobs as futures: of concurrent.futures, and awaited in asyncio."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from waiting import wait_until

from rxspark import RxCanceledError, RxLocalParallel, RxTaskError, rxCancelJob, rxElemArg, rxExec, rxGetJobStatus

pytestmark = pytest.mark.usefixtures("_in_background")


@pytest.fixture
def _in_background():
    """Workers of this machine, for jobs."""
    with RxLocalParallel(wait=False):
        yield


def test_a_future_gives_the_results_and_calls_back() -> None:
    """The same future each time; its callbacks get it when the results are there."""
    job = rxExec(pow, rxElemArg([2, 3]), 2)
    seen: list[object] = []
    job.future().add_done_callback(seen.append)
    assert job.future().result(timeout=60) == [4, 9]
    assert job.future() is job.future()
    wait_until(lambda: seen, "the callback was called")
    assert seen == [job.future()]


def test_the_exception_of_a_future_is_the_error_of_the_job() -> None:
    """With continueOnFailure=False that is the task's; of a cancelled job an RxCanceledError."""
    job = rxExec(lambda x: 1 / x, rxElemArg([0]), continueOnFailure=False)
    error = job.future().exception(timeout=60)
    assert isinstance(error, RxTaskError)
    assert error.type == "ZeroDivisionError"
    slow = rxExec(time.sleep, 60)
    future = slow.future()
    rxCancelJob(slow)
    assert isinstance(future.exception(timeout=60), RxCanceledError)


def test_cancelling_a_future_cancels_the_job() -> None:
    """At once for who waits; the job has ended soon."""
    job = rxExec(time.sleep, 60)
    assert job.future().cancel()
    with pytest.raises(CancelledError):
        job.future().result()
    assert job.wait(30) == "canceled"


def test_jobs_are_awaited_at_once_and_hold_up_no_loop() -> None:
    """Other coroutines run meanwhile; who is cancelled while waiting leaves the job alone."""

    async def main() -> tuple[list[list[int]], int, str]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        clock = asyncio.create_task(tick())
        first, second = rxExec(lambda x: time.sleep(0.3) or x, rxElemArg([1, 2])), rxExec(abs, -3)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(rxExec(time.sleep, 0.2), 0.01)
        found = await asyncio.gather(first, second)
        clock.cancel()
        return [list(results) for results in found], ticks, rxGetJobStatus(first)

    found, ticks, state = asyncio.run(main())
    assert found == [[1, 2], [3]]
    assert ticks > 5
    assert state == "missing"  # fetched


def test_the_future_of_a_job_that_has_ended_reads_its_results(tmp_path: Path) -> None:
    """Also behind its end, and in a folder."""
    with RxLocalParallel(wait=False, shareDir=tmp_path):
        job = rxExec(abs, rxElemArg([-1, -2]))
    assert job.wait(60) == "finished"
    assert job.future().result(timeout=60) == [1, 2]
