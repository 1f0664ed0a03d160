"""What functions of whole columns know of all rows: totals of what each row gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxspark.analysis.formula.values import Value, as_text, is_factor, is_number, missing

__all__ = ["ColumnFunction", "Extremes", "Levels", "Moments", "Totals"]

Totals = tuple[Any, ...]
"""What was found of all rows, pass by pass."""


@dataclass(frozen=True)
class ColumnFunction:
    """A function of whole columns; each callable takes the arguments of the call by R's names, dots as underscores."""

    value: Callable[..., Value]
    """(totals, arguments): the value, once all passes are made."""
    collect: Callable[..., Any]
    """(totals, arguments): what some rows add to the total of the next pass."""
    passes: Callable[..., int] = lambda *values, **named: 1
    sorted: Callable[..., str] = lambda *values, **named: ""
    """What to use on a cluster, where the function needs the rows in order; else empty."""


@dataclass(frozen=True)
class Moments:
    """How many values there are, how many are missing, their mean, and the sum of squares around it."""

    count: int
    gaps: int
    mean: Any
    squares: Any

    @classmethod
    def of(cls, x: Any) -> Moments:
        """Of numbers, or of each column of a matrix."""
        given = x[~np.isnan(x).any(axis=1)] if x.ndim == 2 else x[~np.isnan(x)]
        count = max(len(given), 1)
        mean = given.sum(axis=0) / count
        mean = mean + (given - mean).sum(axis=0) / count  # R's mean does so too
        return cls(len(given), len(x) - len(given), mean, np.square(given - mean).sum(axis=0))

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        share, apart = other.count / max(count, 1), other.mean - self.mean
        return Moments(
            count,
            self.gaps + other.gaps,
            self.mean + apart * share,
            self.squares + other.squares + apart**2 * self.count * share,
        )


@dataclass(frozen=True)
class Extremes:
    """The least and the largest value."""

    low: float
    high: float
    gaps: int

    @classmethod
    def of(cls, x: Any) -> Extremes:
        """Of numbers."""
        given = x[~np.isnan(x)]
        return cls(float(given.min(initial=np.inf)), float(given.max(initial=-np.inf)), len(x) - len(given))

    def __add__(self, other: Extremes) -> Extremes:
        return Extremes(min(self.low, other.low), max(self.high, other.high), self.gaps + other.gaps)


@dataclass(frozen=True)
class Levels:
    """The distinct values of factors to be: of several columns at once."""

    found: tuple[frozenset[Any], ...]
    orders: tuple[tuple[str, ...] | None, ...]
    """The order of the levels, for columns that are factors already."""
    ordered: bool

    @classmethod
    def of(cls, *values: Value) -> Levels:
        """Of columns."""
        found = [frozenset(np.unique(v[~missing(v)]) if is_number(v) else set(as_text(v)) - {None}) for v in values]
        orders = [tuple(value.categories) if is_factor(value) else None for value in values]
        return cls(tuple(found), tuple(orders), any(is_factor(value) and value.ordered for value in values))

    def __add__(self, other: Levels) -> Levels:
        found = tuple(one | two for one, two in zip(self.found, other.found, strict=True))
        return Levels(found, self.orders, self.ordered)

    def labels(self, number: int = 0) -> list[str]:
        """The levels of one column in order, as text."""
        found, order = self.found[number], self.orders[number]
        if order is not None:
            return [level for level in order if level in found]
        levels = sorted(found)
        return list(as_text(np.array(levels))) if levels and not isinstance(levels[0], str) else levels
