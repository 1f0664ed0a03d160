"""R's operators and functions that go element by element, the same for one row, a batch of rows and all rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from rxspark.analysis.formula.functions.arguments import flag_argument, function_error, number_argument
from rxspark.analysis.formula.functions.text import TEXT_FUNCTIONS
from rxspark.analysis.formula.values import (
    Matrix,
    Value,
    as_factor_or_missing,
    as_numbers,
    as_text,
    is_factor,
    is_logical,
    is_number,
    is_text,
    is_time,
    kind_of,
    logical,
    missing,
)
from rxspark.errors import RxArgumentError

__all__ = ["ELEMENTWISE"]


def _arithmetic(name: str, of: Callable[..., Any]) -> Callable[..., Value]:
    def operation(x: Value, y: Value = None) -> Value:
        if y is None:
            return of(0.0, as_numbers(x, repr(name)))
        return of(as_numbers(x, repr(name)), as_numbers(y, repr(name)))

    return operation


def _power(x: Any, y: Any) -> Any:
    return np.where((np.isnan(x) & (y != 0)) | (np.isnan(y) & (x != 1)), np.nan, np.power(x, y))


def _whole_division(x: Any, y: Any) -> Any:
    return np.floor(x / y)


def _modulo(x: Any, y: Any) -> Any:
    return np.where(y == 0, np.nan, x - np.floor(x / y) * y)


def _numeric(name: str, of: Callable[[Any], Any]) -> Callable[..., Value]:
    def function(x: Value) -> Value:
        if isinstance(x, Matrix):
            return Matrix(of(x.values), x.names)
        return of(as_numbers(x, name))

    return function


def _comparison(name: str, of: Callable[[Any, Any], Any]) -> Callable[..., Value]:
    def operation(x: Value, y: Value) -> Value:
        left, right = _comparable(name, x, y)
        gaps = missing(x) | missing(y)
        left, right = np.broadcast_arrays(left, right)
        if left.dtype == object:  # text: what is missing has no order
            left, right = np.where(gaps, "", left), np.where(gaps, "", right)
        return logical(of(left, right), gaps)

    return operation


def _comparable(name: str, x: Value, y: Value) -> tuple[Any, Any]:
    """Convert both sides to a kind that R compares: codes of ordered factors, times, text, or numbers."""
    if is_time(x) or is_time(y):
        return _instants(x), _instants(y)
    factors = [side for side in (x, y) if is_factor(side)]
    if factors and name not in ("==", "!="):
        levels = list(factors[0].categories)
        if not all(side.ordered for side in factors):
            raise function_error(repr(name), "the levels of this factor have no order; use ordered(x, levels = c(...))")
        return tuple(as_factor_or_missing(side, levels).codes.astype(float) for side in (x, y))
    if factors or is_text(x) or is_text(y):
        return as_text(x), as_text(y)
    return as_numbers(x, repr(name)), as_numbers(y, repr(name))


def _instants(value: Value) -> Any:
    try:
        return pd.to_datetime(as_text(value) if is_text(value) else value, utc=True).as_unit("ns").asi8
    except (TypeError, ValueError):
        raise RxArgumentError(f"a time cannot be compared with {kind_of(value)}") from None


def _truth(value: Value, what: str) -> Any:
    if is_logical(value):
        return value
    numbers = as_numbers(value, what)
    return logical(np.nan_to_num(numbers) != 0, np.isnan(numbers))


def _logic(name: str, of: Callable[[Any, Any], Any]) -> Callable[..., Value]:
    return lambda x, y: of(_broadcast(_truth(x, repr(name)), y), _broadcast(_truth(y, repr(name)), x))


def _broadcast(value: Value, other: Value) -> Value:
    return value.take(np.zeros(len(other), int)) if len(value) == 1 < len(other) else value


def _in(x: Value, table: Value) -> Value:
    if is_number(x) and is_number(table):
        return logical(np.isin(x, table) | (np.isnan(x) & np.isnan(table).any()))
    wanted = {value for value in as_text(table) if value is not None}
    return logical(pd.Series(as_text(x), dtype=object).isin(wanted).to_numpy() | (missing(x) & missing(table).any()))


def _log(x: Value, base: Value = None) -> Value:
    if base is None:
        return _numeric("log", np.log)(x)
    power = as_numbers(base, "log(x, base)")
    known: dict[float, Callable[[Any], Any]] = {2.0: np.log2, 10.0: np.log10}
    return known.get(float(power[0]), lambda values: np.log(values) / np.log(power))(as_numbers(x, "log"))


def _round(x: Value, digits: Value = None) -> Value:
    """Round to the nearer of the two numbers with so many digits, ties to even, as R does since version 4.0."""
    values, scale = as_numbers(x, "round"), 10.0 ** int(number_argument(digits, "round(digits = )", default=0))
    low = np.floor(values * scale)
    down, up = low / scale, np.ceil(values * scale) / scale
    nearer = (up - values) - (values - down)
    return np.where((nearer < 0) | ((low % 2 == 1) & (nearer == 0)), up, down)


def _signif(x: Value, digits: Value = None) -> Value:
    values, places = as_numbers(x, "signif"), int(number_argument(digits, "signif(digits = )", default=6))
    return np.array([float(f"{value:.{max(places, 1) - 1}e}") for value in values])


def _parallel(name: str, of: Callable[[Any, Any], Any], skipping: Callable[[Any, Any], Any]) -> Callable[..., Value]:
    def function(*values: Value, na_rm: Value = None) -> Value:
        join = skipping if flag_argument(na_rm, f"{name}(na.rm = )", default=False) else of
        found = as_numbers(values[0], name)
        for value in values[1:]:
            found = join(found, as_numbers(value, name))
        return found

    return function


def _ifelse(test: Value, yes: Value, no: Value) -> Value:
    truth = _truth(test, "ifelse")
    gaps, holds = missing(truth), np.asarray(truth.to_numpy(dtype=bool, na_value=False))
    sides = [yes, no]
    if all(is_logical(side) for side in sides):
        codes = np.where(holds, yes.to_numpy(float, na_value=np.nan), no.to_numpy(float, na_value=np.nan))
        return logical(np.nan_to_num(codes) != 0, gaps | np.isnan(codes))
    if any(is_text(side) for side in sides):
        chosen: Any = np.where(holds, as_text(yes), as_text(no))
        return np.where(gaps, None, chosen)
    if any(is_factor(side) for side in sides):
        raise function_error("ifelse", "of a factor R takes the numbers of its levels; use as.character(x)")
    return np.where(gaps, np.nan, np.where(holds, *(as_numbers(side, "ifelse") for side in sides)))


def _as_numeric(x: Value) -> Value:
    if is_factor(x):
        return np.where(x.codes < 0, np.nan, x.codes + 1.0)
    if is_text(x):
        return pd.to_numeric(pd.Series(x, dtype=object), errors="coerce").to_numpy(dtype=float)
    if is_time(x):  # seconds since 1970
        return np.where(missing(x), np.nan, _instants(x) / 1e9)
    return as_numbers(x, "as.numeric")


def _as_integer(x: Value) -> Value:
    return np.trunc(_as_numeric(x))


def _as_logical(x: Value) -> Value:
    if not (is_text(x) or is_factor(x)):
        return _truth(x, "as.logical")
    text = pd.Series(as_text(x), dtype=object)
    yes, no = text.isin(["TRUE", "T", "true", "True"]), text.isin(["FALSE", "F", "false", "False"])
    return logical(yes, ~(yes | no).to_numpy())


def _as_date(x: Value) -> Value:
    return pd.to_datetime(pd.Series(as_text(x) if is_text(x) else x)).array


def _c(*values: Value) -> Value:
    if any(is_text(value) or is_factor(value) for value in values):
        return np.concatenate([as_text(value) for value in values])
    if values and all(is_logical(value) for value in values):
        return pd.array(np.concatenate([value.astype(object) for value in values]), dtype="boolean")
    return np.concatenate([as_numbers(value, "c") for value in values]) if values else np.zeros(0)


def _sequence(start: Value, stop: Value) -> Value:
    first, last = number_argument(start, "':'"), number_argument(stop, "':'")
    steps = int(np.floor(abs(last - first) + 1e-10))
    return first + np.arange(steps + 1.0) * (1 if last >= first else -1)


def _seq(from_: Value, to: Value, by: Value = None, length_out: Value = None) -> Value:
    if length_out is not None:
        return np.linspace(
            number_argument(from_, "seq"), number_argument(to, "seq"), int(number_argument(length_out, "seq"))
        )
    if by is None:
        return _sequence(from_, to)
    first, step = number_argument(from_, "seq"), number_argument(by, "seq")
    return first + np.arange(np.floor((number_argument(to, "seq") - first) / step + 1e-10) + 1) * step


def _replace(x: Value, list: Value, values: Value) -> Value:  # noqa: A002 - R's name
    if not is_logical(list):
        raise function_error("replace", "say where by truth values, such as is.na(x)")
    return _ifelse(list, values, x)


def _complete_cases(*values: Value) -> Value:
    gaps = missing(values[0])
    for value in values[1:]:
        gaps = gaps | missing(value)
    return logical(~gaps)


def _find_interval(x: Value, vec: Value) -> Value:
    values = as_numbers(x, "findInterval")
    return np.where(np.isnan(values), np.nan, np.searchsorted(as_numbers(vec, "findInterval"), values, side="right"))


def _of_rows(name: str, of: Callable[..., Any]) -> Callable[..., Value]:
    def function(x: Value) -> Value:
        if not isinstance(x, Matrix):
            raise function_error(name, "it takes cbind(a, b)")
        return of(x.values, axis=1)

    return function


def _column_of(x: Value, column: Value) -> Value:
    """Take a column of a matrix."""
    table = x.values if isinstance(x, Matrix) else as_numbers(x, "[")[:, None]
    at = int(number_argument(column, "[, column]"))
    if not 1 <= at <= table.shape[1]:
        raise function_error("[", f"there are {table.shape[1]} columns, and no column {at}")
    return table[:, at - 1]


_REAL: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(np, name) for name in ("log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "floor", "trunc")},
    **{name: getattr(np, name) for name in ("sign", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "ceiling": np.ceil,
    "gamma": special.gamma,
    "lgamma": special.gammaln,
    "digamma": special.digamma,
    "plogis": special.expit,
    "qlogis": special.logit,
    "pnorm": special.ndtr,
    "qnorm": special.ndtri,
    "dnorm": lambda x: np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
}

ELEMENTWISE: dict[str, Callable[..., Value]] = {
    "+": _arithmetic("+", np.add),
    "-": _arithmetic("-", np.subtract),
    "*": _arithmetic("*", np.multiply),
    "/": _arithmetic("/", np.divide),
    "^": _arithmetic("^", _power),
    "%%": _arithmetic("%%", _modulo),
    "%/%": _arithmetic("%/%", _whole_division),
    "==": _comparison("==", np.equal),
    "!=": _comparison("!=", np.not_equal),
    "<": _comparison("<", np.less),
    "<=": _comparison("<=", np.less_equal),
    ">": _comparison(">", np.greater),
    ">=": _comparison(">=", np.greater_equal),
    "&": _logic("&", lambda x, y: x & y),
    "|": _logic("|", lambda x, y: x | y),
    "xor": _logic("xor", lambda x, y: x ^ y),
    "!": lambda x: ~_truth(x, "'!'"),
    "%in%": _in,
    ":": _sequence,
    "(": lambda x: x,
    "I": lambda x: x,
    **dict.fromkeys(("identity", "as.vector", "drop"), lambda x: x),
    **{name: _numeric(name, of) for name, of in _REAL.items()},
    "log": _log,
    "pow": _arithmetic("pow", _power),
    "round": _round,
    "signif": _signif,
    "findInterval": _find_interval,
    "rowSums": _of_rows("rowSums", np.sum),
    "rowMeans": _of_rows("rowMeans", np.mean),
    "pmin": _parallel("pmin", np.minimum, np.fmin),
    "pmax": _parallel("pmax", np.maximum, np.fmax),
    "ifelse": _ifelse,
    "is.na": lambda x: logical(missing(x)),
    "is.nan": lambda x: logical(missing(x)),
    "complete.cases": _complete_cases,
    "replace": _replace,
    "is.finite": lambda x: logical(np.isfinite(as_numbers(x, "is.finite"))),
    "as.numeric": _as_numeric,
    "as.double": _as_numeric,
    "as.integer": _as_integer,
    "as.character": as_text,
    "as.logical": _as_logical,
    "as.Date": _as_date,
    "[": _column_of,
    "c": _c,
    "seq": _seq,
    **TEXT_FUNCTIONS,
}
"""The functions that may be called in formulas and expressions, beside those of whole columns."""
