"""Resume a job that has ended before it was done."""

from __future__ import annotations

import contextlib
import pickle
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rxspark.backends.base import Backend, Work
from rxspark.data.bundle import Bundle
from rxspark.errors import RxJobError
from rxspark.files.paths import open_path
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.job import Job
from rxspark.jobs.record import Plan, Record
from rxspark.worker.protocol import Call, Column, Partition
from rxspark.worker.results import PartitionResult, merged

__all__ = ["check_needs", "continued", "leased"]

Piece = tuple[Sequence[int], Bundle]


def check_needs(record: Record) -> None:
    """Make sure that what a job needs besides its folder is there.

    Raises
    ------
    RxJobError
        When it is not: names the file.
    """
    for file in record.shared:
        if open_path(file).info() is None:
            raise RxJobError(
                f"{record.id} cannot go on: it needs {file}, which rxShare had written and which ended with its "
                f"process. rxGetJobResults(job, partial=True) gives what is there; call rxExec again for the rest, "
                f"with wait=False, as such jobs take along what was shared"
            )


def continued(
    backend: Backend,
    record: Record,
    state: str,
    plan: Plan,
    partition_results: list[PartitionResult],
    failed_too: bool,
    folder: JobFolder | None,
) -> Job:
    """The job that runs what is missing of one that ended in `state`, and, with `failed_too`, its failed tasks again.

    Raises
    ------
    RxJobError
        When nothing of it is missing.
    """
    call: Call = pickle.loads(plan.call.part(0))
    there = merged(partition_results)
    answered = {number for part in there for number in part.numbers}
    failed = {number for part in there for number in part.failures} if failed_too or record.stop_on_error else set()
    alone = call.tasks_per_stream == 1
    pieces: list[Piece] = []
    for numbers, bundle in plan.partitions:
        if not answered.issuperset(numbers) or (not alone and not failed.isdisjoint(numbers)):
            pieces.append((numbers, bundle))  # in a chunk the tasks share a stream: all of them draw again
        elif not failed.isdisjoint(numbers):
            pieces.append(_these_tasks(bundle, failed))
    if not pieces:
        raise RxJobError(
            f"{record.id} is {state}, and nothing is missing: rxGetJobResults(job) gives its results; "
            f'rxResumeJob(job, only="failed") runs failed tasks again'
        )
    again = {number for numbers, _ in pieces for number in numbers}
    # A name of its own: workers know a call by it, and this one may come from another environment.
    new_call = replace(
        call,
        id=f"{record.id}-{secrets.token_hex(4)}",
        folder=None if folder is None else str(folder.place),
    )
    parts = [pickle.dumps(new_call, 5), *(plan.call.part(index) for index in range(1, len(plan.call)))]
    work = Work(
        record.id,
        record.description,
        Bundle(parts),
        [bundle for _, bundle in pieces],
        [numbers for numbers, _ in pieces],
        frozenset(record.modules),
        nodes=(record.facts.names or ()) if record.facts.once_per_node else (),
    )
    job = Job(backend, work, record, folder)
    kept = [part.only(set(part.numbers) - again) for part in there if not again.issuperset(part.numbers)]
    job.go_on_from(state, plan, kept)
    return job


def _these_tasks(bundle: Bundle, wanted: set[int]) -> Piece:
    """Those of a partition's tasks that are wanted, as a partition."""
    partition: Partition = pickle.loads(bundle.part(0))
    indices = [index for index, number in enumerate(partition.numbers) if number in wanted]
    numbers = [partition.numbers[index] for index in indices]
    columns = {place: _some(column, indices) for place, column in partition.columns.items()}
    rows = None if partition.rows is None else _some(partition.rows, indices)
    return numbers, Bundle([pickle.dumps(Partition(numbers, columns, rows), 5)])


def _some(column: Column, indices: list[int]) -> Column:
    return Column([column.values[index] for index in indices], column.pickled)


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
