"""rxExec: run a function many times in parallel, in five steps.

plan     FUN, arguments -> tasks -> partitions               calls/tasks.py
streams  seed, kind -> a root, from which each chunk draws   rng/
ship     function, constants -> bytes, once a call           serialize/pickler.py
run      partitions -> results, as they come                 jobs/job.py, backends/, worker/runner.py
gather   results -> RxResults                                results/gathering.py, results/results.py
"""

from __future__ import annotations

import inspect
import logging
import pickle
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from rxspark.backends import backend_for
from rxspark.backends.base import Backend, Work
from rxspark.backends.engine_errors import translate_errors
from rxspark.calls.exec_objects import exec_objects
from rxspark.calls.tasks import Tasks, cut, plan_tasks
from rxspark.contexts import ComputeContext, RxLocalSeq, chosen_context, rxGetComputeContext
from rxspark.data.bundle import Bundle
from rxspark.errors import RxArgumentError, closest
from rxspark.files.paths import FsPath, login
from rxspark.jobs.folder import create_job_folder, home_of
from rxspark.jobs.job import Job
from rxspark.jobs.record import Record, new_id
from rxspark.jobs.rxjob import submit
from rxspark.jobs.scheduler import run_and_gather
from rxspark.once import once
from rxspark.options import rxGetOption
from rxspark.results import Facts, node_name
from rxspark.results.gathering import Gathering, warn_of_failures, warn_of_preparing
from rxspark.results.timings import Clock
from rxspark.rng.kinds import Seed, SeedRoot, check_capacity, resolve
from rxspark.user_paths import store_folder
from rxspark.validation import module_names, whole_number
from rxspark.worker.current_task import current_task
from rxspark.worker.process_state import callers_settings, portable_filters
from rxspark.worker.protocol import Call

__all__ = ["rxExec"]

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
    foreachOpts: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> RxResultsOrJob[T]:
    """Run a function many times in parallel, where the compute context says.

    Parameters
    ----------
    FUN : callable
        The function to run: a function, lambda, method, class, builtin, partial or callable object.
    *args, **kwargs
        Arguments of FUN: constants for all tasks, or `rxElemArg(x)`, of which task i gets element i.
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
    foreachOpts : dict, optional
        Arguments for `joblib.Parallel` under RxForeachDoPar, such as ``{"n_jobs": 4}``; no effect elsewhere.

    Returns
    -------
    RxResults
        A list with the value of each task, in the order of the tasks.
    RxJob
        In a context with ``wait=False``, at once; `rxGetJobResults` gives the results once they are there.

    Raises
    ------
    RxArgumentError
        For arguments that are wrong or do not fit together; nothing has been launched then.
    RxShippingError
        When FUN or an argument cannot be sent to the workers; names the variable.
    RxMissingError
        When a worker lacks a package.
    RxContextError
        When the compute context cannot be served.
    RxTaskError
        With ``continueOnFailure=False``: the first task's error.

    Examples
    --------
    >>> from rxspark import rxElemArg, rxExec
    >>> rxExec(pow, rxElemArg(range(5)), 2)
    [0, 1, 4, 9, 16]
    >>> rxExec(lambda: __import__("random").random(), timesToRun=2, RNGseed=777) == rxExec(
    ...     lambda: __import__("random").random(), timesToRun=2, RNGseed=777, RNGkind="MT2203"
    ... )
    True
    """
    began = time.perf_counter()
    context = _context()
    plan = _plan(FUN, args, kwargs, elemArgs, timesToRun, oncePerElem, taskChunkSize, RNGscope, packagesToLoad, context)
    objects = exec_objects(FUN, execObjects, sys._getframe(1))
    options = _options(foreachOpts)
    relay = _flag("consoleOutput", consoleOutput, context.consoleOutput)
    stop_on_error = not _flag("continueOnFailure", continueOnFailure, True)
    cleanup = _flag("autoCleanup", autoCleanup, context.autoCleanup)

    root = resolve(RNGseed, RNGkind)
    check_capacity(root, -(-plan.tasks.count // plan.tasks_per_stream))
    if plan.tasks.count == 0 and context.wait:
        return cast("RxResultsOrJob[T]", Gathering(_facts(plan, root), []).results(Clock()))

    with translate_errors(repr(context)):
        backend = backend_for(context, background=not context.wait)
        if oncePerElem:
            plan = _one_task_a_node(plan, timesToRun, backend.nodes())
        parts = _parts(plan, backend, options)
    planned = time.perf_counter()
    job_id, share = new_id(), store_folder(context)
    home = None if share is None else home_of(share, job_id)
    to_last = home is not None and not context.wait  # longer than this process, and the handles it holds
    work = _ship(plan, parts, root, objects, options, stop_on_error, backend, job_id, home, to_last)
    with translate_errors(repr(context)):
        backend.prepare(root.kind, work.modules)
    record = Record(
        id=job_id,
        description=work.description,
        context=repr(context),
        user=login(),
        host=socket.gethostname(),
        created=time.time(),
        facts=_facts(plan, root),
        stop_on_error=stop_on_error,
        auto_cleanup=cleanup,
        console_output=relay,
        modules=sorted(work.modules),
        shared=sorted({handle.file for handle in work.shared}),
        planned=planned - began,
        shipped=time.perf_counter() - planned,
    )
    job = Job(backend, work, record, create_job_folder(home, record, work, parts))
    if not context.wait:
        return cast("RxResultsOrJob[T]", submit(job, backend))
    results = run_and_gather(job, cleanup)
    warn_of_failures(results, stacklevel=2)
    warn_of_preparing(results, stacklevel=2)
    return cast("RxResultsOrJob[T]", results)


@dataclass(frozen=True)
class _Plan:
    """Plan of a call: its tasks and how they are cut, before anything is shipped."""

    function: Callable[..., Any]
    tasks: Tasks
    chunk_size: int | None
    tasks_per_stream: int
    packages: tuple[str, ...]
    once_per_node: bool
    time_limit: float | None
    threads: int


def _plan(
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    elem_args: Any,
    times_to_run: Any,
    once_per_node: Any,
    chunk_size: Any,
    scope: Any,
    packages: Any,
    context: ComputeContext,
) -> _Plan:
    if not callable(function):
        raise RxArgumentError(f"FUN={function!r}: FUN is the function to run, not the result of calling it")
    _refuse_misspelt(function, kwargs)
    times = -1 if times_to_run in (-1, None) else whole_number("timesToRun", times_to_run, 0)
    size = None if chunk_size is None else whole_number("taskChunkSize", chunk_size, 1)
    if _flag("oncePerElem", once_per_node, False) and size is not None:
        raise RxArgumentError(
            f"taskChunkSize={size} with oncePerElem=True: each node runs one task; leave one of the two out"
        )
    if scope not in ("chunk", "task"):
        raise RxArgumentError(f'RNGscope={scope!r}: RNGscope is "chunk" or "task"')
    return _Plan(
        function,
        plan_tasks(function, args, kwargs, elem_args, times),
        size,
        size if size is not None and scope == "chunk" else 1,
        (*context.packagesToLoad, *module_names(packages, "packagesToLoad")),
        once_per_node,
        rxGetOption("taskTimeLimit") if context.taskTimeLimit is None else context.taskTimeLimit,
        context.threadsPerTask,
    )


def _flag(name: str, value: Any, default: bool) -> bool:
    if value is not None and not isinstance(value, bool):
        raise RxArgumentError(f"{name}={value!r}: {name} is True or False")
    return default if value is None else value


def _options(foreach_opts: Any) -> dict[str, Any]:
    if foreach_opts is not None and not isinstance(foreach_opts, Mapping):
        raise RxArgumentError(f"foreachOpts={foreach_opts!r}: foreachOpts is a dict of arguments for joblib.Parallel")
    return dict(foreach_opts or {})


# Arguments of RevoScaleR's rxExec that scripts may still have.
_WITHOUT_EFFECT = {"elemType", "quote"}


def _refuse_misspelt(function: Callable[..., Any], kwargs: dict[str, Any]) -> None:
    """Find keywords that were meant for rxExec: passed on to FUN, they would be without effect."""
    own = [name for name, p in inspect.signature(rxExec).parameters.items() if p.kind is p.KEYWORD_ONLY]
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):  # a builtin that does not tell: only what differs in its capitals is clear
        known = {*map(str.lower, own), *map(str.lower, _WITHOUT_EFFECT)}
        meant = {name: closest(name, own) for name in kwargs if name.lower() in known}
    else:
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        taken = {p.name for p in parameters}
        meant = {name: closest(name, own) for name in kwargs if name not in taken and not takes_any}
    for name in _WITHOUT_EFFECT & meant.keys():
        raise RxArgumentError(
            f"{name}={kwargs[name]!r}: leave {name} out; it had no effect in RevoScaleR since 9.2, and rxExec has none"
        )
    for name, guess in meant.items():
        if guess is not None:
            raise RxArgumentError(
                f"{name}={kwargs[name]!r}: neither rxExec nor FUN has an argument {name!r}; did you mean {guess}?"
            )


def _context() -> ComputeContext:
    """The context of this call: inside a task always sequential, since the task already has a worker."""
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
    spark = sys.modules.get("pyspark")
    if spark is not None and spark.SparkContext._active_spark_context is not None:
        _spark_pointed_out()


def _one_task_a_node(plan: _Plan, times_to_run: int, nodes: list[str]) -> _Plan:
    """The plan with a task for each node, or for each of those that the elements are named by."""
    tasks, known = plan.tasks, [node_name(node) for node in nodes]
    if tasks.names is not None:
        wanted = [node_name(name) for name in tasks.names]
        unknown = [name for name, node in zip(tasks.names, wanted, strict=True) if node not in known]
        if unknown or len(set(wanted)) < len(wanted):
            told = f"there is no node {unknown[0]!r}" if unknown else f"a node has two elements ({', '.join(wanted)})"
            raise RxArgumentError(
                f"oncePerElem=True with elements named {', '.join(tasks.names)}: {told}; the nodes are "
                f"{', '.join(known)}. Name each element by its node, or leave the names out"
            )
        return replace(plan, tasks=replace(tasks, names=wanted))
    if not tasks.columns and tasks.rows is None and times_to_run == -1:
        tasks = replace(tasks, count=len(nodes))
    elif tasks.rows is not None and len(tasks.rows) == 1:
        tasks = replace(tasks, count=len(nodes), rows=tasks.rows * len(nodes))
    if tasks.count != len(nodes):
        raise RxArgumentError(
            f"oncePerElem=True with {tasks.count} tasks, but there are {len(nodes)} nodes ({', '.join(known)}); "
            f"there must be one task for each node: leave timesToRun out, or give {len(nodes)} elements"
        )
    return replace(plan, tasks=replace(tasks, names=known))


def _parts(plan: _Plan, backend: Backend, options: dict[str, Any]) -> list[range]:
    """The tasks of each partition."""
    count = plan.tasks.count
    if plan.once_per_node:
        return [range(number, number + 1) for number in range(count)]
    return cut(count, plan.chunk_size, backend.slots(count, options), backend.partitions_per_slot)


def _ship(
    plan: _Plan,
    parts: list[range],
    root: SeedRoot,
    objects: dict[str, Any],
    options: dict[str, Any],
    stop_on_error: bool,
    backend: Backend,
    job_id: str,
    home: FsPath | None,
    to_last: bool,
) -> Work:
    """Turn the plan into bytes: the call, which travels once, and the partitions."""
    from rxspark.serialize.pickler import CallSerializer  # with cloudpickle, which only calls need
    from rxspark.serialize.user_modules import UserModules

    tasks = plan.tasks
    shipper = CallSerializer(backend.same_host, to_last)
    program = shipper.program(plan.function, tasks, objects)
    partitions = [Bundle([shipper.partition(tasks, numbers)]) for numbers in parts]
    for package in plan.packages:
        shipper.modules.note_name(package)
    sources = shipper.modules.sources(with_data=not backend.same_host)
    call = Call(
        job_id,
        root,
        plan.tasks_per_stream,
        plan.packages,
        sources,
        UserModules.digest(sources),
        portable_filters(),
        callers_settings(),
        logging.getLogger().level,
        rxGetOption("consoleLimit"),
        stop_on_error,
        plan.time_limit,
        plan.threads,
        backend.journals,
        None if home is None else str(home),
    )
    name = getattr(plan.function, "__name__", type(plan.function).__name__)
    description = f"rxExec {name}: {tasks.count} tasks"
    bundle = Bundle([pickle.dumps(call, 5), *program])
    return Work(
        job_id,
        description,
        bundle,
        partitions,
        parts,
        shipper.modules.needed(plan.function, sources) | set(plan.packages) - set(sources),
        nodes=(tasks.names or ()) if plan.once_per_node else (),
        options=options,
        shared=shipper.handles,
    )


def _facts(plan: _Plan, root: SeedRoot) -> Facts:
    return Facts(plan.tasks.count, plan.tasks.names, plan.chunk_size or 1, root, plan.once_per_node)
