"""Every error that rxspark raises.

    RxError
    ├── RxArgumentError      an argument is wrong; found before anything is launched (also a ValueError)
    ├── RxShippingError      a function or value cannot travel to the workers; names the variable
    ├── RxContextError       the place to run cannot be had: Java, Spark session, joblib backend
    ├── RxMissingError       a package is lacking, here or on a worker; says how to install it
    ├── RxFileError          a file command failed; names the path, the user and the reason (also an OSError)
    ├── RxCanceledError      the call was cancelled before it finished
    ├── RxCombineError       the user's `combine` failed for two values; names their types and tasks
    ├── RxJobError           a job is not in a state for what was asked of it; names the state and what to do
    └── RxTaskError          the user's function failed in one task
        ├── RxLostTaskError    the worker died while it ran the task; there is no Python error to show
        └── RxTimeLimitError   the task ran longer than the call allows, and was stopped

All but two say that the machinery was asked for something it cannot do. `RxTaskError` and `RxCombineError` say that
the machinery worked and the user's own code did not: they never wrap an error of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = [
    "RxArgumentError",
    "RxCanceledError",
    "RxCombineError",
    "RxContextError",
    "RxError",
    "RxFileError",
    "RxJobError",
    "RxLostTaskError",
    "RxMissingError",
    "RxModelWarning",
    "RxShippingError",
    "RxSizeWarning",
    "RxTaskError",
    "RxTaskWarning",
    "RxTimeLimitError",
    "bounded",
    "closest",
]


class RxError(Exception):
    """The root of all errors that rxspark raises.

    Attributes
    ----------
    java : str
        What the JVM said, traces included, where the error comes from Spark; else empty. The message has its reason.
    results : RxResults or None
        Where the error ended a call that waited: what had finished by then, with `RxNotFinished` for the rest, or, with
        ``combine=``, the RxCombined of what had finished; None where the values cannot be combined.
    """

    java: str = ""
    results: Any = None


class RxArgumentError(RxError, ValueError):
    """An argument is wrong: the message names the argument, the value and the fix."""


class RxShippingError(RxError):
    """A function or a value cannot be sent to the workers: the message names the variable that holds it."""


class RxContextError(RxError):
    """The compute context cannot be served: the message says what is missing and which context would do."""


class RxMissingError(RxError, ImportError):
    """A package is missing: the message names it, the host that lacks it, and how to install it."""


class RxFileError(RxError, OSError):
    """A file command failed: the message names the path, the user and the reason."""


class RxCanceledError(RxError):
    """The call was cancelled before all of its tasks had finished."""


class RxCombineError(RxError):
    """The function `combine` failed: the message names the types of the two values, their tasks, and the line."""


class RxJobError(RxError):
    """A job is not in a state for what was asked of it: the message names the state and what to do."""


class RxTaskError(RxError):
    """One task failed: the user's function raised, or its result cannot be pickled, or is too large to be brought home.

    It carries the user's error as text, so that it arrives whatever the error was made of, and pickles.

    Attributes
    ----------
    task : int
        The task's number, from 0.
    type : str
        The name of the user's exception class, such as ``"ZeroDivisionError"``.
    message : str
        The user's message, ``str(exception)``.
    traceback : str
        The traceback in the worker, from the user's function on.
    host : str
        The machine on which the task ran.
    original : BaseException or None
        The user's exception itself, where it could be pickled.
    earlier : tuple of str
        The errors of the task's earlier tries, where `taskRetries` let it be tried again.
    """

    def __init__(
        self,
        task: int,
        type: str,  # noqa: A002 - the word that users know from traceback reports
        message: str,
        traceback: str = "",
        host: str = "",
        original: BaseException | None = None,
    ) -> None:
        super().__init__(task, type, message, traceback, host)
        self.task = task
        self.type = type
        self.message = message
        self.traceback = traceback
        self.host = host
        self.original = original
        self.earlier: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        given = (self.task, self.type, self.message, self.traceback, self.host, self.original)
        return self.__class__, given, {"earlier": self.earlier}

    def __str__(self) -> str:
        """The user's error first, then the place, then the lines of the user's own code."""
        text = f"{self.type}: {self.message}" if self.message else self.type
        where = f" (task {self.task}" + (f" on {self.host})" if self.host else ")")
        where += "".join(f"\ntry {number} failed by {error}" for number, error in enumerate(self.earlier, 1))
        return text + where + (f"\n{self.traceback.rstrip()}" if self.traceback else "")

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} task {self.task}: {self.type}: {self.message}>"


class RxLostTaskError(RxTaskError):
    """The worker died while it ran this task: `type` is ``"WorkerDied"``, `message` says how it ended."""


class RxTimeLimitError(RxTaskError):
    """The task was stopped at its `taskTimeLimit`: `type` is ``"TimeLimitExceeded"``, `traceback` shows where."""


class RxModelWarning(UserWarning):
    """A model was fitted, but something about it is doubtful: the message says what."""


class RxSizeWarning(UserWarning):
    """A call sends much: the message names what takes most."""


class RxTaskWarning(UserWarning):
    """Some tasks of a call failed and their entries hold errors; given once a call.

    Attributes
    ----------
    results : RxResults
        The results of the call, which are not lost where warnings are raised as errors (``python -W error``).
    """

    results: Any


def bounded(text: str, limit: int) -> str:
    """Leave out the middle of a text that has more than `limit` characters.

    >>> bounded("abcdefghij", 4).split()
    ['ab', '...', '6', 'characters', 'left', 'out', '...', 'ij']
    """
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[len(text) - half :]}"


def closest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` is most likely a misspelling of, or None.

    >>> closest("rngSeed", ["RNGseed", "timesToRun"])
    'RNGseed'
    """
    folded = {word.lower().replace("_", ""): word for word in known}
    found = difflib.get_close_matches(name.lower().replace("_", ""), folded, n=1, cutoff=0.8)
    return folded[found[0]] if found else None
