"""Values of expressions: numbers, truth values, text, factors and times, each with R's rules for missing ones.

Numbers are NumPy arrays, NaN where missing; truth values pandas' BooleanArray, whose logic is R's; text arrays of
objects, None where missing; factors pandas' Categorical, with text as categories; times DatetimeArray. A constant has
length 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rxspark.analysis.arrays import BoolArray, FloatArray, RowMask, TextArray
from rxspark.analysis.formula.syntax import number_text
from rxspark.errors import RxArgumentError

__all__ = [
    "Columns",
    "Matrix",
    "UnseenLevels",
    "Value",
    "as_factor",
    "as_factor_or_missing",
    "as_numbers",
    "as_text",
    "is_factor",
    "is_logical",
    "is_number",
    "is_text",
    "is_time",
    "kind_of",
    "logical",
    "missing",
    "take_rows",
]

Value = Any
"""Any of the kinds above, or a `Matrix`; None for an argument that is not given."""


@dataclass(frozen=True)
class Matrix:
    """Several columns of numbers made by one expression, such as ``poly(x, 2)``."""

    values: FloatArray
    """Shape (rows, columns)."""
    names: tuple[str, ...]
    """The suffix of each column's name, which R appends to the expression."""

    def __len__(self) -> int:
        return len(self.values)


class Columns(Mapping[str, Value]):
    """Columns of a table as values, converted when they are first read; expressions may add some."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.made: dict[str, Value] = {}
        self.names = {str(name): number for number, name in enumerate(frame.columns)}
        self.rows = len(frame)

    def __getitem__(self, name: str) -> Value:
        if name not in self.made:
            self.made[name] = _column(self.frame.iloc[:, self.names[name]], name)
        return self.made[name]

    def __setitem__(self, name: str, value: Value) -> None:
        self.made[name] = value

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self.names, *self.made]))

    def __len__(self) -> int:
        return len(self.names.keys() | self.made.keys())

    def take_rows(self, rows: RowMask) -> Columns:
        """Select rows of all columns."""
        found = Columns(self.frame[rows])
        found.made = {name: take_rows(value, rows) for name, value in self.made.items()}
        return found


def _column(series: pd.Series, name: str) -> Value:
    """Convert a column of pandas, whatever library its type comes from."""
    kind = series.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return _labelled(series.array)
    if pd.api.types.is_bool_dtype(kind):
        return pd.array(series, dtype="boolean")
    if isinstance(kind, np.dtype) and kind.kind in "fiu":
        return series.to_numpy()
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind):
        whole = kind.kind in "iu" and not series.hasnans
        return series.to_numpy() if whole else series.to_numpy(dtype=float, na_value=np.nan)
    if pd.api.types.is_datetime64_any_dtype(kind):
        return series.array
    if kind.kind == "O" or pd.api.types.is_string_dtype(kind):
        return _objects(series, name)
    raise RxArgumentError(f"data: column {name!r} is of type {kind}; use a number, or text as a factor")


def _objects(series: pd.Series, name: str) -> Value:
    """Convert a column of Python objects by their types."""
    inferred = pd.api.types.infer_dtype(series, skipna=True)
    if inferred in ("string", "empty"):
        return np.where(series.isna(), None, series.astype(object))
    if inferred == "boolean":
        return pd.array(series.astype(object).where(series.notna(), None), dtype="boolean")
    if inferred in ("integer", "floating", "mixed-integer-float", "decimal"):  # faster than below
        return pd.to_numeric(series.where(series.notna(), np.nan), errors="coerce").to_numpy(dtype=float)
    if inferred in ("date", "datetime", "datetime64"):
        return pd.to_datetime(series).array
    present = [value for value in series if not _is_missing(value)]
    if all(isinstance(value, Number) and not isinstance(value, (bool, np.bool_, complex)) for value in present):
        return np.array([np.nan if _is_missing(value) else float(value) for value in series])
    kinds: dict[type, Any] = {}
    for value in present:
        kinds.setdefault(type(value), value)
    examples = " and ".join(f"{value!r} of type {kind.__name__}" for kind, value in list(kinds.items())[:3])
    raise RxArgumentError(f"data: column {name!r} has values such as {examples}; use numbers, or text as a factor")


def _is_missing(value: Any) -> bool:
    return bool(np.ndim(value) == 0 and pd.isna(value))


def _labelled(values: Any) -> pd.Categorical:
    """Convert a categorical to one whose categories are text."""
    labels = [level_text(label) for label in values.categories]
    return pd.Categorical.from_codes(values.codes, labels, ordered=values.ordered)


def level_text(label: Any) -> str:
    """Write a value as R writes the level of a factor."""
    if isinstance(label, (bool, np.bool_)):
        return str(bool(label)).upper()
    return number_text(float(label)) if isinstance(label, (float, np.floating)) else str(label)


def is_number(value: Value) -> TypeGuard[NDArray[Any]]:
    """Tell whether a value is a vector of numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def is_text(value: Value) -> TypeGuard[TextArray]:
    """Tell whether a value is text."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "O"


def is_logical(value: Value) -> TypeGuard[pd.arrays.BooleanArray]:
    """Tell whether a value has truth values."""
    return isinstance(value, pd.arrays.BooleanArray)


def is_factor(value: Value) -> TypeGuard[pd.Categorical]:
    """Tell whether a value is a factor."""
    return isinstance(value, pd.Categorical)


def is_time(value: Value) -> TypeGuard[pd.arrays.DatetimeArray]:
    """Tell whether a value has dates or times."""
    return isinstance(value, pd.arrays.DatetimeArray)


def kind_of(value: Value) -> str:
    """Name the kind of a value, for errors."""
    kinds: dict[str, Callable[[Value], bool]] = {
        "a number": is_number,
        "text": is_text,
        "true or false": is_logical,
        "a factor": is_factor,
        "a time": is_time,
    }
    return next((name for name, test in kinds.items() if test(value)), "a matrix")


def logical(values: Any, gaps: Any = False) -> pd.arrays.BooleanArray:
    """Make truth values, missing where `gaps` is true."""
    plain = np.asarray(values, dtype=bool)
    return pd.arrays.BooleanArray(plain, np.zeros(plain.shape, bool) | gaps)


def missing(value: Value) -> BoolArray:
    """Mark the elements, or the rows of a matrix, that lack a value."""
    if isinstance(value, Matrix):
        return np.asarray(np.isnan(value.values).any(axis=1))
    return np.isnan(value) if is_number(value) else np.asarray(pd.isna(value))


def take_rows(value: Value, rows: RowMask) -> Value:
    """Select rows of a value."""
    return Matrix(value.values[rows], value.names) if isinstance(value, Matrix) else value[rows]


def as_numbers(value: Value, what: str) -> FloatArray:
    """Convert numbers and truth values (0 and 1) to floats; `what` names the caller in the error."""
    if is_number(value):
        return value.astype(float, copy=False)
    if is_logical(value):
        numbers: FloatArray = value.to_numpy(dtype=float, na_value=np.nan)
        return numbers
    raise RxArgumentError(f"{what} takes numbers, and not {kind_of(value)}")


def as_text(value: Value) -> TextArray:
    """Write each element as R does; None where it is missing."""
    if is_text(value):
        return value
    if is_factor(value):
        codes, levels = value.codes, list(value.categories)
    else:
        codes, distinct = pd.factorize(value)
        levels = list(map(level_text, distinct))
    text: TextArray = np.array([*levels, None], dtype=object)[codes]
    return text


class UnseenLevels(Exception):  # noqa: N818 - becomes an RxArgumentError where the factor's name is known
    """A factor has values that are not among its known levels."""

    def __init__(self, unseen: list[str], levels: list[str]) -> None:
        super().__init__(unseen, levels)
        self.unseen = unseen
        self.levels = levels

    def named(self, where: str, factor: str) -> RxArgumentError:
        """Make the error for the user, with the name of the factor."""
        return RxArgumentError(
            f"{where}: the factor {factor!r} has {', '.join(map(repr, self.unseen[:5]))}, which the model has not "
            f"seen; it knows {', '.join(map(repr, self.levels[:20]))}"
        )


def as_factor(value: Value, levels: list[str], ordered: bool = False) -> pd.Categorical:
    """Make a factor with the given levels; UnseenLevels when a value is not among them."""
    found = as_factor_or_missing(value, levels, ordered)
    unknown = (found.codes < 0) & ~missing(value)
    if unknown.any():
        raise UnseenLevels(sorted(set(as_text(value)[unknown])), levels)
    return found


def as_factor_or_missing(value: Value, levels: list[str], ordered: bool = False) -> pd.Categorical:
    """Make a factor with the given levels; other values become missing."""
    codes = pd.Index(levels, dtype=object).get_indexer(as_text(value))
    return pd.Categorical.from_codes(codes, categories=levels, ordered=ordered)
