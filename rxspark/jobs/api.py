"""RevoScaleR's functions for jobs: they take a job, its id, or a list of either."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar, overload

from rxspark.contexts import ComputeContext
from rxspark.errors import RxJobError
from rxspark.jobs.lookup import ask_each, find, find_existing, is_list
from rxspark.jobs.rxjob import RxJob, results_of
from rxspark.jobs.states import MISSING
from rxspark.results import RxResults

__all__ = [
    "rxCancelJob",
    "rxCleanupJobs",
    "rxGetJobInfo",
    "rxGetJobOutput",
    "rxGetJobResults",
    "rxGetJobStatus",
    "rxResumeJob",
    "rxWaitForJob",
]


T = TypeVar("T")

# Any iterable of jobs is taken, but a type checker could not tell one of ids from a single id.
JobLike: TypeAlias = RxJob[Any] | str
JobList: TypeAlias = list[Any] | tuple[Any, ...]


@overload
def rxGetJobStatus(job: JobLike) -> str: ...
@overload
def rxGetJobStatus(job: JobList) -> list[str]: ...
def rxGetJobStatus(job: Any) -> str | list[str]:
    """The state of a job.

    Parameters
    ----------
    job : RxJob, str, or list of them
        The job, or its id.

    Returns
    -------
    str, or list of str for a list
        ``"queued"``: waits for its turn. ``"running"``. ``"finished"``: all tasks have answered, some perhaps with
        an error. ``"failed"``: could not run, or, with ``continueOnFailure=False``, a task failed. ``"canceled"``.
        ``"missing"``: removed, or never there. ``"undetermined"``: cannot be told from here.

    Raises
    ------
    RxArgumentError
        When `job` is none.

    Examples
    --------
    >>> from rxspark import RxLocalSeq, rxExec, rxGetJobStatus, rxWaitForJob
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(abs, -1)
    >>> rxWaitForJob(job)
    'finished'
    >>> rxGetJobStatus([job, "rxJob_0"])
    ['finished', 'missing']
    """
    return ask_each(job, lambda one: MISSING if one is None else one.status())


@overload
def rxGetJobResults(
    job: RxJob[T], consoleOutput: bool | None = ..., autoCleanup: bool | None = ..., partial: bool = ...
) -> RxResults[T]: ...
@overload
def rxGetJobResults(
    job: str, consoleOutput: bool | None = ..., autoCleanup: bool | None = ..., partial: bool = ...
) -> RxResults[Any]: ...
@overload
def rxGetJobResults(
    job: JobList, consoleOutput: bool | None = ..., autoCleanup: bool | None = ..., partial: bool = ...
) -> list[RxResults[Any]]: ...
def rxGetJobResults(
    job: Any, consoleOutput: bool | None = None, autoCleanup: bool | None = None, partial: bool = False
) -> RxResults[Any] | list[RxResults[Any]]:
    """The results of a job that has finished.

    Parameters
    ----------
    job : RxJob, str, or list of them
        The job, or its id.
    consoleOutput : bool, optional
        Whether to show what the tasks wrote; default as the call or its context said.
    autoCleanup : bool, optional
        Whether the job is removed now that its results are fetched, so that they can be fetched once; default as
        the call or its context said, which is True unless told otherwise.
    partial : bool, default False
        Give what there is of an unfinished, failed or canceled job, and keep the job. The entries of tasks that have
        not finished are `RxNotFinished`.

    Returns
    -------
    RxResults, or list of them for a list
        Of a list, either all are given or, with an error, none is fetched. RxCombined for a call with ``combine=``.

    Raises
    ------
    RxJobError
        When the job has not finished, or is gone; names the state and what to do.
    RxCanceledError
        When it was canceled.
    RxError
        When it failed: what made it fail, with ``continueOnFailure=False`` the first task's RxTaskError.

    Examples
    --------
    >>> from rxspark import RxLocalSeq, rxElemArg, rxExec, rxGetJobResults, rxWaitForJob
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(pow, rxElemArg(range(4)), 2)
    >>> rxWaitForJob(job)
    'finished'
    >>> rxGetJobResults(job)
    [0, 1, 4, 9]
    """
    jobs = list(map(find_existing, job)) if is_list(job) else [find_existing(job)]
    results = results_of(jobs, partial, consoleOutput, autoCleanup, stacklevel=2)
    return results if is_list(job) else results[0]


@overload
def rxGetJobOutput(job: JobLike) -> str: ...
@overload
def rxGetJobOutput(job: JobList) -> list[str]: ...
def rxGetJobOutput(job: Any) -> str | list[str]:
    """Console text of a job's finished tasks, each line behind the number of its task.

    Parameters
    ----------
    job : RxJob, str, or list of them
        The job, or its id.

    Returns
    -------
    str, or list of str for a list

    Raises
    ------
    RxJobError
        When the job is gone.

    Examples
    --------
    >>> from rxspark import RxLocalSeq, rxExec, rxGetJobOutput, rxWaitForJob
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(print, "hello", timesToRun=2)
    >>> rxWaitForJob(job)
    'finished'
    >>> print(rxGetJobOutput(job))
    [task 0] hello
    [task 1] hello
    """
    return ask_each(job, lambda one: one.output(), needed=True)


@overload
def rxGetJobInfo(job: JobLike) -> dict[str, Any]: ...
@overload
def rxGetJobInfo(job: JobList) -> list[dict[str, Any]]: ...
def rxGetJobInfo(job: Any) -> dict[str, Any] | list[dict[str, Any]]:
    """Facts about a job.

    Parameters
    ----------
    job : RxJob, str, or list of them
        The job, or its id.

    Returns
    -------
    dict, or list of dict for a list
        Among others ``id``, ``state``, ``description``, ``context``, ``tasks`` (None as long as nobody knows how many
        elements of an iterator will come) and how many of them are ``done``, ``submitted`` (local time), ``seconds``
        (until its end, or until now), ``RNGkind``, ``RNGseed``, ``error``.

    Raises
    ------
    RxJobError
        When there is no such job.

    Examples
    --------
    >>> from rxspark import RxLocalSeq, rxExec, rxGetJobInfo, rxWaitForJob
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(abs, -1, timesToRun=3)
    >>> rxWaitForJob(job)
    'finished'
    >>> info = rxGetJobInfo(job)
    >>> info["description"], info["done"], info["context"]
    ('rxExec abs: 3 tasks', 3, 'RxLocalSeq(wait=False)')
    """
    return ask_each(job, lambda one: one.info(), needed=True)


@overload
def rxWaitForJob(job: JobLike, timeout: float | None = ...) -> str: ...
@overload
def rxWaitForJob(job: JobList, timeout: float | None = ...) -> list[str]: ...
def rxWaitForJob(job: Any, timeout: float | None = None) -> str | list[str]:
    """Wait until a job has ended, whatever its end. Ctrl-C ends the waiting, not the job.

    Parameters
    ----------
    job : RxJob, str, or list of them
        The job, or its id; of a list, all are waited for, one after another.
    timeout : float, optional
        Seconds after which waiting for a job ends; default: none.

    Returns
    -------
    str, or list of str for a list
        The state then, see `rxGetJobStatus`; ``"running"`` or ``"queued"`` after a timeout.

    Raises
    ------
    RxJobError
        When there is no such job.

    Examples
    --------
    >>> from rxspark import RxLocalSeq, rxExec, rxWaitForJob
    >>> with RxLocalSeq(wait=False):
    ...     jobs = [rxExec(abs, -1), rxExec(abs, -2)]
    >>> rxWaitForJob(jobs, timeout=60)
    ['finished', 'finished']
    """
    return ask_each(job, lambda one: one.wait(timeout), needed=True)


@overload
def rxCancelJob(job: JobLike) -> bool: ...
@overload
def rxCancelJob(job: JobList) -> list[bool]: ...
def rxCancelJob(job: Any) -> bool | list[bool]:
    """End a job and what it runs. What its tasks have given stays, for ``rxGetJobResults(job, partial=True)``.

    Parameters
    ----------
    job : RxJob, str, or list of them
        The job, or its id.

    Returns
    -------
    bool, or list of bool for a list
        True when the job was ended by this; False when it had ended before.

    Raises
    ------
    RxJobError
        When there is no such job.

    Examples
    --------
    >>> import time
    >>> from rxspark import RxLocalSeq, rxCancelJob, rxExec, rxGetJobStatus
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(time.sleep, 60)
    >>> rxCancelJob(job), rxCancelJob(job), rxGetJobStatus(job)
    (True, False, 'canceled')
    """
    return ask_each(job, lambda one: one.cancel(), needed=True)


def rxCleanupJobs(jobs: Any, force: bool = False) -> None:
    """Remove what jobs have left: their results, and their files. Jobs that are gone already are passed over.

    Parameters
    ----------
    jobs : RxJob, str, or list of them
        Jobs, or their ids.
    force : bool, default False
        Also remove finished jobs whose results nobody has fetched, and end and remove those that still run.

    Raises
    ------
    RxJobError
        Without `force`: when a job is such a one; it is left alone.

    Examples
    --------
    >>> from rxspark import RxLocalSeq, rxCleanupJobs, rxExec, rxGetJobStatus
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(abs, -1)
    >>> rxCleanupJobs(job, force=True)
    >>> rxGetJobStatus(job)
    'missing'
    """
    refused: list[RxJobError] = []
    for one in list(map(find, jobs)) if is_list(jobs) else [find(jobs)]:
        try:
            if one is not None:
                one.cleanup(force)
        except RxJobError as problem:  # the others are removed all the same
            refused.append(problem)
    if refused:
        raise refused[0]


@overload
def rxResumeJob(job: RxJob[T], only: str | None = ..., computeContext: ComputeContext | None = ...) -> RxJob[T]: ...
@overload
def rxResumeJob(job: str, only: str | None = ..., computeContext: ComputeContext | None = ...) -> RxJob[Any]: ...
@overload
def rxResumeJob(
    job: JobList, only: str | None = ..., computeContext: ComputeContext | None = ...
) -> list[RxJob[Any]]: ...
def rxResumeJob(
    job: Any, only: str | None = None, computeContext: ComputeContext | None = None
) -> RxJob[Any] | list[RxJob[Any]]:
    """Run what is missing of a job that failed, was canceled, or whose program has ended; in the background.

    What its tasks have given is not run again, and the results are those of a job that nothing has disturbed: random
    streams are numbered. The context need not be the one under which the job was submitted.

    Parameters
    ----------
    job : RxJob, str, or list of them
        The job, or its id.
    only : "failed", optional
        Run the failed tasks again, too: also those of a job that has finished. In a chunk (`taskChunkSize`) tasks
        share a random stream, so all tasks of the chunk run again.
    computeContext : ComputeContext, optional
        Where to run; default the active context.

    Returns
    -------
    RxJob, or list of them for a list
        The job, queued or running again.

    Raises
    ------
    RxJobError
        When nothing is missing, or the job still runs, here or in another process, which the message names.

    Examples
    --------
    >>> import time
    >>> from rxspark import RxLocalSeq, rxCancelJob, rxElemArg, rxExec, rxGetJobResults, rxResumeJob, rxWaitForJob
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(lambda seconds: time.sleep(seconds) or seconds, rxElemArg([0, 0.5]), taskChunkSize=1)
    >>> rxCancelJob(job)
    True
    >>> rxWaitForJob(rxResumeJob(job))
    'finished'
    >>> rxGetJobResults(job)
    [0, 0.5]
    """
    return ask_each(job, lambda one: one.resume(only, computeContext), needed=True)
