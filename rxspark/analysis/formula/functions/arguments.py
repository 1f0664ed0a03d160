"""Arguments of R's functions that are a single value, and the error of a call that is refused."""

from __future__ import annotations

from rxspark.analysis.formula.values import Value, as_numbers, as_text
from rxspark.errors import RxArgumentError

__all__ = ["flag_argument", "function_error", "number_argument", "text_argument"]


def function_error(function: str, reason: str) -> RxArgumentError:
    """Make the error for a call that is refused; the evaluation adds the place of the call."""
    return RxArgumentError(f"{function}: {reason}")


def number_argument(value: Value, name: str, default: float | None = None) -> float:
    """Check a single number; None gives the default."""
    if value is None and default is not None:
        return default
    found = as_numbers(value, name)
    if found.shape != (1,):
        raise RxArgumentError(f"{name} is a single number")
    return float(found[0])


def flag_argument(value: Value, name: str, default: bool) -> bool:
    """Check TRUE or FALSE; None gives the default."""
    return default if value is None else bool(number_argument(value, name))


def text_argument(value: Value, name: str, default: str | None = None) -> str:
    """Check a single text; None gives the default."""
    if value is None and default is not None:
        return default
    found = as_text(value)
    if len(found) != 1:
        raise RxArgumentError(f"{name} is a single text")
    return str(found[0])
