"""RxJob: what rxExec returns in a context that does not wait, and what rxGetJobs lists."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex, TypeVar, cast, overload

from rxspark.backends import backend_for
from rxspark.backends.base import plain_interrupts
from rxspark.backends.engine_errors import translate_errors
from rxspark.contexts import ComputeContext, rxGetComputeContext
from rxspark.errors import RxArgumentError, RxJobError
from rxspark.jobs.endings import why_no_results
from rxspark.jobs.futures import JobFuture, awaited
from rxspark.jobs.gathering import Gathering, opened, warn_of_failures, warn_of_preparing
from rxspark.jobs.handing_out import check_that_all_is_kept, handed_out
from rxspark.jobs.job import Job
from rxspark.jobs.parents import ParentsJob, source_in_child
from rxspark.jobs.progress import Progress
from rxspark.jobs.relay import output_lines, relay
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.resume import check_needs, leased, resumed
from rxspark.jobs.scheduler import start
from rxspark.jobs.states import CANCELED, ENDED, FINISHED, MISSING, QUEUED, RUNNING, UNDETERMINED
from rxspark.jobs.table import jobs_html, text_table
from rxspark.results import RxCombined, RxGroupResults, RxResults
from rxspark.serialize.payload import Requirements
from rxspark.validation import check_flags, check_timeout
from rxspark.worker.results import PartitionResult

__all__ = [
    "CANCEL_TIMEOUT_S",
    "RxGroupResultsOrJob",
    "RxJob",
    "RxJobs",
    "RxResultsOrJob",
    "known_jobs",
    "results_of",
    "submit",
]

# Seconds between looks at the progress of a job that is waited for.
_POLL_INTERVAL_S = 0.5

# Seconds for which `cancel` waits until the job has let go of its workers: Spark gives a busy one two to end by itself.
CANCEL_TIMEOUT_S = 30.0

T = TypeVar("T")

_jobs: dict[str, RxJob[Any]] = {}
"""The jobs of this process that have something to give, by id."""


def _see_from_outside() -> None:
    """In a forked process: jobs that run do so in the parent; of those that have ended, the results are here, too."""
    for job in _jobs.values():
        job._source = source_in_child(job._source)


os.register_at_fork(after_in_child=_see_from_outside)


class RxJob(Generic[T]):
    """A job: a call of rxExec that runs, or ran, in the background.

    Attributes
    ----------
    id : str
        Its name, by which every function for jobs knows it too.

    Examples
    --------
    >>> from rxspark import RxLocalSeq, rxElemArg, rxExec
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(pow, rxElemArg([2, 3]), 2)
    >>> job.wait()
    'finished'
    >>> sorted(job)
    [(0, 4), (1, 9)]
    >>> job.results()
    [4, 9]
    """

    def __init__(self, source: Job | RemoteJob | ParentsJob) -> None:
        self._source = source
        self._future: JobFuture[T] | None = None
        self.id = source.record.id

    def __copy__(self) -> RxJob[T]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> RxJob[T]:
        return self  # a handle: there is one job

    def __reduce__(self) -> Any:
        raise RxArgumentError(
            f"{self.id} belongs to the program that submitted it and cannot be pickled; its id can, which "
            f"rxGetJobStatus and the other functions for jobs take as well"
        )

    def status(self) -> str:
        """The state of the job, see `rxGetJobStatus`."""
        return self._source.state

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the job has ended, at most `timeout` seconds; return its state, see `rxWaitForJob`."""
        check_timeout(timeout)
        source, shown = self._source, 0
        deadline = None if timeout is None else time.monotonic() + timeout
        record = source.record
        with plain_interrupts(), Progress(record.task_count, record.description, source.has_engines_bar) as progress:
            while True:
                left = _POLL_INTERVAL_S if deadline is None else min(_POLL_INTERVAL_S, deadline - time.monotonic())
                ended = source.wait(max(0.0, left))
                done = source.done
                progress.add(done - shown)
                shown = done
                if ended or left < _POLL_INTERVAL_S:
                    return source.state

    def results(
        self, partial: bool = False, consoleOutput: bool | None = None, autoCleanup: bool | None = None
    ) -> RxResults[T]:
        """The results of the job once it has finished, see `rxGetJobResults`."""
        return results_of([self], partial, consoleOutput, autoCleanup, stacklevel=2)[0]

    def _read(self, partial: bool, console_output: bool | None) -> RxResults[T]:
        source, record = self._source, self._source.record
        state = source.state
        if state == MISSING or (state != FINISHED and not partial):
            raise why_no_results(source, state)
        if isinstance(source, Job):
            check_that_all_is_kept(source)
        elif isinstance(source, RemoteJob) and not partial:
            source.wait_for_all()
        partition_results = source.partition_results()
        results = Gathering(record, partition_results).results(record.clock(source.ended))
        if record.console_output if console_output is None else console_output:
            for part in partition_results:
                relay(part)
        return cast("RxResults[T]", results)  # or RxCombined, as the call was

    def _was_read(self, auto_cleanup: bool | None) -> None:
        source = self._source
        if source.state != FINISHED:  # gone already, as it was in the list twice
            return
        remove = source.record.auto_cleanup if auto_cleanup is None else auto_cleanup
        source.mark_fetched(remove)
        if remove:
            _jobs.pop(self.id, None)

    def output(self) -> str:
        """Console text of the tasks that have finished, see `rxGetJobOutput`."""
        if self._source.state == MISSING:
            raise why_no_results(self._source, MISSING)
        texts = {number: text for part in self._source.partition_results() for number, text in part.output.items()}
        return "\n".join(output_lines(dict(sorted(texts.items()))))

    def cancel(self) -> bool:
        """End the job, and wait until its workers are free; whether it was to be ended, see `rxCancelJob`."""
        done = self._source.cancel("rxCancelJob was called")
        with plain_interrupts():
            self._source.wait(CANCEL_TIMEOUT_S)
        return done and self._source.state == CANCELED

    def cleanup(self, force: bool = False) -> None:
        """Remove what the job has left, see `rxCleanupJobs`."""
        check_flags(force=force)
        state = self._source.state
        if state == MISSING:
            return
        if state not in ENDED:
            if not force:
                raise RxJobError(
                    f"{self.id} is {state}: end it first with rxCancelJob(job), or with rxCleanupJobs(job, force=True)"
                )
            if state != UNDETERMINED:
                self.cancel()
        if state == FINISHED and not self._source.fetched and not force:
            raise RxJobError(
                f"{self.id} is finished and nobody has read its results: fetch them with rxGetJobResults(job), or "
                f"remove them unread with rxCleanupJobs(job, force=True)"
            )
        self._source.forget("it was removed by rxCleanupJobs")
        _jobs.pop(self.id, None)

    def resume(self, only: str | None = None, computeContext: ComputeContext | None = None) -> RxJob[T]:
        """Run what is missing of the job, see `rxResumeJob`."""
        context = rxGetComputeContext() if computeContext is None else computeContext
        if not (only is None or (isinstance(only, str) and only == "failed")):
            raise RxArgumentError(f'only={only!r}: only is None, for what is missing, or "failed"')
        if not isinstance(context, ComputeContext):
            raise RxArgumentError(f"computeContext={context!r}: computeContext is a compute context such as RxSpark()")
        source = self._source
        state = source.state
        if state in (QUEUED, RUNNING) and isinstance(source, RemoteJob):
            raise RxJobError(f"{self.id} is being run by {source.runner}: wait for it with rxWaitForJob(job)")
        if state in (MISSING, QUEUED, RUNNING):
            raise why_no_results(source, state)
        payload = source.payload()  # its damage is told before anybody is told to stay away
        check_needs(source.record)
        with translate_errors(repr(context)):
            backend = backend_for(context, background=True)
            backend.check(Requirements(source.record.seed_root.kind, frozenset(source.record.modules)))
        with leased(source.folder):
            job = resumed(backend, source, state, payload, only == "failed")
        self._source, self._future = job, None
        _jobs[self.id] = self
        start(job)
        return self

    def info(self) -> dict[str, Any]:
        """Facts about the job, see `rxGetJobInfo`."""
        source, record = self._source, self._source.record
        return {
            "id": self.id,
            "state": source.state,
            "description": record.description,
            "context": record.context,
            "tasks": source.task_count,
            "done": source.done,
            "user": record.user,
            "host": record.host,
            "submitted": datetime.fromtimestamp(record.created).astimezone(),
            "seconds": round((source.ended or time.time()) - record.created, 3),
            "RNGkind": record.seed_root.kind,
            "RNGseed": record.seed_root.seed,
            "autoCleanup": record.auto_cleanup,
            "fetched": source.fetched,
            "error": None if source.error is None else str(source.error),
        }

    def add_done_callback(self, callback: Callable[[RxJob[T]], Any]) -> None:
        """Call ``callback(job)`` once the job has ended, however it ended; at once if it has ended already.

        The callbacks of a job run one after another in a thread of their own, in the context (``with RxSpark(): ...``)
        in which they were added. They may submit jobs and wait for them. What they raise is logged.

        Examples
        --------
        >>> from rxspark import RxLocalSeq, rxExec
        >>> with RxLocalSeq(wait=False):
        ...     job = rxExec(abs, -1)
        >>> job.wait()
        'finished'
        >>> job.add_done_callback(lambda job: print(job.status()))
        finished
        """
        if not callable(callback):
            raise RxArgumentError(f"callback={callback!r}: callback is a function of one argument, the job")
        context = copy_context()
        self._source.when_ended(lambda: context.run(callback, self), apart=True)

    def future(self) -> Future[RxResults[T]]:
        """The results as a future, whose exception is the error that `results` raises; the same one each time.

        Cancelling it cancels the job. Its results are fetched as `rxGetJobResults` does, which removes the job unless
        it was made with ``autoCleanup=False``. ``await job`` gives the results in asyncio; there, cancelling the task
        that waits leaves the job alone.

        Examples
        --------
        >>> from rxspark import RxLocalSeq, rxElemArg, rxExec
        >>> with RxLocalSeq(wait=False):
        ...     job = rxExec(pow, rxElemArg([2, 3]), 2)
        >>> job.future().result(timeout=60)
        [4, 9]
        """
        if self._future is None:
            self._future = JobFuture(self._source, lambda: self.results())
        return self._future

    def __await__(self) -> Generator[Any, None, RxResults[T]]:
        return awaited(self.future()).__await__()

    def __iter__(self) -> Iterator[tuple[int, T]]:
        """Number and value of each task, as they finish; then raises what kept the rest from finishing, if anything.

        The value of a failed task is its `RxTaskError`. The results can still be fetched afterwards, unless it was not
        known how many tasks there would be: then each value is handed out once and kept no longer, so that a job
        without end takes no more and more memory.
        """
        source, seen = self._source, 0
        if source.record.combine is not None:
            raise RxJobError(
                f"{self.id} combines its results, so that no single ones come home: rxGetJobResults(job, partial=True) "
                f"gives the combined value of those that there are"
            )
        if isinstance(source, Job) and source.record.task_count is None:
            yield from handed_out(source)
            return
        while True:
            ended = source.state in ENDED  # asked first: what came before the end is then all there
            for part in source.partition_results(seen):
                seen += 1
                assert isinstance(part, PartitionResult)
                for number, value, error in opened(part):
                    yield number, value if error is None else cast("T", error)
            if ended:
                break
            with plain_interrupts():
                source.wait_for_more(seen, _POLL_INTERVAL_S)
        if source.state != FINISHED:
            raise why_no_results(source, source.state)

    def __repr__(self) -> str:
        return repr(RxJobs([self]))

    def _repr_html_(self) -> str:
        return RxJobs([self])._repr_html_()


class RxJobs(list[RxJob[Any]]):
    """Jobs, in the order in which they were submitted; prints as a table."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> RxJob[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[RxJob[Any]]: ...
    def __getitem__(self, index: Any) -> Any:
        if not self and not isinstance(index, slice):
            raise IndexError(
                "there are no jobs here: fetching its results removes a job, unless autoCleanup=False. Keep the job "
                "itself, job = rxExec(...), or give the compute context a shareDir to find jobs of other processes"
            )
        return super().__getitem__(index)

    def __repr__(self) -> str:
        return text_table([job.info() for job in self]) if self else "no jobs"

    def _repr_html_(self) -> str:
        return jobs_html([job.info() for job in self]) if self else "<p>no jobs</p>"


def results_of(
    jobs: list[RxJob[T]], partial: bool, console_output: bool | None, auto_cleanup: bool | None, stacklevel: int
) -> list[RxResults[T]]:
    """The results of jobs, none of which is removed before all of them could be read."""
    others = {"consoleOutput": console_output, "autoCleanup": auto_cleanup}
    check_flags(partial=partial, **{name: value for name, value in others.items() if value is not None})
    results = []
    for job in jobs:
        results.append(job._read(partial, console_output))
    for one in results:  # before the jobs are removed, since a warning may be raised as an error
        warn_of_failures(one, stacklevel + 1)
        warn_of_preparing(one, stacklevel + 1)
    if not partial:
        for job in jobs:
            job._was_read(auto_cleanup)
    return results


if TYPE_CHECKING:

    class RxResultsOrJob(RxResults[T], RxCombined[Any], RxJob[T]):
        """Result of rxExec: results, or with `combine` the combined one, or a job in a context that does not wait.

        A type checker lets it be each of these.
        """

        info: Any
        output: Any
        count: Any

        def __iter__(self) -> Iterator[T]: ...  # type: ignore[override] # a job's own gives pairs

    class RxGroupResultsOrJob(RxGroupResults[T], RxJob[T]):
        """The same of rxExecBy."""

        info: Any
        output: Any

        def __iter__(self) -> Iterator[T]: ...  # type: ignore[override]


def submit(job: Job) -> RxJob[Any]:
    """Start a job in the background, and give its handle."""
    job.detach()
    handle = _jobs[job.record.id] = RxJob(job)
    start(job)
    return handle


def known_jobs() -> dict[str, RxJob[Any]]:
    """The jobs of this process, by id."""
    return dict(_jobs)
