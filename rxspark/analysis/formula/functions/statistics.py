"""R's functions that summarize a column: mean, sum, var, sd, min, max, length, quantile, median; and scale."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.formula.functions.arguments import flag_argument, function_error
from rxspark.analysis.formula.functions.totals import ColumnFunction, Moments, Range, Totals
from rxspark.analysis.formula.values import Matrix, Value, as_numbers, is_number

__all__ = ["STATISTICS"]


@dataclass(frozen=True)
class _Scale(ColumnFunction):
    x: Value
    center: Value = None
    scale: Value = None

    @property
    def _numbers(self) -> FloatArray:
        return self.x.values if isinstance(self.x, Matrix) else as_numbers(self.x, "scale")

    def collect(self, totals: Totals) -> Moments:
        return Moments.of(self._numbers)

    def value(self, totals: Totals) -> Value:
        moments: Moments = totals[0]
        center, scale = self._setting(self.center), self._setting(self.scale)
        shift = moments.mean if center is True else 0.0 if center is False else center
        if scale is True:
            squares = moments.squares + moments.count * (moments.mean - shift) ** 2
            scale = np.sqrt(squares / max(moments.count - 1, 1))
        found = (self._numbers - shift) / (1.0 if scale is False else scale)
        return Matrix(found, self.x.names) if isinstance(self.x, Matrix) else found

    @staticmethod
    def _setting(value: Value) -> Any:
        """Read `center` or `scale`: TRUE, FALSE, or numbers."""
        if value is not None and is_number(value):
            return as_numbers(value, "scale")
        return flag_argument(value, "scale", default=True)


@dataclass(frozen=True)
class _Statistic(ColumnFunction):
    """A function that makes one number of a column."""

    x: Value
    na_rm: Value = None
    name: ClassVar[str]

    def collect(self, totals: Totals) -> Any:
        return self.summarize(as_numbers(self.x, self.name))

    def value(self, totals: Totals) -> Value:
        summary = totals[0]
        if summary.missing and not flag_argument(self.na_rm, f"{self.name}(na.rm = )", default=False):
            raise function_error(
                self.name,
                f"{summary.missing} values are missing, so it is NA in R; use {self.name}(x, na.rm = TRUE)",
            )
        return np.array([self.statistic(summary)], dtype=float)

    def summarize(self, x: FloatArray) -> Any:
        """Summarize some rows."""
        return Moments.of(x)

    @abstractmethod
    def statistic(self, summary: Any) -> float:
        """Compute the statistic from the summary of all rows."""


class _Mean(_Statistic):
    name = "mean"

    def statistic(self, summary: Moments) -> float:
        return float(summary.mean)


class _Sum(_Statistic):
    name = "sum"

    def statistic(self, summary: Moments) -> float:
        return float(summary.mean * summary.count)


class _Var(_Statistic):
    name = "var"

    def statistic(self, summary: Moments) -> float:
        return float(summary.squares / max(summary.count - 1, 1))


class _Sd(_Var):
    name = "sd"

    def statistic(self, summary: Moments) -> float:
        return float(super().statistic(summary) ** 0.5)


class _Max(_Statistic):
    name = "max"

    def summarize(self, x: FloatArray) -> Range:
        return Range.of(x)

    def statistic(self, summary: Range) -> float:
        return summary.high


class _Min(_Max):
    name = "min"

    def statistic(self, summary: Range) -> float:
        return summary.low


@dataclass(frozen=True)
class _Length(ColumnFunction):
    x: Value

    def collect(self, totals: Totals) -> FloatArray:
        return np.array([float(len(self.x))])

    def value(self, totals: Totals) -> Value:
        return totals[0]


@dataclass(frozen=True)
class _Quantiles:
    """Quantiles of all rows, which cannot be added up."""

    values: FloatArray
    missing: int


@dataclass(frozen=True)
class _Quantile(ColumnFunction):
    x: Value
    probs: Value = None
    na_rm: Value = None

    @property
    def advice_when_distributed(self) -> str:
        return "give the number itself, which approxQuantile of Spark finds"

    def collect(self, totals: Totals) -> _Quantiles:
        x = as_numbers(self.x, "quantile")
        probs = np.linspace(0, 1, 5) if self.probs is None else as_numbers(self.probs, "quantile(probs = )")
        given = x[~np.isnan(x)]
        values = np.quantile(given, probs) if len(given) else np.full(len(probs), np.nan)
        return _Quantiles(values, len(x) - len(given))

    def value(self, totals: Totals) -> Value:
        found: _Quantiles = totals[0]
        if found.missing and not flag_argument(self.na_rm, "quantile(na.rm = )", default=False):
            raise function_error("quantile", f"{found.missing} values are missing; use quantile(x, na.rm = TRUE)")
        return found.values


def _median(x: Value, na_rm: Value = None) -> _Quantile:
    return _Quantile(x, np.array([0.5]), na_rm)


STATISTICS: dict[str, Callable[..., ColumnFunction]] = {
    "scale": _Scale,
    "mean": _Mean,
    "sum": _Sum,
    "var": _Var,
    "sd": _Sd,
    "min": _Min,
    "max": _Max,
    "length": _Length,
    "quantile": _Quantile,
    "median": _median,
}
