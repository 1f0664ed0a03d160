"""Functions that look at a column as a whole, and the totals of all rows that they need.

The mean that ``scale(x)`` needs is a total of all rows, and so are the levels of ``factor(x)``. Totals can be found for
rows that lie in parts on a cluster, in one pass or several, and other data are then treated alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.formula.values import Value, as_text, is_factor, is_number, missing

__all__ = ["ColumnFunction", "Levels", "Moments", "Range", "Totals"]

Totals = tuple[Any, ...]
"""The totals of all rows, one for each pass over the data."""


class ColumnFunction(ABC):
    """A call of a function of whole columns; the constructor takes R's arguments, with underscores for dots."""

    @property
    def passes(self) -> int:
        """The number of passes over the data that it needs."""
        return 1

    @property
    def advice_when_distributed(self) -> str:
        """A function that needs all rows in order says here what to use on a cluster; else empty."""
        return ""

    @abstractmethod
    def collect(self, totals: Totals) -> Any:
        """Summarize these rows for the next pass; summaries are added up."""

    @abstractmethod
    def value(self, totals: Totals) -> Value:
        """Compute the value for these rows, once the totals of all passes are known."""


@dataclass(frozen=True)
class Moments:
    """Count, missing values, mean, and sum of squares around the mean."""

    count: int
    missing: int
    mean: Any
    """A number; of a matrix one for each column."""
    squares: Any

    @classmethod
    def of(cls, x: FloatArray) -> Moments:
        """Summarize numbers, or each column of a matrix."""
        given = x[~np.isnan(x).any(axis=1)] if x.ndim == 2 else x[~np.isnan(x)]
        count = max(len(given), 1)
        mean = given.sum(axis=0) / count
        mean = mean + (given - mean).sum(axis=0) / count  # R's mean does so too
        return cls(len(given), len(x) - len(given), mean, np.square(given - mean).sum(axis=0))

    def __add__(self, other: Moments) -> Moments:
        """Combine by the update formula of Chan, Golub and LeVeque (1983)."""
        count = self.count + other.count
        share, difference = other.count / max(count, 1), other.mean - self.mean
        return Moments(
            count,
            self.missing + other.missing,
            self.mean + difference * share,
            self.squares + other.squares + difference**2 * self.count * share,
        )


@dataclass(frozen=True)
class Range:
    """The least and the largest value, and the number of missing values."""

    low: float
    high: float
    missing: int

    @classmethod
    def of(cls, x: FloatArray) -> Range:
        """Summarize numbers."""
        given = x[~np.isnan(x)]
        return cls(float(given.min(initial=np.inf)), float(given.max(initial=-np.inf)), len(x) - len(given))

    def __add__(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high), self.missing + other.missing)


@dataclass(frozen=True)
class Levels:
    """The distinct values of one or several columns."""

    found: tuple[frozenset[Any], ...]
    orders: tuple[tuple[str, ...] | None, ...]
    """The order of the levels, for columns that are factors already."""
    ordered: bool

    @classmethod
    def of(cls, *values: Value) -> Levels:
        """Collect the distinct values of columns."""
        found = [frozenset(np.unique(v[~missing(v)]) if is_number(v) else set(as_text(v)) - {None}) for v in values]
        orders = [tuple(value.categories) if is_factor(value) else None for value in values]
        return cls(tuple(found), tuple(orders), any(is_factor(value) and value.ordered for value in values))

    def __add__(self, other: Levels) -> Levels:
        found = tuple(one | two for one, two in zip(self.found, other.found, strict=True))
        return Levels(found, self.orders, self.ordered)

    def labels(self, number: int = 0) -> list[str]:
        """List the levels of one column in order, as text."""
        found, order = self.found[number], self.orders[number]
        if order is not None:
            return [level for level in order if level in found]
        levels = sorted(found)
        return list(as_text(np.array(levels))) if levels and not isinstance(levels[0], str) else levels
