"""Resume a job that has ended before it was done."""

from __future__ import annotations

import contextlib
import pickle
import secrets
from collections.abc import Iterator
from dataclasses import replace

from rxspark.backends.base import Backend
from rxspark.data.bundle import Bundle
from rxspark.errors import RxJobError
from rxspark.files.paths import open_path
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.job import Job
from rxspark.jobs.parents import ParentsJob
from rxspark.jobs.record import JobRecord
from rxspark.jobs.remote_job import RemoteJob
from rxspark.serialize.payload import PartitionPayload, Payload
from rxspark.worker.combining import AnyPartitionResult, each_task_once
from rxspark.worker.protocol import Call, Partition
from rxspark.worker.results import PartitionResult

__all__ = ["check_needs", "leased", "resumed"]


def check_needs(record: JobRecord) -> None:
    """Make sure that what a job needs besides its folder is there.

    Raises
    ------
    RxJobError
        When it is not: names the file.
    """
    if record.rows_in_engine:
        raise RxJobError(
            f"{record.id} cannot go on: the rows of its groups are in a table of Spark, which only its own call reads. "
            f"rxGetJobResults(job, partial=True) gives what is there; call rxExecBy again for the rest, with a "
            f"filterFunc that keeps the other groups: their random numbers stay the same"
        )
    if record.elements_read_later:
        raise RxJobError(
            f"{record.id} cannot go on: its elements came of an iterator, which was closed as the job ended, and those "
            f"that had not come are not known. rxGetJobResults(job, partial=True) gives what is there; call rxExec "
            f"again with the rest"
        )
    for file in record.shared_files:
        if open_path(file).info() is None:
            raise RxJobError(
                f"{record.id} cannot go on: it needs {file}, which rxShare had written and which ended with its "
                f"process. rxGetJobResults(job, partial=True) gives what is there; call rxExec again for the rest, "
                f"with wait=False, as such jobs take along what was shared"
            )


def resumed(
    backend: Backend, source: Job | RemoteJob | ParentsJob, state: str, payload: Payload, failed_too: bool
) -> Job:
    """Make the job that runs what is missing of one that ended in `state`, and, with `failed_too`, its failed tasks.

    Raises
    ------
    RxJobError
        When nothing of it is missing.
    """
    record, folder = source.record, source.folder
    call: Call = pickle.loads(payload.program.part(0))
    there = each_task_once(source.readable_results())
    redo_failures = failed_too or record.stop_on_error
    if record.combine is None:
        missing, kept = _missing(payload, there, redo_failures, alone=call.tasks_per_stream == 1)
    else:
        missing, kept = _missing_partitions(payload, there, redo_failures)
    if not missing:
        raise RxJobError(
            f"{record.id} is {state}, and nothing is missing: rxGetJobResults(job) gives its results; "
            f'rxResumeJob(job, only="failed") runs failed tasks again'
        )
    # A name of its own: workers know a call by it, and this one may come from another environment.
    call_id = f"{record.id}-{secrets.token_hex(4)}"
    new_call = replace(call, id=call_id, folder=None if folder is None else str(folder.path), journals=backend.journals)
    program = [pickle.dumps(new_call, 5), *(payload.program.part(index) for index in range(1, len(payload.program)))]
    rest = replace(payload, call_id=call_id, program=Bundle(program), partitions=tuple(missing), stored_program=None)
    job = Job(record, rest, backend, folder)
    job.resume_after(state, payload, kept)
    return job


def _missing(
    payload: Payload, there: list[AnyPartitionResult], redo_failures: bool, alone: bool
) -> tuple[list[PartitionPayload], list[AnyPartitionResult]]:
    """Find what is to be run: whole partitions, or, where each task has a stream `alone`, failed tasks of them.

    The results that stay come with it.
    """
    parts = [part for part in there if isinstance(part, PartitionResult)]
    answered = {number for part in parts for number in part.numbers}
    failed = {number for part in parts for number in part.failures} if redo_failures else set()
    missing: list[PartitionPayload] = []
    for partition in payload.partitions:
        numbers = partition.numbers
        if not answered.issuperset(numbers) or (not alone and not failed.isdisjoint(numbers)):
            missing.append(partition)  # in a chunk the tasks share a stream: all of them draw again
        elif not failed.isdisjoint(numbers):
            missing.append(_these_tasks(partition, failed))
    again = {number for numbers, _ in missing for number in numbers}
    return missing, [part.only(set(part.numbers) - again) for part in parts if not again.issuperset(part.numbers)]


def _missing_partitions(
    payload: Payload, there: list[AnyPartitionResult], redo_failures: bool
) -> tuple[list[PartitionPayload], list[AnyPartitionResult]]:
    """Find the same where results are combined: whole partitions, as no value can be put into a combined one."""
    whole = {part.numbers[0]: part for part in there if part.numbers and not (redo_failures and part.failures)}
    kept: list[AnyPartitionResult] = []
    missing: list[PartitionPayload] = []
    for partition in payload.partitions:
        part = whole.get(partition.numbers[0])
        if part is None or len(part.numbers) < len(partition.numbers):
            missing.append(partition)
        else:
            kept.append(part)
    return missing, kept


def _these_tasks(whole: PartitionPayload, wanted: set[int]) -> PartitionPayload:
    """Return those of a partition's tasks that are wanted, as a partition."""
    partition: Partition = pickle.loads(whole.data.part(0))
    indices = [index for index, number in enumerate(partition.numbers) if number in wanted]
    some = partition.only(indices)
    return PartitionPayload(some.numbers, Bundle([pickle.dumps(some, 5)]))


@contextlib.contextmanager
def leased(folder: JobFolder | None) -> Iterator[None]:
    """Be the one process that resumes a job; the next one may, when this one finds that it cannot."""
    if folder is None:
        yield
        return
    folder.take_lease()
    try:
        yield
    except BaseException:
        folder.give_back_lease()
        raise
