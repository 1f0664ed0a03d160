"""Compute contexts: frozen values that say where and how rxExec runs. They hold no process and no session."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, ClassVar, Self

from rxspark.elements import module_names
from rxspark.errors import RxArgumentError, closest
from rxspark.options import is_seconds
from rxspark.places import URL
from rxspark.redaction import without_secrets
from rxspark.worker.current_task import current_task

__all__ = [
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


ENVIRONMENT = "environment"
"""The folder, where an executor works, in which it unpacks the Python environment that travels."""


@dataclass(frozen=True, kw_only=True)
class ComputeContext:
    """What all compute contexts have in common; use one of its subclasses.

    Parameters
    ----------
    wait : bool, default True
        True: rxExec returns the results, once they are there. False: it returns an `RxJob` at once, and the tasks run
        in the background, see `rxGetJobResults`.
    consoleOutput : bool, default False
        Whether the console output of the tasks is shown here.
    autoCleanup : bool, default True
        Whether what a call has written for its own use is removed when its results are fetched.
    packagesToLoad : sequence of str, default ()
        Modules that the workers import before the first task, for every call under this context.
    taskTimeLimit : float, optional
        Seconds after which a task is stopped, native code included; its entry then holds an `RxTimeLimitError`.
        Default: the option of this name. With a limit the tasks run in child processes of the workers, which takes
        a third of a second to start, and they draw the same random numbers.
    threadsPerTask : int, default 1
        Threads that MKL, other BLAS libraries, OpenMP and numba use within one task. With more than one, fewer tasks
        run at once in RxLocalParallel, and in Spark sessions that rxspark makes (it sets spark.task.cpus there).
    shareDir : str, optional
        A folder that this machine's workers can read, for the files of a call; default the system's temporary one.

    Examples
    --------
    A context may be entered, and is then the active one up to the end of the block:

    >>> from rxspark import RxLocalParallel, rxExec
    >>> with RxLocalParallel():
    ...     rxExec(abs, -1, timesToRun=2)
    [1, 1]
    """

    alias: ClassVar[str]

    wait: bool = True
    consoleOutput: bool = False
    autoCleanup: bool = True
    packagesToLoad: tuple[str, ...] = ()
    shareDir: str | None = None
    taskTimeLimit: float | None = None
    threadsPerTask: int = 1

    def __post_init__(self) -> None:
        name = type(self).__name__
        for flag in ("wait", "consoleOutput", "autoCleanup"):
            if not isinstance(getattr(self, flag), bool):
                raise RxArgumentError(f"{name}({flag}={getattr(self, flag)!r}): {flag} is True or False")
        self._check_count("threadsPerTask")
        if self.taskTimeLimit is not None and not is_seconds(self.taskTimeLimit):
            raise RxArgumentError(
                f"{name}(taskTimeLimit={self.taskTimeLimit!r}): taskTimeLimit is None or a number of seconds above 0"
            )
        self._check_folder("shareDir")
        if self.shareDir is not None and URL.match(self.shareDir):
            raise RxArgumentError(
                f"{name}(shareDir={self.shareDir!r}): shareDir is a folder on this machine, such as '/tmp/rx', and no "
                f"URL; RxSpark(hdfsShareDir=...) takes the URL of a folder that all nodes reach"
            )
        object.__setattr__(self, "packagesToLoad", module_names(self.packagesToLoad, f"{name}(packagesToLoad=...)"))

    def _check_count(self, name: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise RxArgumentError(f"{type(self).__name__}({name}={value!r}): {name} is a whole number of at least 1")

    def _check_folder(self, name: str) -> None:
        value = getattr(self, name)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise RxArgumentError(f"{type(self).__name__}({name}={value!r}): {name} is the name of a folder")

    def __repr__(self) -> str:
        """The call that makes this context, with what differs from the defaults; secrets are not shown."""
        told = [
            f"{field.name}={without_secrets(_plain(getattr(self, field.name)))!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(told)})"

    def __enter__(self) -> Self:
        _entered.set((*_entered.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _entered.set(_entered.get()[:-1])


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


@dataclass(frozen=True, kw_only=True, repr=False)
class RxLocalSeq(ComputeContext):
    """Run the tasks one after another in this process: the default context.

    The function and its arguments take the same way through pickling as on a cluster, so what works here works
    there. A task leaves no trace in this process, but in files, and in modules and classes of yours that it changes:
    these it shares with you.

    Parameters
    ----------
    wait, consoleOutput, autoCleanup, packagesToLoad, shareDir, taskTimeLimit, threadsPerTask
        As for every context, see `ComputeContext`.

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
    wait, consoleOutput, autoCleanup, packagesToLoad, shareDir, taskTimeLimit, threadsPerTask
        As for every context, see `ComputeContext`.

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
    wait, consoleOutput, autoCleanup, packagesToLoad, shareDir, taskTimeLimit, threadsPerTask
        As for every context, see `ComputeContext`.

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
        ``"yarn"``, ``"local[2]"``, ``"spark://host:7077"``; an active session must have this one.
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
    wait, consoleOutput, autoCleanup, packagesToLoad, shareDir, taskTimeLimit, threadsPerTask
        As for every context, see `ComputeContext`.

    Examples
    --------
    >>> from rxspark import RxSpark
    >>> RxSpark(master="local[2]", extraSparkConfig={"spark.ui.enabled": "false"})
    RxSpark(master='local[2]', extraSparkConfig={'spark.ui.enabled': 'false'})
    """

    alias = "spark"

    master: str | None = None
    hdfsShareDir: str | None = None
    numExecutors: int | None = None
    executorCores: int | None = None
    executorMem: str | None = None
    driverMem: str | None = None
    executorOverheadMem: str | None = None
    queue: str | None = None
    pythonEnv: str | None = None
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
        archive = self.pythonEnv
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
        given = {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return _rebuild, (given,)

    def settings(self) -> dict[str, str]:
        """The Spark settings that this context asks for."""
        named = {
            "spark.executor.instances": self.numExecutors,
            "spark.executor.cores": self.executorCores,
            "spark.executor.memory": self.executorMem,
            "spark.driver.memory": self.driverMem,
            "spark.task.cpus": self.threadsPerTask if self.threadsPerTask > 1 else None,
            "spark.executor.memoryOverhead": self.executorOverheadMem,
            "spark.yarn.queue": self.queue,
            "spark.archives": self.pythonEnv and f"{self.pythonEnv}#{ENVIRONMENT}",
        }
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
_entered: ContextVar[tuple[ComputeContext, ...]] = ContextVar("rxspark_entered", default=())  # by `with`


def chosen_context() -> ComputeContext | None:
    """The context that somebody chose, or None: then RxLocalSeq is in force."""
    entered = _entered.get()
    return entered[-1] if entered else _chosen


def rxGetComputeContext() -> ComputeContext:
    """The active compute context; `RxLocalSeq()` when none was set.

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
    if _entered.get() or current_task() is not None:  # a task's choice ends with the task
        _entered.set((*_entered.get()[:-1], context))
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
    fields = [field.name for field in dataclasses.fields(context)]
    for name in changes:
        if name not in fields:
            guess = closest(name, fields)
            hint = f"did you mean {guess}?" if guess else f"it has {', '.join(fields)}"
            raise RxArgumentError(f"{type(context).__name__} has no argument {name!r}: {hint}")
    return dataclasses.replace(context, **changes)
