"""ComputeContext: the arguments and checks that all compute contexts have in common."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

from rxspark.errors import RxArgumentError, closest
from rxspark.files.paths import URL
from rxspark.options import OPTIONS, exception_classes
from rxspark.redaction import without_secrets
from rxspark.validation import module_names

__all__ = ["ComputeContext", "PathName", "as_text", "check_names", "entered", "plain"]

PathName = str | os.PathLike[str]

entered: ContextVar[tuple[ComputeContext, ...]] = ContextVar("rxspark_entered", default=())  # by `with`


@dataclass(frozen=True, kw_only=True)
class ComputeContext:
    """Base of all compute contexts, with their common arguments; use one of its subclasses.

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
    taskRetries : int, optional
        How often a task that fails is tried again, on the same worker. It begins anew, with fresh arguments and from
        the start of its own random numbers, so that its result is the one of a task that never failed. A lost worker
        and a `taskTimeLimit` that is over are no errors of the task, and are not tried again. `.info` has the number of
        tries, `RxTaskError.earlier` the errors before the last. Default: the option of this name, 0 at first.
    retryOn : class of exceptions or sequence of them, optional
        The errors behind which a task is tried again. Default: the option of this name, at first all but SystemExit
        and KeyboardInterrupt.
    retryDelay : float, optional
        Seconds before the first retry; twice as many before each next one, at most 60. Default: the option of this
        name, 0 at first.
    threadsPerTask : int, default 1
        Threads that MKL, other BLAS libraries, OpenMP and numba use within one task. With more than one, fewer tasks
        run at once in RxLocalParallel, and in Spark sessions that rxspark makes (it sets spark.task.cpus there).
    shareDir : str, optional
        A folder that this machine's workers can read, for the files of a call; default the system's temporary one.
    durable : bool, default True
        Whether calls that wait have a folder of their own in the share folder, from which another process can resume
        them. It costs some small files a call, half a second on HDFS; a call without one is lost with its process.
        Jobs with ``wait=False`` always have one, but for those whose elements come of an iterator.

    Raises
    ------
    RxArgumentError
        For an unknown argument or a value that it does not take.

    Examples
    --------
    A context may be entered, and is then the active one up to the end of the block:

    >>> from rxspark import RxLocalParallel, rxExec
    >>> with RxLocalParallel():
    ...     rxExec(abs, -1, timesToRun=2)
    [1, 1]
    """

    alias: ClassVar[str]

    def __new__(cls, *values: Any, **given: Any) -> Self:
        """Refuse positional and unknown arguments, and name the right ones."""
        if values:
            raise RxArgumentError(f"{cls.__name__}({values[0]!r}): arguments are given by name, {_fields_of(cls)}")
        check_names(cls, given)
        return super().__new__(cls)

    wait: bool = True
    consoleOutput: bool = False
    autoCleanup: bool = True
    packagesToLoad: tuple[str, ...] = ()
    shareDir: PathName | None = None
    durable: bool = True
    taskTimeLimit: float | None = None
    taskRetries: int | None = None
    retryOn: type[BaseException] | Sequence[type[BaseException]] | None = None
    retryDelay: float | None = None
    threadsPerTask: int = 1

    def __post_init__(self) -> None:
        name = type(self).__name__
        for flag in ("wait", "consoleOutput", "autoCleanup", "durable"):
            if not isinstance(getattr(self, flag), bool):
                raise RxArgumentError(f"{name}({flag}={getattr(self, flag)!r}): {flag} is True or False")
        self._check_count("threadsPerTask")
        for option in ("taskTimeLimit", "taskRetries", "retryOn", "retryDelay"):
            self._check_option(option)
        if self.retryOn is not None:
            object.__setattr__(self, "retryOn", exception_classes(self.retryOn))
        self._check_folder("shareDir")
        if self.share_dir is not None and URL.match(self.share_dir):
            raise RxArgumentError(
                f"{name}(shareDir={self.shareDir!r}): shareDir is a folder on this machine, such as '/tmp/rx', not "
                f"a URL; RxSpark(hdfsShareDir=...) takes the URL of a folder that all nodes reach"
            )
        object.__setattr__(self, "packagesToLoad", module_names(self.packagesToLoad, f"{name}(packagesToLoad=...)"))

    def _check_count(self, name: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise RxArgumentError(f"{type(self).__name__}({name}={value!r}): {name} is a whole number of at least 1")

    def _check_option(self, name: str) -> None:
        """Check an argument that overrides the option of its name, where it is given."""
        value, option = getattr(self, name), OPTIONS[name]
        if value is not None and not option.valid(value):
            accepts = option.accepts.removeprefix("None or ").removeprefix("None, or ")
            raise RxArgumentError(f"{type(self).__name__}({name}={value!r}): {name} is None or {accepts}")

    def _check_folder(self, name: str) -> None:
        value = as_text(getattr(self, name))
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise RxArgumentError(f"{type(self).__name__}({name}={value!r}): {name} is the name of a folder")
        object.__setattr__(self, name, value)

    @property
    def share_dir(self) -> str | None:
        """`shareDir` as text, from the user's home folder where it begins with "~"."""
        return None if self.shareDir is None else os.path.expanduser(self.shareDir)

    def __repr__(self) -> str:
        """The call that makes this context, with what differs from the defaults; secrets are not shown."""
        shown = [
            f"{field.name}={_as_written(without_secrets(plain(getattr(self, field.name))))}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __enter__(self) -> Self:
        entered.set((*entered.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered.set(entered.get()[:-1])


def as_text(path: Any) -> Any:
    """Return a path as text; anything else as it is."""
    return os.fspath(path) if isinstance(path, os.PathLike) else path


def plain(value: Any) -> Any:
    """Return a mapping as a dict; anything else as it is."""
    return dict(value) if isinstance(value, Mapping) else value


def _as_written(value: Any) -> str:
    """Return a value as its argument is written."""
    if isinstance(value, tuple) and value and all(isinstance(entry, type) for entry in value):
        names = ", ".join(entry.__qualname__ for entry in value)
        return f"({names},)" if len(value) == 1 else f"({names})"
    return repr(value)


def check_names(kind: type[ComputeContext], given: Iterable[str]) -> None:
    """Refuse arguments that a context does not have, and name the right ones."""
    fields = [field.name for field in dataclasses.fields(kind)]
    for name in given:
        if name not in fields:
            guess = closest(name, fields)
            hint = f"did you mean {guess}?" if guess else f"it has {', '.join(fields)}"
            raise RxArgumentError(f"{kind.__name__} has no argument {name!r}: {hint}")


def _fields_of(kind: type[ComputeContext]) -> str:
    return ", ".join(f"{field.name}=" for field in dataclasses.fields(kind))
