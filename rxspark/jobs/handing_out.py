"""Hand out the results of a job of which nobody knows how many tasks it will have: it keeps them no longer then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rxspark.backends.base import plain_interrupts
from rxspark.errors import RxJobError
from rxspark.jobs.endings import why_no_results
from rxspark.jobs.gathering import opened
from rxspark.jobs.job import Job
from rxspark.jobs.states import ENDED, FINISHED

__all__ = ["check_that_all_is_kept", "handed_out"]

# Seconds between looks at whether the job has ended.
_POLL_INTERVAL_S = 0.5


def handed_out(job: Job) -> Iterator[tuple[int, Any]]:
    """Return number and value of each task as they finish; whoever stops in the middle leaves the rest to the next."""
    while True:
        ended = job.state in ENDED  # asked first: what came before the end is then all there
        part = job.attempts.hand_out()
        if part is not None:
            job.fetched, given = True, 0
            try:
                for number, value, error in opened(part):
                    given += 1
                    yield number, value if error is None else error
            finally:
                if given < len(part.numbers):
                    job.attempts.take_back(part.since(given))
        elif ended:
            break
        else:
            with plain_interrupts():
                job.wait_for_more(0, _POLL_INTERVAL_S)
    if job.state != FINISHED:
        raise why_no_results(job, job.state)


def check_that_all_is_kept(job: Job) -> None:
    """Make sure that no results were handed out; RxJobError says how many tasks'."""
    if job.attempts.handed_out:
        raise RxJobError(
            f"{job.id}: the values of {job.attempts.handed_out} tasks were handed out by iterating over the job, and "
            f"are kept no longer, as nobody knew how many there would be; collect them there, or do not iterate"
        )
