"""What has to be known of data of Spark before their design matrix can be made part by part: the levels of factors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from rxspark.analysis.formulas import Formula, complete, gaps_in, gaps_told, predictors, prepared
from rxspark.analysis.frames import value_of
from rxspark.analysis.sources import Selection
from rxspark.analysis.spark_parts import asked
from rxspark.errors import RxArgumentError

__all__ = ["Survey", "surveyed"]

_FACTOR = re.compile(r"(?:factor|C)\(`?([^`(),]+)`?(?:,.*)?\)")


@dataclass(frozen=True)
class Survey:
    """What one pass over the data has found."""

    spec: Any
    """How formulaic makes the design matrix of each part."""
    response: list[Any] | None
    """The levels of a response that is a factor."""


def surveyed(formula: Formula, data: Any, needed: list[str], picked: Selection) -> Survey:
    """Find the levels of all factors, in the order that they have in local data, by one pass over the data.

    Raises
    ------
    RxArgumentError
        When no row has all values, or the formula has a function that takes a column as a whole.
    """
    numeric = _made_factors(formula)
    found = asked(data, needed, picked, partial(_levels, formula, needed, numeric), _Levels.__add__)
    if found is None or found.valid == 0:
        why = "the data are empty" if found is None else gaps_told(found.gaps) or "the data are empty"
        raise RxArgumentError(f"formula={formula.text!r}: no row is left of {found.rows if found else 0}; {why}")
    levels = {name: _ordered(values, name in picked.transforms) for name, values in found.levels.items()}
    known = {name: values for name, values in levels.items() if name in predictors(formula)}
    response = None if found.response is None else _ordered(found.response, formula.response not in data.columns)
    return Survey(prepared(formula, known), response)


def _made_factors(formula: Formula) -> set[str]:
    """The columns that the formula itself makes factors."""
    names = set()
    for factor in (factor.expr for term in formula.right for factor in term.factors):
        if factor.startswith(("factor(", "C(")):
            found = _FACTOR.fullmatch(factor)
            if found is None:
                raise RxArgumentError(
                    f"formula={formula.text!r}: on Spark {factor!r} must be of a column; make it first by transforms"
                )
            names.add(found.group(1))
    return names


@dataclass(frozen=True)
class _Levels:
    """What batches of rows have."""

    rows: int
    valid: int
    gaps: dict[str, int]
    levels: dict[str, set[Any]]
    response: set[Any] | None

    def __add__(self, other: _Levels) -> _Levels:
        levels = {
            name: self.levels.get(name, set()) | other.levels.get(name, set())
            for name in {**self.levels, **other.levels}
        }
        both = [one for one in (self.response, other.response) if one is not None]
        return _Levels(
            self.rows + other.rows,
            self.valid + other.valid,
            {name: count + other.gaps[name] for name, count in self.gaps.items()},
            levels,
            set().union(*both) if both else None,
        )


def _levels(formula: Formula, needed: list[str], numeric: set[str], frame: pd.DataFrame) -> _Levels:
    where = f"formula={formula.text!r}"
    table = complete(frame, needed, where)
    factors = [name for name in needed if name in numeric or not pd.api.types.is_numeric_dtype(table[name].dtype)]
    levels = {name: set(table[name].unique()) for name in factors} if len(table) else {}
    response = None
    if formula.response is not None and len(table):
        y = pd.Series(value_of(formula.response, table, where))
        response = None if pd.api.types.is_numeric_dtype(y.dtype) else set(y.dropna().unique())
    return _Levels(len(frame), len(table), gaps_in(frame, needed), levels, response)


def _ordered(values: set[Any], made: bool) -> list[Any]:
    """Levels as `factor` orders them; of numbers that were made a factor, by their value."""
    try:
        return sorted(values, key=float) if made else sorted(values)
    except ValueError:  # made of text
        return sorted(values)
