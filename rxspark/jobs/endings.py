"""Reasons why a job has no results to give, as errors that say what can be done."""

from __future__ import annotations

import copy

from rxspark.errors import RxCanceledError, RxError, RxJobError
from rxspark.jobs.job import Job
from rxspark.jobs.parents import ParentsJob
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.states import CANCELED, FAILED, MISSING, UNDETERMINED

__all__ = ["why_no_results"]


def why_no_results(source: Job | RemoteJob | ParentsJob, state: str) -> RxError:
    """Make the error that says why a job in this state has no results, and what can be done."""
    job_id = source.record.id
    there = (
        f"{source.done if source.task_count is None else f'{source.done} of {source.task_count}'} tasks have finished"
    )
    partial = "rxGetJobResults(job, partial=True) gives what is there"
    if not source.record.elements_read_later:
        partial += ", rxResumeJob(job) runs the rest"
    if state == MISSING:
        return RxJobError(f"{job_id} is missing: {source.error}")
    if state == CANCELED:
        return RxCanceledError(f"{job_id} was canceled: {source.error}; {there}. {partial}")
    if state == FAILED:
        return _failure(source, f"{there}. {partial}")
    if isinstance(source, RemoteJob) and source.is_unreadable:
        return RxJobError(f"{job_id} is undetermined: {source.error}")
    if state == UNDETERMINED:
        return RxJobError(f"{job_id} is undetermined: {source.error}; {there}. {partial}")
    return RxJobError(f"{job_id} is {state}; {there}. Wait for it with rxWaitForJob(job), or end it first")


def _failure(source: Job | RemoteJob | ParentsJob, hint: str) -> RxError:
    """Return the error by which a job failed, as a call that waits would have raised it."""
    job_id, reason = source.record.id, source.reason()
    if isinstance(reason, RxJobError) or not isinstance(reason, RxError):
        name = "" if isinstance(reason, RxJobError) else f"{type(reason).__name__}: "
        return RxJobError(f"{job_id} failed: {name}{reason}; {hint}")
    error = copy.copy(reason)
    error.__cause__ = reason.__cause__
    error.add_note(f"{job_id} failed by this; {hint}")
    return error
