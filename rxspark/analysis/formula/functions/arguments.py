"""Arguments of functions that are a single value, and what is told of those that cannot be."""

from __future__ import annotations

from rxspark.analysis.formula.values import Value, as_numbers, as_text
from rxspark.errors import RxArgumentError

__all__ = ["flag", "number", "one_of", "refused"]


def refused(function: str, why: str) -> RxArgumentError:
    """The error for a call that cannot be; the evaluation adds where it stands."""
    return RxArgumentError(f"{function}: {why}")


def number(value: Value, what: str) -> float:
    """A single number that is an argument."""
    found = as_numbers(value, what)
    if found.shape != (1,):
        raise RxArgumentError(f"{what} is a single number")
    return float(found[0])


def flag(value: Value, what: str) -> bool:
    """TRUE or FALSE as an argument."""
    return bool(number(value, what))


def one_of(value: Value, what: str) -> str:
    """A single text that is an argument."""
    found = as_text(value)
    if len(found) != 1:
        raise RxArgumentError(f"{what} is a single text")
    return str(found[0])
