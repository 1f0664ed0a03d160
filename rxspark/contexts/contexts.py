"""Compute contexts: frozen values that say where and how rxExec runs. They hold no process and no session."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rxspark.contexts.base import ComputeContext, PathName, as_text, check_names, entered, plain
from rxspark.errors import RxArgumentError, closest
from rxspark.worker.current_task import current_task

__all__ = [
    "ARGUMENTS",
    "ENVIRONMENT",
    "ComputeContext",
    "RxForeachDoPar",
    "RxLocalParallel",
    "RxLocalSeq",
    "RxSpark",
    "chosen_context",
    "rxGetComputeContext",
    "rxSetComputeContext",
]


ARGUMENTS = {
    "numExecutors": "spark.executor.instances",
    "executorCores": "spark.executor.cores",
    "executorMem": "spark.executor.memory",
    "driverMem": "spark.driver.memory",
    "threadsPerTask": "spark.task.cpus",
    "executorOverheadMem": "spark.executor.memoryOverhead",
    "queue": "spark.yarn.queue",
    "pythonEnv": "spark.archives",
}
"""Arguments of `RxSpark` and the Spark settings that they are."""

ENVIRONMENT = "environment"
"""The folder, where an executor works, in which it unpacks the Python environment that travels."""


@dataclass(frozen=True, kw_only=True, repr=False)
class RxLocalSeq(ComputeContext):
    """Run the tasks one after another in this process: the default context.

    The function and its arguments take the same way through pickling as on a cluster, so what works here works
    there. A task leaves no trace in this process, but in files, and in modules and classes of yours that it changes:
    these it shares with you.

    Parameters
    ----------
    wait, consoleOutput, taskTimeLimit, ... : optional
        All arguments of `ComputeContext`, which every context has.

    Examples
    --------
    >>> from rxspark import RxLocalSeq, rxSetComputeContext
    >>> previous = rxSetComputeContext(RxLocalSeq())
    """

    alias = "local"


@dataclass(frozen=True, kw_only=True, repr=False)
class RxLocalParallel(ComputeContext):
    """Run the tasks in processes on the cores of this machine.

    As many worker processes as there are tasks, at most ``rxOptions(numCoresToUse=...)`` and at most the cores that
    this process may use (affinity and control groups count). They stay for later calls.

    Parameters
    ----------
    wait, consoleOutput, taskTimeLimit, ... : optional
        All arguments of `ComputeContext`, which every context has.

    Examples
    --------
    >>> from rxspark import RxLocalParallel, rxExec, rxElemArg
    >>> with RxLocalParallel():
    ...     rxExec(pow, rxElemArg([2, 3]), 2)
    [4, 9]
    """

    alias = "localpar"


@dataclass(frozen=True, kw_only=True, repr=False)
class RxForeachDoPar(ComputeContext):
    """Run the tasks on whatever joblib backend is active or registered: loky, multiprocessing, dask, ray and others.

    The backend and the number of its workers are joblib's: ``with joblib.parallel_config("loky", n_jobs=4)``, or the
    `foreachOpts` of rxExec, which go to `joblib.Parallel`. Without either, joblib runs one worker. With the threading
    backend the tasks take turns, since console, environment and random generators belong to the whole process.

    Parameters
    ----------
    wait, consoleOutput, taskTimeLimit, ... : optional
        All arguments of `ComputeContext`, which every context has.

    Examples
    --------
    >>> from rxspark import RxForeachDoPar, rxExec, rxElemArg
    >>> with RxForeachDoPar():
    ...     rxExec(pow, rxElemArg([2, 3]), 2, foreachOpts={"backend": "loky", "n_jobs": 2})
    [4, 9]
    """

    alias = "dopar"


@dataclass(frozen=True, kw_only=True, repr=False)
class RxSpark(ComputeContext):
    """Run the tasks on the executors of a Spark application.

    Attaches to the Spark session that is active in this process: of the PySpark shell, a spark-submit application or
    a notebook. Where there is none, one is made at the first call: with `master`, else with the master that
    spark-submit or spark-defaults.conf name, else on the cores of this machine.

    Parameters
    ----------
    master : str, optional
        ``"yarn"``, ``"local[2]"``, ``"spark://host:7077"``, ``"k8s://https://host:443"``; an active session must have
        this one.
    hdfsShareDir : str, optional
        A folder on a file system that all nodes reach, for the files of a call.
    numExecutors : int, optional
        Number of executors (spark.executor.instances).
    executorCores : int, optional
        Cores of each executor (spark.executor.cores).
    executorMem, driverMem : str, optional
        Memory of each executor and of the driver, such as ``"4g"`` (spark.executor.memory, spark.driver.memory).
    executorOverheadMem : str, optional
        What each executor has beside that for Python, NumPy and pandas (spark.executor.memoryOverhead).
    queue : str, optional
        The YARN queue that the application runs in (spark.yarn.queue).
    pythonEnv : str, optional
        The Python environment of the executors: the URL of an archive that ``python -m rxspark pack`` has made.
        Default: the interpreter that PYSPARK_PYTHON names, else the path of this one, which must exist on all nodes.
    extraSparkConfig : dict of str, optional
        Any other Spark settings. All settings count only where rxspark makes the session.
    wait, consoleOutput, taskTimeLimit, ... : optional
        All arguments of `ComputeContext`, which every context has.

    Examples
    --------
    >>> from rxspark import RxSpark
    >>> RxSpark(master="local[2]", extraSparkConfig={"spark.ui.enabled": "false"})
    RxSpark(master='local[2]', extraSparkConfig={'spark.ui.enabled': 'false'})
    """

    alias = "spark"

    master: str | None = None
    hdfsShareDir: PathName | None = None
    numExecutors: int | None = None
    executorCores: int | None = None
    executorMem: str | None = None
    driverMem: str | None = None
    executorOverheadMem: str | None = None
    queue: str | None = None
    pythonEnv: PathName | None = None
    extraSparkConfig: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("numExecutors", "executorCores"):
            if getattr(self, name) is not None:
                self._check_count(name)
        for name in ("executorMem", "driverMem", "executorOverheadMem"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and re.fullmatch(r"(?i)[1-9]\d*[kmgt]b?", value)):
                raise RxArgumentError(
                    f"RxSpark({name}={value!r}): {name} is an amount of memory such as '4g' or '700m'"
                )
        if self.queue is not None and not (isinstance(self.queue, str) and self.queue.strip()):
            raise RxArgumentError(f"RxSpark(queue={self.queue!r}): queue is the name of a YARN queue")
        self._check_folder("hdfsShareDir")
        archive = as_text(self.pythonEnv)
        object.__setattr__(self, "pythonEnv", archive)
        if archive is not None and not (isinstance(archive, str) and archive.endswith((".tar.gz", ".tgz", ".zip"))):
            raise RxArgumentError(
                f"RxSpark(pythonEnv={archive!r}): pythonEnv is the URL of a .tar.gz that `python -m rxspark pack` made"
            )
        config = self.extraSparkConfig
        if config is not None:
            if not isinstance(config, Mapping) or not all(isinstance(key, str) for key in config):
                raise RxArgumentError(
                    f"RxSpark(extraSparkConfig={config!r}): extraSparkConfig is a dict of Spark settings, "
                    f"such as {{'spark.task.cpus': '2'}}"
                )
            texts = MappingProxyType({key: _setting(value) for key, value in config.items()})
            object.__setattr__(self, "extraSparkConfig", texts)

    def __hash__(self) -> int:
        return hash(repr(self))  # equal contexts have equal ones

    def __reduce__(self) -> Any:
        given = {field.name: plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return _rebuild, (given,)

    def settings(self) -> dict[str, str]:
        """The Spark settings that this context asks for."""
        named = {setting: getattr(self, argument) for argument, setting in ARGUMENTS.items()}
        if self.threadsPerTask == 1:  # Spark's default
            del named[ARGUMENTS["threadsPerTask"]]
        if self.pythonEnv is not None:
            named[ARGUMENTS["pythonEnv"]] = f"{os.path.expanduser(self.pythonEnv)}#{ENVIRONMENT}"
        return {name: str(value) for name, value in named.items() if value is not None} | dict(
            self.extraSparkConfig or {}
        )


def _setting(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rebuild(given: dict[str, Any]) -> RxSpark:
    return RxSpark(**given)


_CONTEXTS: dict[str, type[ComputeContext]] = {
    context.alias: context for context in (RxLocalSeq, RxLocalParallel, RxForeachDoPar, RxSpark)
}

_chosen: ComputeContext | None = None  # by rxSetComputeContext, for the whole process


def chosen_context() -> ComputeContext | None:
    """The context that was set or entered, or None: then RxLocalSeq is in force."""
    inner = entered.get()
    return inner[-1] if inner else _chosen


def rxGetComputeContext() -> ComputeContext:
    """The active compute context; `RxLocalSeq()` when none was set.

    Returns
    -------
    ComputeContext
        That of the innermost `with` block, else the one that `rxSetComputeContext` has set.

    Examples
    --------
    >>> from rxspark import rxGetComputeContext
    >>> rxGetComputeContext()
    RxLocalSeq()
    """
    return chosen_context() or RxLocalSeq()


def rxSetComputeContext(context: ComputeContext | str, **changes: Any) -> ComputeContext:
    """Set the compute context for the calls that follow, in this process or in the `with` block of a context.

    Parameters
    ----------
    context : ComputeContext or {"local", "localpar", "dopar", "spark"}
        The context, or the short name of one with its defaults.
    **changes
        Fields to change in it, as in ``rxSetComputeContext("spark", master="local[2]")``; the context that was
        passed stays as it is.

    Returns
    -------
    ComputeContext
        The previous one, to be set again later.

    Raises
    ------
    RxArgumentError
        For an unknown name or field.

    Examples
    --------
    >>> from rxspark import rxGetComputeContext, rxSetComputeContext
    >>> previous = rxSetComputeContext("localpar", consoleOutput=True)
    >>> rxGetComputeContext()
    RxLocalParallel(consoleOutput=True)
    >>> rxSetComputeContext(previous)
    RxLocalParallel(consoleOutput=True)
    """
    global _chosen
    previous = rxGetComputeContext()
    context = _with_changes(_named(context), changes)
    if entered.get() or current_task() is not None:  # a task's choice ends with the task
        entered.set((*entered.get()[:-1], context))
    else:
        _chosen = context
    return previous


def _named(context: ComputeContext | str) -> ComputeContext:
    if isinstance(context, ComputeContext):
        return context
    names = {**_CONTEXTS, **{kind.__name__: kind for kind in _CONTEXTS.values()}}
    if isinstance(context, str) and context in names:
        return names[context]()
    guess = closest(context, names) if isinstance(context, str) else None
    hint = f"did you mean {guess!r}?" if guess else f"use a context such as RxSpark(), or one of {', '.join(names)}"
    raise RxArgumentError(f"rxSetComputeContext(context={context!r}): {hint}")


def _with_changes(context: ComputeContext, changes: dict[str, Any]) -> ComputeContext:
    check_names(type(context), changes)
    return dataclasses.replace(context, **changes)
