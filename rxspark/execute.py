"""rxExec: run a function many times in parallel, in five steps.

spec     the arguments, checked -> tasks, streams               calls/spec.py, rng/kinds.py
open     the compute context -> a backend on its session        backends/
ship     function, constants, elements -> bytes, once a call    serialize/payload.py
run      partitions -> their results, as they come              jobs/job.py, jobs/attempts.py, worker/runner.py
gather   results of partitions -> RxResults                     jobs/gathering.py

Words, each with one meaning everywhere:

call        what rxExec was asked to do
task        one run of FUN
chunk       consecutive tasks that the user wants to run as one unit
partition   tasks that run one after another in one place
batch       short partitions that go to a worker of this machine together
payload     the bytes that a call sends: the program (FUN and its constants) and the partitions
result      what a task gave; the results of a partition travel together
failure     the error of a task, as text
attempt     one try to run the partitions that have no results yet
session     all that is kept for one Spark, classic or Connect
backend     the code that runs attempts for one kind of compute context
job         the owner of a call from its launch to its end; its folder, if it has one, outlives its process
lease       the right to run a job; of one process at a time
heartbeat   the sign that the process which runs a job is alive
journal     what a worker has finished of a partition, on its host
store       puts bytes where workers reach them, and gives a reference
branch      part of the tree by which results are combined; it stands for neighbouring tasks
stream      numbers of one random generator; the seed root is what all streams of a call come from
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from rxspark.backends import backend_for
from rxspark.backends.base import Backend
from rxspark.backends.engine_errors import translate_errors
from rxspark.calls.spec import CallSpec
from rxspark.concurrency import once
from rxspark.contexts import ComputeContext, RxLocalSeq, chosen_context, rxGetComputeContext
from rxspark.jobs.folder import JobFolder, new_job_folder
from rxspark.jobs.gathering import AnyResults, Gathering, warn_of_failures, warn_of_preparing
from rxspark.jobs.job import Job
from rxspark.jobs.record import JobRecord
from rxspark.jobs.rxjob import RxJob, submit
from rxspark.jobs.scheduler import run_and_gather
from rxspark.jobs.states import QUEUED, RUNNING
from rxspark.results.timings import Clock
from rxspark.rng.kinds import Seed
from rxspark.serialize.payload import Destination, serialize_call
from rxspark.worker.current_task import current_task

__all__ = ["call_context", "run_call", "rxExec"]

if TYPE_CHECKING:
    from rxspark.jobs.rxjob import RxResultsOrJob

T = TypeVar("T")

logger = logging.getLogger("rxspark")


def rxExec(
    FUN: Callable[..., T],
    *args: Any,
    elemArgs: list[Any] | tuple[Any, ...] | Mapping[Any, Any] | None = None,
    oncePerElem: bool = False,
    timesToRun: int = -1,
    packagesToLoad: str | Sequence[str] | None = None,
    execObjects: str | Sequence[str] | Mapping[str, Any] | None = None,
    taskChunkSize: int | None = None,
    consoleOutput: bool | None = None,
    autoCleanup: bool | None = None,
    continueOnFailure: bool = True,
    RNGseed: Seed = None,
    RNGkind: str | None = None,
    RNGscope: Literal["chunk", "task"] = "chunk",
    combine: Callable[[Any, Any], Any] | str | None = None,
    foreachOpts: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> RxResultsOrJob[T]:
    """Run a function many times in parallel, where the compute context says.

    Parameters
    ----------
    FUN : callable
        The function to run: a function, lambda, method, class, builtin, partial or callable object.
    *args, **kwargs
        Arguments of FUN: constants for all tasks, or `rxElemArg(x)`, of which task i gets element i. In a context with
        ``wait=False`` x may be an iterator, also one without end; see Notes.
    elemArgs : list or dict, optional
        One entry a task: a value, a tuple of positional arguments or a dict of keyword arguments; positional ones
        come before `args`. The keys of a dict of entries name the results. A single entry serves all tasks.
    oncePerElem : bool, default False
        Run once on each node; the results are named by node. On one machine that is one run. Named elements go to
        the nodes that they are named by.
    timesToRun : int, default -1
        Number of tasks; -1: as many as there are elements, and 1 without any.
    packagesToLoad : str or sequence of str, optional
        Modules that the workers import first, and that FUN then finds among its globals by their names.
    execObjects : str, sequence of str, or dict, optional
        Objects to put among FUN's globals: names, looked up where rxExec is called, or a dict of name to object.
    taskChunkSize : int, optional
        Consecutive tasks that run as one unit, one after another on one worker and on one random stream. Without
        it, rxspark spreads the tasks, and each has a stream of its own.
    consoleOutput : bool, optional
        Whether to show here what the tasks write; default as the context says. Kept in `.output` either way.
    autoCleanup : bool, optional
        Whether files of the call are removed once the results are there; default as the context says.
    continueOnFailure : bool, default True
        True: a failed task's entry holds its `RxTaskError`, the others go on, and one warning is given. False: the
        first error is raised and what still runs is cancelled.
    RNGseed : int or "auto", optional
        Seed of the random streams, 0 to 2**63 - 1. The same seed gives the same numbers in every context.
    RNGkind : str, optional
        Kind of random number generator, or "auto"; if a seed is given alone, that of ``rxOptions(RNGkind=)``, which is
        "MT2203" at first. "auto" without a seed takes "PHILOX" on a machine without Intel MKL.
    RNGscope : {"chunk", "task"}, default "chunk"
        "task" gives each task a stream of its own even inside a chunk, so that `taskChunkSize` changes no number.
    combine : callable or {"sum", "prod", "min", "max", "concat"}, optional
        Combines the results instead of bringing each home: ``combine(a, b)`` makes one value of the values of two
        tasks, or of two such values, `a` being that of the earlier tasks. It runs on the workers first, and must be
        associative up to rounding and draw no random numbers; it may change `a` and give it back. Which values meet
        is a matter of the number of tasks alone: a binary tree over the tasks' numbers, where branch j of level k
        stands for the tasks j * 2**k to (j + 1) * 2**k - 1, and failed tasks are left out. So equal values of equal
        tasks give the same bits in every context, with any workers, chunks and retries. "concat" joins arrays, data
        frames, lists and text.
    foreachOpts : dict, optional
        Arguments for `joblib.Parallel` under RxForeachDoPar, such as ``{"n_jobs": 4}``; no effect elsewhere.

    Returns
    -------
    RxResults
        A list with the value of each task, in the order of the tasks.
    RxCombined
        With `combine`: the combined value, and how many tasks' values it stands for.
    RxJob
        In a context with ``wait=False``, at once; `rxGetJobResults` gives the results once they are there.

    Raises
    ------
    RxArgumentError
        For arguments that are wrong or do not fit together; nothing has been launched then.
    RxCombineError
        When `combine` fails; names the types of the two values.
    RxShippingError
        When FUN or an argument cannot be sent to the workers; names the variable.
    RxMissingError
        When a worker lacks a package.
    RxContextError
        When the compute context cannot be served.
    RxTaskError
        With ``continueOnFailure=False``: the first task's error.

    Notes
    -----
    Elements of iterators in a context with ``wait=False``: a thread reads them while the tasks run, in the caller's
    context variables, three partitions for each slot ahead of the results. A partition is `taskChunkSize` elements, or
    without it one. Results come by iterating over the job, which keeps them no longer then, if it is not known how many
    there will be. Values and random numbers are those of a call with all elements at once. Such a job lives as long as
    this program, also with a share folder, and cannot be resumed. When an iterator raises, or ends before another
    argument, the job fails by an error that says so, and the results of the tasks before are there. Cancelling the job
    closes generators.

    Examples
    --------
    >>> from rxspark import rxElemArg, rxExec
    >>> rxExec(pow, rxElemArg(range(5)), 2)
    [0, 1, 4, 9, 16]
    >>> rxExec(lambda: __import__("random").random(), timesToRun=2, RNGseed=777) == rxExec(
    ...     lambda: __import__("random").random(), timesToRun=2, RNGseed=777, RNGkind="MT2203"
    ... )
    True
    >>> rxExec(pow, rxElemArg(range(1000)), 2, combine="sum").value
    332833500
    """
    context = call_context()
    began = time.perf_counter()
    spec = CallSpec.checked(
        context,
        FUN,
        args,
        kwargs,
        sys._getframe(1),
        elemArgs=elemArgs,
        oncePerElem=oncePerElem,
        timesToRun=timesToRun,
        packagesToLoad=packagesToLoad,
        execObjects=execObjects,
        taskChunkSize=taskChunkSize,
        consoleOutput=consoleOutput,
        autoCleanup=autoCleanup,
        continueOnFailure=continueOnFailure,
        RNGseed=RNGseed,
        RNGkind=RNGkind,
        RNGscope=RNGscope,
        combine=combine,
        foreachOpts=foreachOpts,
    )
    return cast("RxResultsOrJob[T]", run_call(spec, context, began, stacklevel=2))


def run_call(
    spec: CallSpec,
    context: ComputeContext,
    began: float,
    stacklevel: int,
    make_backend: Callable[[ComputeContext, bool], Backend] = backend_for,
) -> AnyResults | RxJob[Any]:
    """Run a call that has been checked: give its results, or its job in a context that does not wait.

    `began` is the clock's time when it was made; warnings point at the line `stacklevel` frames up.
    """
    if spec.tasks.count == 0 and context.wait:
        return Gathering(JobRecord.of_call(spec, context), []).results(Clock())
    with translate_errors(repr(context)):
        backend = make_backend(context, not context.wait)
    job = _make_job(spec, context, backend, began)
    if not context.wait:
        return submit(job)
    results = run_and_gather(job)
    warn_of_failures(results, stacklevel + 1)
    warn_of_preparing(results, stacklevel + 1)
    return results


def _make_job(spec: CallSpec, context: ComputeContext, backend: Backend, began: float) -> Job:
    """Turn a call into a job that can be run."""
    with translate_errors(repr(context)):
        if spec.once_per_node:
            spec = spec.for_nodes(backend.nodes())
        count = sys.maxsize if spec.tasks.count is None else spec.tasks.count
        slots = backend.slots(count, spec.foreach_options)
    planned = time.perf_counter()
    record = JobRecord.of_call(spec, context)
    folder = new_job_folder(context, record.id)
    if folder is not None and record.elements_read_later:
        kept = "%s is not kept in %s, as its elements are not all there yet: it ends with this program"
        logger.warning(kept, record.id, folder.path.parent)
        folder = None
    partitions = spec.partitions(slots, backend.partitions_per_slot)
    payload = serialize_call(spec, partitions, record.id, _destination(backend, slots, folder, context))
    shipped = time.perf_counter()
    with translate_errors(repr(context)):
        backend.check(payload.requirements)
    record = record.launched(payload, planned - began, shipped - planned, time.perf_counter() - shipped)
    if folder is not None:
        payload = folder.create(record, payload, RUNNING if context.wait else QUEUED)
    return Job(record, payload, backend, folder, spec.foreach_options)


def _destination(backend: Backend, slots: int, folder: JobFolder | None, context: ComputeContext) -> Destination:
    return Destination(
        same_host=backend.same_host,
        slots=slots,
        journals=backend.journals,
        job_folder=None if folder is None else str(folder.path),
        outlives_process=folder is not None and not context.wait,  # and with it the handles that it holds
    )


def call_context() -> ComputeContext:
    """Return the context of this call: inside a task always sequential, since the task already has a worker."""
    if current_task() is not None:
        return RxLocalSeq()
    if chosen_context() is None:
        _point_to_spark()
    return rxGetComputeContext()


@once
def _spark_pointed_out() -> None:
    logger.warning(
        "a Spark session is active, but no compute context was chosen: rxExec runs in this process, one task after "
        'another. rxSetComputeContext("spark") makes it run on Spark'
    )


def _point_to_spark() -> None:
    context = getattr(sys.modules.get("pyspark"), "SparkContext", None)  # the pure client of Spark Connect has none
    if context is not None and context._active_spark_context is not None:
        _spark_pointed_out()
