"""rxOptions: the settings of this process, in one typed table."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rxspark.errors import RxArgumentError, closest

__all__ = ["OPTIONS", "SET", "Option", "exception_classes", "in_force", "is_seconds", "rxGetOption", "rxOptions"]


@dataclass(frozen=True)
class Option:
    """One setting: its default, what it accepts, and what it does."""

    default: Any
    accepts: str
    valid: Callable[[Any], bool]
    about: str


def is_seconds(value: Any) -> bool:
    """Tell whether a value is a length of time: a finite number above 0."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def exception_classes(value: Any) -> tuple[type[BaseException], ...] | None:
    """Return the classes of exceptions that a user has named, one or several; None if it is anything else.

    >>> exception_classes(OSError), exception_classes([KeyError, OSError]), exception_classes("OSError")
    ((<class 'OSError'>,), (<class 'KeyError'>, <class 'OSError'>), None)
    """
    classes = tuple(value) if isinstance(value, (list, tuple, set, frozenset)) else (value,)
    if not classes or not all(isinstance(one, type) and issubclass(one, BaseException) for one in classes):
        return None
    return classes


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


OPTIONS: dict[str, Option] = {
    "numCoresToUse": Option(
        -1,
        "-1 or a whole number of at least 1",
        lambda v: _whole(v) and (v == -1 or v >= 1),
        "Worker processes of RxLocalParallel; -1, or more than there are, means all that this process may use.",
    ),
    "reportProgress": Option(
        1,
        "0 or 1",
        lambda v: _whole(v) and v in (0, 1),
        "1: calls that last longer than two seconds show a progress bar; 0: none does.",
    ),
    "consoleLimit": Option(
        100_000,
        "a whole number of characters, at least 0",
        lambda v: _whole(v) and v >= 0,
        "Characters of console output kept for one task; what is longer loses its middle.",
    ),
    "taskTimeLimit": Option(
        None,
        "None or a number of seconds above 0",
        lambda v: v is None or is_seconds(v),
        "Seconds after which a task is stopped, where the compute context names no other limit; None: never.",
    ),
    "taskRetries": Option(
        0,
        "a whole number, at least 0",
        lambda v: _whole(v) and v >= 0,
        "How often a task that fails is tried again, where the compute context says nothing.",
    ),
    "retryOn": Option(
        None,
        "None, or a class of exceptions or several",
        lambda v: v is None or exception_classes(v) is not None,
        "The errors behind which a task is tried again; None: all but SystemExit and KeyboardInterrupt.",
    ),
    "retryDelay": Option(
        0,
        "a number of seconds, at least 0",
        lambda v: (v == 0 and not isinstance(v, bool)) or is_seconds(v),
        "Seconds before the first retry; twice as many before each next one, at most 60.",
    ),
    "connectTimeout": Option(
        120,
        "a number of seconds above 0",
        is_seconds,
        "Seconds without an answer after which a Spark Connect server counts as lost.",
    ),
    "shareThreshold": Option(
        64 * 1024,
        "a whole number of bytes, at least 0",
        lambda v: _whole(v) and v >= 0,
        "Bytes from which what a call sends is written to a file that the tasks map.",
    ),
    "sizeWarning": Option(
        500_000_000,
        "a whole number of bytes, at least 0",
        lambda v: _whole(v) and v >= 0,
        "Bytes of FUN and its constants above which a warning names the largest of them.",
    ),
    "RNGkind": Option(
        "MT2203",
        "the name of a kind of generator, such as 'MT2203' or 'PHILOX'",
        lambda v: isinstance(v, str) and v.isalnum() and v.isupper(),
        "Kind of random number generator where a seed is given alone.",
    ),
}

SET = "rxspark.rxOptions"
"""The audit event of options that are set."""

in_force: dict[str, Any] = {name: option.default for name, option in OPTIONS.items()}
"""The values in force in this process."""


def _known(name: str) -> Option:
    if name in OPTIONS:
        return OPTIONS[name]
    guess = closest(name, OPTIONS)
    hint = f"did you mean {guess!r}?" if guess else f"the options are {', '.join(OPTIONS)}"
    raise RxArgumentError(f"there is no option {name!r}: {hint}")


def rxOptions(**values: Any) -> dict[str, Any]:
    """Set options of this process.

    Parameters
    ----------
    **values
        ``numCoresToUse`` : int, default -1
            Worker processes of `RxLocalParallel`; -1, or more than there are, means all that this process may use.
        ``reportProgress`` : 0 or 1, default 1
            Whether calls that last longer than two seconds show a progress bar.
        ``consoleLimit`` : int, default 100000
            Characters of console output that are kept for one task.
        ``taskTimeLimit`` : float, default None
            Seconds after which a task is stopped, where the compute context names no other limit; None: never.
        ``taskRetries`` : int, default 0
            How often a task that fails is tried again, where the compute context says nothing.
        ``retryOn`` : class of exceptions or sequence of them, default None
            The errors behind which a task is tried again; None: all but SystemExit and KeyboardInterrupt.
        ``retryDelay`` : float, default 0
            Seconds before the first retry; twice as many before each next one, at most 60.
        ``connectTimeout`` : float, default 120
            Seconds without an answer after which a Spark Connect server counts as lost.
        ``shareThreshold`` : int, default 65536
            Bytes from which what a call sends, such as FUN with all its constants, is written once to a file that the
            tasks map; smaller things travel with the tasks. On a cluster at least 1048576.
        ``sizeWarning`` : int, default 500000000
            Bytes of FUN and its constants above which a warning names the largest of them with their sizes.
        ``RNGkind`` : str, default "MT2203"
            Kind of random number generator where a seed is given alone; "PHILOX" needs no Intel MKL.

    Returns
    -------
    dict
        The previous values of the options that were set; all current values when none was given.

    Raises
    ------
    RxArgumentError
        For an unknown option or a value that it does not accept; nothing is set then.

    Examples
    --------
    >>> before = rxOptions(numCoresToUse=2)
    >>> rxGetOption("numCoresToUse")
    2
    >>> _ = rxOptions(**before)
    """
    for name, value in values.items():
        option = _known(name)
        if not option.valid(value):
            raise RxArgumentError(f"rxOptions({name}={value!r}): {name} must be {option.accepts}")
    if values:
        sys.audit(SET)
    previous = {name: in_force[name] for name in (values or in_force)}
    in_force.update(values)
    return previous


def rxGetOption(name: str) -> Any:
    """The current value of one option.

    Parameters
    ----------
    name : str
        One of the arguments of `rxOptions`.

    Returns
    -------
    int, float, str or None
        As the option has it.

    Raises
    ------
    RxArgumentError
        When there is no such option; the message suggests the likely one.

    Examples
    --------
    >>> rxGetOption("reportProgress")
    1
    """
    _known(name)
    return in_force[name]
