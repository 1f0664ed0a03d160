"""revoscalepy's own convention over rxspark: scripts of that package move here with one changed import.

    from rxspark.revoscalepy import RxLocalParallel, RxSpark, rx_exec, rx_set_compute_context

Names are written with underscores, a list among the keyword arguments of a function is spread over its executions, and
the arguments of contexts are revoscalepy's. What differs: a call that does not wait gives one job, and not a job for
each execution; results of a job that has not finished are an error, and not a message.
"""

from __future__ import annotations

import inspect
import shlex
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import pandas

from rxspark import contexts
from rxspark.backends.spark.application import rxSparkConnect, rxSparkDisconnect
from rxspark.calls.elements import rxElemArg
from rxspark.contexts import ComputeContext, rxGetComputeContext, rxSetComputeContext
from rxspark.errors import RxArgumentError, RxTaskError, RxTaskWarning
from rxspark.execute import rxExec
from rxspark.groups.api import rxExecBy
from rxspark.jobs.api import (
    rxCancelJob,
    rxCleanupJobs,
    rxGetJobInfo,
    rxGetJobOutput,
    rxGetJobResults,
    rxGetJobStatus,
    rxWaitForJob,
)
from rxspark.jobs.lookup import rxGetJobs
from rxspark.jobs.rxjob import RxJob, RxJobs
from rxspark.jobs.states import MISSING

__all__ = [
    "RxForeachDoPar",
    "RxLocalParallel",
    "RxLocalSeq",
    "RxRemoteJobStatus",
    "RxSpark",
    "rx_cancel_job",
    "rx_cleanup_jobs",
    "rx_exec",
    "rx_exec_by",
    "rx_get_compute_context",
    "rx_get_job_info",
    "rx_get_job_output",
    "rx_get_job_results",
    "rx_get_job_status",
    "rx_get_jobs",
    "rx_set_compute_context",
    "rx_spark_connect",
    "rx_spark_disconnect",
    "rx_wait_for_job",
]

# Arguments of revoscalepy's contexts for machinery that rxspark does not have.
_WITHOUT_EFFECT = {
    "idle_timeout",
    "interop",
    "name_node",
    "persistent_run",
    "port",
    "reset",
    "spark_reduce_method",
    "tmp_fs_work_dir",
    "user",
}


class RxRemoteJobStatus(StrEnum):
    """The states of a job; a missing one is undetermined, as in revoscalepy."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELED = "canceled"
    UNDETERMINED = "undetermined"
    RUNNING = "running"
    QUEUED = "queued"


def rx_exec(
    function: Callable[..., Any],
    args: Mapping[str, Any] | list[Mapping[str, Any]] | None = None,
    times_to_run: int = -1,
    task_chunk_size: int | None = None,
    compute_context: ComputeContext | None = None,
    local_state: Mapping[str, Any] | None = None,
    callback: Callable[[Any], Any] | None = None,
    continue_on_failure: bool = True,
    **kwargs: Any,
) -> list[Any] | Any:  # the other one is RxJob, in a context that does not wait
    """Run a function several times in parallel, by revoscalepy's rules for its arguments.

    Parameters
    ----------
    function : callable
        The function to run.
    args : dict or list of dict, optional
        Its keyword arguments: one dict for all executions, or one for each.
    times_to_run : int, default -1
        Number of executions; -1: as many as there are different arguments.
    task_chunk_size : int, optional
        Executions that run as one unit on one worker.
    compute_context : ComputeContext, optional
        Where this call runs; default the active context.
    local_state : dict, optional
        Objects that the function finds among its globals.
    callback : callable, optional
        Called here with the result of each execution, in their order.
    continue_on_failure : bool, default True
        True: the entry of an execution that failed holds its error. False: the first error is raised.
    **kwargs
        Further arguments of the function. A list has an element for each execution, anything else is for all of them;
        a list that is to be one argument is put into another one: ``values=[[1, 2, 3]]``.

    Returns
    -------
    list
        The result of each execution.
    RxJob
        One for all executions, in a context with ``wait=False``.

    Raises
    ------
    RxArgumentError
        When the lists differ in length, or `args` and `kwargs` give one argument twice.

    Examples
    --------
    >>> from rxspark.revoscalepy import rx_exec
    >>> rx_exec(lambda x, y: x * y, x=[1, 2, 3], y=6)
    [6, 12, 18]
    >>> rx_exec(lambda values: sum(values), values=[[1, 2, 3]])
    [6]
    >>> rx_exec(lambda name: f"Dear {name}", args=[{"name": "Ada"}, {"name": "Emmy"}])
    ['Dear Ada', 'Dear Emmy']
    """
    _check(args, local_state, callback, kwargs)
    constants = {} if args is None or isinstance(args, list) else dict(args)
    chosen = rxGetComputeContext() if compute_context is None else compute_context
    with chosen:
        found = rxExec(
            function,
            elemArgs=args if isinstance(args, list) else None,
            timesToRun=times_to_run,
            taskChunkSize=task_chunk_size,
            execObjects=dict(local_state) if local_state else None,
            continueOnFailure=continue_on_failure,
            **constants,
            **{name: _spread(value) for name, value in kwargs.items()},
        )
    if callback is not None:
        _tell(found, callback)
    return found


class _KeysFirst:
    """Calls a function whose first parameters are `data` and `keys`, in this order, with keys and data."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, keys: Any, data: Any, **parameters: Any) -> Any:
        return self._function(data, keys, **parameters)


def _takes_data_first(function: Any) -> bool:
    try:
        return list(inspect.signature(function).parameters)[:2] == ["data", "keys"]
    except (TypeError, ValueError):  # no function, or a builtin that does not tell
        return False


class RxExecByResults(pandas.DataFrame):  # type: ignore[misc]
    """The results of `rx_exec_by`: one row for each partition, under its keys.

    The column ``result`` has what the function gave, None where it failed; ``status`` is "OK" or the exception.
    """

    def to_dataframe(self) -> pandas.DataFrame:
        """Return the same as a plain data frame."""
        return pandas.DataFrame(self)


def rx_exec_by(
    input_data: Any,
    keys: list[str],
    function: Callable[..., Any],
    function_parameters: Mapping[str, Any] | None = None,
    filter_function: Callable[[Any], Any] | None = None,
    compute_context: ComputeContext | None = None,
) -> RxExecByResults:
    """Run a function on each partition of a table, and wait for the results in revoscalepy's form.

    Parameters
    ----------
    input_data : DataFrame or path
        The table, as `rxspark.rxExecBy` takes it.
    keys : list of str
        The columns whose values make the partitions.
    function : callable
        Called as ``function(keys, data, **function_parameters)``: `keys` is a dict, `data` a pandas DataFrame. Its
        parameters may also stand as ``(data, keys)``, as in some of revoscalepy's examples.
    function_parameters : dict, optional
        Further arguments of the function, by name.
    filter_function : callable, optional
        Gets the table of keys and gives the rows of it to keep.
    compute_context : ComputeContext, optional
        Where this call runs; default the active context.

    Returns
    -------
    RxExecByResults
        A data frame: the index has the keys, ``result`` the results, ``status`` "OK" or the exception.

    Examples
    --------
    >>> from rxspark.revoscalepy import rx_exec_by
    >>> table = {"city": ["Oslo", "Bergen", "Oslo"], "x": [1, 2, 5]}
    >>> found = rx_exec_by(table, keys=["city"], function=lambda keys, data: int(data["x"].sum()))
    >>> found.loc["Oslo", "result"], found["status"].tolist()
    (6, ['OK', 'OK'])
    """
    chosen = rxGetComputeContext() if compute_context is None else compute_context
    with replace(chosen, wait=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", RxTaskWarning)  # the column `status` tells
        called = _KeysFirst(function) if _takes_data_first(function) else function
        found = rxExecBy(input_data, keys, called, function_parameters, filter_function)
    names = [name for name in found.keys.columns if name != "rows"]
    table = found.keys[names].copy()
    pairs = [(None, value) if isinstance(value, RxTaskError) else (value, "OK") for value in found]
    table["result"] = pandas.Series([result for result, _ in pairs], dtype=object)
    table["status"] = pandas.Series([status for _, status in pairs], dtype=object)
    return RxExecByResults(table.set_index(names))


def _check(args: Any, local_state: Any, callback: Any, kwargs: dict[str, Any]) -> None:
    each = args if isinstance(args, list) else [] if args is None else [args]
    if not all(isinstance(one, Mapping) for one in each):
        raise RxArgumentError(f"args={args!r}: args is a dict of keyword arguments, or a list of such dicts")
    twice = sorted({name for one in each for name in one} & set(kwargs))
    if twice:
        raise RxArgumentError(f"{twice[0]}={kwargs[twice[0]]!r}: args gives {twice[0]!r} too; leave one of them out")
    if local_state is not None and not isinstance(local_state, Mapping):
        raise RxArgumentError(f"local_state={local_state!r}: local_state is a dict of objects by their names")
    if callback is not None and not callable(callback):
        raise RxArgumentError(f"callback={callback!r}: callback is a function that takes a result")


def _spread(value: Any) -> Any:
    """A list gives each execution an element; a list of one element gives that one to all of them."""
    if not isinstance(value, list):
        return value
    return value[0] if len(value) == 1 else rxElemArg(value)


def _tell(found: Any, callback: Callable[[Any], Any]) -> None:
    if isinstance(found, RxJob):
        found.add_done_callback(lambda job: _tell(rxGetJobResults(job, autoCleanup=False), callback))
        return
    for result in found:
        callback(result)


# ------------------------------------------------------------------ compute contexts


def RxLocalSeq(**arguments: Any) -> contexts.RxLocalSeq:
    """`rxspark.RxLocalSeq`, its arguments with underscores."""
    return contexts.RxLocalSeq(**_renamed("RxLocalSeq", arguments))


def RxLocalParallel(**arguments: Any) -> contexts.RxLocalParallel:
    """`rxspark.RxLocalParallel`, its arguments with underscores."""
    return contexts.RxLocalParallel(**_renamed("RxLocalParallel", arguments))


def RxForeachDoPar(**arguments: Any) -> contexts.RxForeachDoPar:
    """`rxspark.RxForeachDoPar`, its arguments with underscores."""
    return contexts.RxForeachDoPar(**_renamed("RxForeachDoPar", arguments))


def RxSpark(**arguments: Any) -> contexts.RxSpark:
    """`rxspark.RxSpark`, its arguments with underscores.

    Examples
    --------
    >>> from rxspark.revoscalepy import RxSpark
    >>> RxSpark(master="yarn", num_executors=4, executor_mem="4g", extra_spark_config="--conf spark.task.cpus=2")
    RxSpark(master='yarn', numExecutors=4, executorMem='4g', extraSparkConfig={'spark.task.cpus': '2'})
    """
    return contexts.RxSpark(**_spark_arguments("RxSpark", arguments))


def rx_spark_connect(**arguments: Any) -> contexts.RxSpark:
    """`rxspark.rxSparkConnect`, its arguments with underscores."""
    return rxSparkConnect(**_spark_arguments("rx_spark_connect", arguments))


def rx_spark_disconnect(compute_context: ComputeContext | None = None) -> None:
    """`rxspark.rxSparkDisconnect`; there is one Spark application a process, whatever the context."""
    rxSparkDisconnect()


def rx_set_compute_context(compute_context: ComputeContext | str) -> ComputeContext:
    """`rxspark.rxSetComputeContext`."""
    return rxSetComputeContext(compute_context)


def rx_get_compute_context() -> ComputeContext:
    """`rxspark.rxGetComputeContext`."""
    return rxGetComputeContext()


def _renamed(what: str, arguments: dict[str, Any]) -> dict[str, Any]:
    unused = sorted(_WITHOUT_EFFECT & set(arguments))
    if unused:
        warnings.warn(f"{what}: rxspark has no use for {', '.join(unused)}", RuntimeWarning, stacklevel=4)
    return {_camel(name): value for name, value in arguments.items() if name not in _WITHOUT_EFFECT}


def _spark_arguments(what: str, arguments: dict[str, Any]) -> dict[str, Any]:
    renamed = _renamed(what, arguments)
    config = renamed.get("extraSparkConfig")
    if isinstance(config, str):  # as on a spark-submit line
        words = [word for word in shlex.split(config) if word != "--conf"]
        renamed["extraSparkConfig"] = dict(word.split("=", 1) for word in words) or None
    return renamed


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


# ------------------------------------------------------------------ jobs


def rx_get_job_status(job_info: Any) -> RxRemoteJobStatus:
    """The state of a job."""
    state = str(rxGetJobStatus(job_info))
    return RxRemoteJobStatus.UNDETERMINED if state == MISSING else RxRemoteJobStatus(state)


def rx_get_job_results(job_info: Any, console_output: bool | None = None, auto_cleanup: bool | None = None) -> Any:
    """`rxspark.rxGetJobResults`."""
    return rxGetJobResults(job_info, console_output, auto_cleanup)


def rx_get_job_output(job_info: Any) -> Any:
    """`rxspark.rxGetJobOutput`."""
    return rxGetJobOutput(job_info)


def rx_get_job_info(job: Any) -> Any:
    """`rxspark.rxGetJobInfo`."""
    return rxGetJobInfo(job)


def rx_get_jobs(
    compute_context: ComputeContext | None = None,
    exact_match: bool = False,
    start_time: datetime | None = None,
    end_time: datetime | None = None,
    states: Any = None,
    verbose: bool = True,
) -> RxJobs:
    """`rxspark.rxGetJobs`; with `verbose`, printed too."""
    found = rxGetJobs(compute_context, exact_match, start_time, end_time, states)
    if verbose:
        print(found)
    return found


def rx_wait_for_job(job_info: Any) -> None:
    """Wait until a job has ended."""
    rxWaitForJob(job_info)


def rx_cancel_job(job_info: Any, console_output: bool | None = None) -> bool:
    """`rxspark.rxCancelJob`; with `console_output`, what the finished executions wrote is shown."""
    if console_output:
        print(rxGetJobOutput(job_info))
    return bool(rxCancelJob(job_info))


def rx_cleanup_jobs(job_info_list: Any, force: bool = False, verbose: bool = True) -> None:
    """`rxspark.rxCleanupJobs`; it has nothing to tell when all goes well, `verbose` or not."""
    rxCleanupJobs(job_info_list, force)
