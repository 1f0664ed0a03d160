"""Check arguments of public functions: each check gives the value to use, or an RxArgumentError that names the fix."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

from rxspark.errors import RxArgumentError

__all__ = ["check_flags", "check_timeout", "flag", "module_names", "one_of", "short_repr", "whole_number"]


def whole_number(name: str, value: Any, least: int) -> int:
    """Return `value` as an int; RxArgumentError unless it is a whole number (NumPy's too) of at least `least`."""
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise RxArgumentError(f"{name}={value!r}: {name} must be a whole number of at least {least}")
    return number


def flag(name: str, value: Any, default: bool) -> bool:
    """Return `value`, or the default in place of None; RxArgumentError unless it is True or False."""
    if value is None:
        return default
    check_flags(**{name: value})
    return bool(value)


def check_flags(**flags: Any) -> None:
    """Raise RxArgumentError for a value that is neither True nor False."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise RxArgumentError(f"{name}={value!r}: {name} is True or False")


def one_of(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return `value`; RxArgumentError unless it is one of these strings."""
    if not (isinstance(value, str) and value in choices):
        known = ", ".join(f'"{choice}"' for choice in choices[:-1])
        raise RxArgumentError(f'{name}={value!r}: {name} is {known} or "{choices[-1]}"')
    return value


def check_timeout(timeout: Any) -> None:
    """Raise RxArgumentError unless it is a number of seconds, or None."""
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if timeout is not None and not (number and timeout >= 0):  # which NaN is not
        raise RxArgumentError(f"timeout={timeout!r}: timeout is a number of seconds, at least 0, or None")


def module_names(value: Any, where: str) -> tuple[str, ...]:
    """Return module names from a string or a sequence of them; RxArgumentError for anything else."""
    if value is None:
        return ()
    names = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    for name in names:
        if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
            raise RxArgumentError(f"{where}: {name!r} is not the name of a module; write it as after `import`")
    return names


def short_repr(value: Any) -> str:
    """Show a value in an error message, in at most 60 characters."""
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 60 else text[:57] + "..."
