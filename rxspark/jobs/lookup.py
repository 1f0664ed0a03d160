"""Find and list jobs: those of this process, and those in the share folder of a compute context."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, TypeVar

from rxspark.contexts import ComputeContext, rxGetComputeContext
from rxspark.errors import RxArgumentError, RxJobError, closest
from rxspark.files.paths import FsPath
from rxspark.jobs.folder import JobFolder, folders_in, job_path, named_folder
from rxspark.jobs.record import is_id
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob, RxJobs, known_jobs
from rxspark.jobs.states import MISSING, STATES
from rxspark.user_paths import store_folder
from rxspark.validation import check_flags

__all__ = ["ask_each", "find", "is_list", "rxGetJobs", "stored_jobs"]

T = TypeVar("T")


def rxGetJobs(
    computeContext: ComputeContext | None = None,
    exactMatch: bool = False,
    startTime: datetime | None = None,
    endTime: datetime | None = None,
    states: str | Iterable[str] | None = None,
    own: bool = True,
) -> RxJobs:
    """The jobs of this process, and those of all processes that are in the share folder of a compute context.

    Parameters
    ----------
    computeContext : ComputeContext, optional
        Whose `hdfsShareDir`, or else `shareDir`, to look into; default the active one.
    exactMatch : bool, default False
        Only jobs that were submitted under exactly this context.
    startTime, endTime : datetime, optional
        Only jobs that were submitted in between; a time without a zone is local.
    states : str or iterable of str, optional
        Only jobs in one of these states, see `rxGetJobStatus`.
    own : bool, default True
        Only the user's own jobs, and not those that other users have in the share folder.

    Returns
    -------
    RxJobs
        A list, in the order in which they were submitted, that prints as a table.

    Raises
    ------
    RxContextError, RxFileError
        When the share folder cannot be reached or read.

    Examples
    --------
    >>> from rxspark import RxLocalSeq, rxCleanupJobs, rxExec, rxGetJobs, rxWaitForJob
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(abs, -1)
    >>> rxWaitForJob(job)
    'finished'
    >>> job in rxGetJobs(states="finished"), job in rxGetJobs(states=["queued", "running"])
    (True, False)
    >>> rxCleanupJobs(rxGetJobs(), force=True)
    >>> rxGetJobs()
    no jobs
    """
    context = rxGetComputeContext() if computeContext is None else computeContext
    if not isinstance(context, ComputeContext):
        raise RxArgumentError(f"computeContext={context!r}: computeContext is a compute context such as RxSpark()")
    check_flags(exactMatch=exactMatch, own=own)
    wanted = _known_states(states)
    first, last = _moment("startTime", startTime), _moment("endTime", endTime)
    jobs, share = known_jobs(), store_folder(context)
    for stored in [] if share is None else stored_jobs(share, own, but=jobs):
        jobs[stored.folder.id] = RxJob(stored)
    found = RxJobs()
    for _, job in sorted(jobs.items()):
        info = job.info()
        if (
            (not exactMatch or info["context"] == repr(context))
            and (first is None or first <= info["submitted"])
            and (last is None or info["submitted"] <= last)
            and (wanted is None or info["state"] in wanted)
        ):
            found.append(job)
    return found


def stored_jobs(share: FsPath, own: bool, but: Container[str] = ()) -> list[RemoteJob]:
    """The jobs in a share folder, in the order in which they were submitted, `but` those that are known already."""
    found = [RemoteJob(folder) for folder in folders_in(share) if folder.id not in but]
    return [stored for stored in found if stored.own or not own]


def _known_states(states: Any) -> set[str] | None:
    if states is None:
        return None
    wanted = [states] if isinstance(states, str) or not isinstance(states, Iterable) else list(states)
    for state in wanted:
        if state not in STATES:
            guess = closest(state, STATES) if isinstance(state, str) else None
            hint = f"did you mean {guess!r}?" if guess else f"the states are {', '.join(STATES)}"
            raise RxArgumentError(f"states: {state!r} is no state of a job; {hint}")
    return set(wanted)


def _moment(name: str, value: Any) -> datetime | None:
    if value is not None and not isinstance(value, datetime):
        raise RxArgumentError(f"{name}={value!r}: {name} is a datetime, such as datetime(2026, 1, 31, 12)")
    return None if value is None else value.astimezone()


def ask_each(job: Any, ask: Callable[[Any], T], needed: bool = False) -> T | list[T] | Any:
    """Ask a job, or each of a list of jobs, and return the answer or a list of answers."""
    look = find_existing if needed else find
    return [ask(one) for one in list(map(look, job))] if is_list(job) else ask(look(job))


def is_list(job: Any) -> bool:
    """Tell whether it is several jobs, rather than one or its id."""
    return isinstance(job, Iterable) and not isinstance(job, (str, bytes, Mapping, RxJob))


def find(job: Any) -> RxJob[Any] | None:
    """Find a job by handle, id or folder; None if there is none of that id."""
    if isinstance(job, RxJob):
        return job
    if isinstance(job, str) and is_id(job.rstrip("/").rpartition("/")[2]):
        return known_jobs().get(job) or _stored(job)
    raise RxArgumentError(
        f"job={job!r}: job is what rxExec returned in a context with wait=False, its id (rxJob_...), or its folder"
    )


def _stored(job: str) -> RxJob[Any] | None:
    """Find a job in the share folder of the active context, or in a named folder; None if it is not there."""
    if "/" in job:
        folder = named_folder(job)
    else:
        share = store_folder(rxGetComputeContext())
        if share is None:
            return None
        folder = JobFolder(job_path(share, job))
    found: RxJob[Any] = RxJob(RemoteJob(folder))
    return None if found.status() == MISSING else found


def find_existing(job: Any) -> RxJob[Any]:
    """Find a job as `find` does; RxJobError if there is none."""
    found = find(job)
    if found is None:
        share = store_folder(rxGetComputeContext())
        ids = [*known_jobs(), *([] if share is None else [folder.id for folder in folders_in(share)])]
        near = get_close_matches(job, ids, n=1, cutoff=0.95)  # ids of one hour have much in common
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise RxJobError(
            f"there is no job {job!r}: it was removed, or never there. {hint}rxGetJobs() lists those that are"
        )
    return found
