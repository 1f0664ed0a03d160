"""R's functions that look at a column as a whole, such as scale, poly and factor.

What they have to know of all rows is a total of what each row gives: a mean, the levels there are. So it can be found
for rows that lie in parts on a cluster, in one pass or several, and other data are then treated alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxspark.analysis.formula.functions.arguments import flag, number, refused
from rxspark.analysis.formula.functions.factors import FACTOR_FUNCTIONS
from rxspark.analysis.formula.functions.splines import Knots, knots_of, natural_spline, spline
from rxspark.analysis.formula.functions.totals import ColumnFunction, Extremes, Moments, Totals
from rxspark.analysis.formula.values import (
    Matrix,
    Value,
    as_numbers,
    is_number,
)

__all__ = ["COLUMN_FUNCTIONS"]


def _table(x: Value, what: str) -> Any:
    return x.values if isinstance(x, Matrix) else as_numbers(x, what)


def _scale(totals: Totals, x: Value, center: Value = None, scale: Value = None) -> Value:
    values, told = _table(x, "scale"), totals[0]
    shift, by = _asked(center), _asked(scale)
    away = told.mean if shift is True else 0.0 if shift is False else shift
    if by is True:
        squares = told.squares + told.count * (told.mean - away) ** 2
        by = np.sqrt(squares / max(told.count - 1, 1))
    found = (values - away) / (1.0 if by is False else by)
    return Matrix(found, x.names) if isinstance(x, Matrix) else found


def _asked(value: Value) -> Any:
    """TRUE, FALSE, or numbers."""
    if value is None:
        return True
    return as_numbers(value, "scale") if is_number(value) else flag(value, "scale")


def _degree(more: tuple[Value, ...], degree: Value) -> tuple[tuple[Value, ...], int]:
    """The other columns, and the degree, which may be the last argument without a name."""
    if degree is None and more and len(more[-1]) == 1:
        more, degree = more[:-1], more[-1]
    return more, 1 if degree is None else int(number(degree, "poly(degree = )"))


def _is_raw(raw: Value) -> bool:
    return raw is not None and flag(raw, "poly(raw = )")


def _poly(totals: Totals, x: Value, *more: Value, degree: Value = None, raw: Value = None) -> Value:
    more, most = _degree(more, degree)
    columns = [as_numbers(value, "poly") for value in (x, *more)]
    if _is_raw(raw):
        parts = [[column**power for power in range(most + 1)] for column in columns]
    else:
        parts = [_orthogonal([total[at] for total in totals], column) for at, column in enumerate(columns)]
        roots = [[total[at][0] ** 0.5 for total in totals] for at in range(len(columns))]
        parts = [[own / root for own, root in zip(*pair, strict=True)] for pair in zip(parts, roots, strict=True)]
    if not more:
        return Matrix(np.stack(parts[0][1:], axis=1), tuple(map(str, range(1, most + 1))))
    powers = [row[::-1] for row in itertools.product(range(most + 1), repeat=len(columns)) if 0 < sum(row) <= most]
    # The polynomial of degree 0 counts as 1 in a product.
    made = [np.prod([part[power] for part, power in zip(parts, row, strict=True) if power], axis=0) for row in powers]
    return Matrix(np.stack(made, axis=1), tuple(".".join(map(str, row)) for row in powers))


def _orthogonal(totals: list[Any], x: Any) -> list[Any]:
    """The polynomials that are orthogonal over all rows, of degree 0 and up: one for each total, by their recurrence.

    A total has the sum of the squares of the polynomial of its degree, and that of those times x less its mean.
    """
    found = [np.ones(len(x))]
    for at in range(1, len(totals)):
        before = totals[at - 1]
        mean = totals[0][2] / totals[0][0]
        next_one = (x - mean - (before[1] / before[0] if at > 1 else 0.0)) * found[-1]
        if at > 1:
            next_one = next_one - before[0] / totals[at - 2][0] * found[-2]
        found.append(next_one)
    return found


def _poly_collect(totals: Totals, x: Value, *more: Value, degree: Value = None, raw: Value = None) -> Any:
    more, _ = _degree(more, degree)
    columns = np.stack([as_numbers(value, "poly") for value in (x, *more)])
    columns = columns[:, ~np.isnan(columns).any(axis=0)]
    sums = []
    for at, column in enumerate(columns):
        known = [total[at] for total in totals]
        last = _orthogonal([*known, None], column)[-1] ** 2
        mean = known[0][2] / known[0][0] if known else 0.0
        sums.append([last.sum(), ((column - mean) * last).sum(), column.sum()])
    return np.array(sums)


def _poly_passes(x: Value, *more: Value, degree: Value = None, raw: Value = None) -> int:
    return 0 if _is_raw(raw) else _degree(more, degree)[1] + 1


def _splines(name: str, natural: bool) -> ColumnFunction:
    def value(
        totals: Totals,
        x: Value,
        df: Value = None,
        knots: Value = None,
        degree: Value = None,
        intercept: Value = None,
        Boundary_knots: Value = None,
    ) -> Value:
        known: Knots = totals[0]
        constant = intercept is not None and flag(intercept, f"{name}(intercept = )")
        values = as_numbers(x, name)
        basis = natural_spline(values, known, constant) if natural else spline(values, known, constant)
        return Matrix(basis, tuple(map(str, range(1, basis.shape[1] + 1))))

    def inner(df: Value, knots: Value, degree: Value, intercept: Value) -> tuple[Any, int, int]:
        """The inner knots that are given, or how many there are to be; and the degree."""
        power = 3 if degree is None else int(number(degree, f"{name}(degree = )"))
        constant = intercept is not None and flag(intercept, f"{name}(intercept = )")
        if knots is not None or df is None:
            return (np.zeros(0) if knots is None else as_numbers(knots, f"{name}(knots = )")), 0, power
        wanted = int(number(df, f"{name}(df = )"))
        return None, max(wanted - constant - (1 if natural else power), 0), power

    def collect(
        totals: Totals,
        x: Value,
        df: Value = None,
        knots: Value = None,
        degree: Value = None,
        intercept: Value = None,
        Boundary_knots: Value = None,
    ) -> Knots:
        given, count, power = inner(df, knots, degree, intercept)
        ends = None if Boundary_knots is None else as_numbers(Boundary_knots, f"{name}(Boundary.knots = )")
        return knots_of(as_numbers(x, name), given, count, ends, power)

    def ordering(
        x: Value,
        df: Value = None,
        knots: Value = None,
        degree: Value = None,
        intercept: Value = None,
        Boundary_knots: Value = None,
    ) -> str:
        return f"give its knots: {name}(x, knots = c(...))" if inner(df, knots, degree, intercept)[1] else ""

    return ColumnFunction(value, collect, sorted=ordering)


def _single(name: str, of: Callable[[Any], Any], collect: Callable[[Any], Any]) -> ColumnFunction:
    """A function that makes one number of a column."""

    def value(totals: Totals, x: Value, na_rm: Value = None) -> Value:
        told = totals[0]
        if told.gaps and not (na_rm is not None and flag(na_rm, f"{name}(na.rm = )")):
            raise refused(name, f"{told.gaps} values are missing, so it is NA in R; use {name}(x, na.rm = TRUE)")
        return np.array([of(told)], dtype=float)

    return ColumnFunction(value, lambda totals, x, na_rm=None: collect(as_numbers(x, name)))


@dataclass(frozen=True)
class _Quantiles:
    """Quantiles of all rows, which know no sum."""

    values: Any
    gaps: int

    @classmethod
    def of(cls, x: Any, shares: Any) -> _Quantiles:
        given = x[~np.isnan(x)]
        return cls(np.quantile(given, shares) if len(given) else np.full(len(shares), np.nan), len(x) - len(given))


def _quantile(totals: Totals, x: Value, probs: Value = None, na_rm: Value = None) -> Value:
    if totals[0].gaps and not (na_rm is not None and flag(na_rm, "quantile(na.rm = )")):
        raise refused("quantile", f"{totals[0].gaps} values are missing; use quantile(x, na.rm = TRUE)")
    return totals[0].values


def _quantile_collect(totals: Totals, x: Value, probs: Value = None, na_rm: Value = None) -> _Quantiles:
    shares = np.linspace(0, 1, 5) if probs is None else as_numbers(probs, "quantile(probs = )")
    return _Quantiles.of(as_numbers(x, "quantile"), shares)


def _in_order(x: Value, *values: Value, **named: Value) -> str:
    return "give the number itself, which approxQuantile of Spark finds"


COLUMN_FUNCTIONS: dict[str, ColumnFunction] = {
    **FACTOR_FUNCTIONS,
    "scale": ColumnFunction(_scale, lambda totals, x, center=None, scale=None: Moments.of(_table(x, "scale"))),
    "poly": ColumnFunction(_poly, _poly_collect, _poly_passes),
    "bs": _splines("bs", natural=False),
    "ns": _splines("ns", natural=True),
    "mean": _single("mean", lambda told: told.mean, Moments.of),
    "sum": _single("sum", lambda told: told.mean * told.count, Moments.of),
    "var": _single("var", lambda told: told.squares / max(told.count - 1, 1), Moments.of),
    "sd": _single("sd", lambda told: (told.squares / max(told.count - 1, 1)) ** 0.5, Moments.of),
    "min": _single("min", lambda told: told.low, Extremes.of),
    "max": _single("max", lambda told: told.high, Extremes.of),
    "length": ColumnFunction(lambda totals, x: totals[0].astype(float), lambda totals, x: np.array([len(x)])),
    "quantile": ColumnFunction(_quantile, _quantile_collect, sorted=_in_order),
    "median": ColumnFunction(
        _quantile,
        lambda totals, x, na_rm=None: _Quantiles.of(as_numbers(x, "median"), np.array([0.5])),
        sorted=_in_order,
    ),
}
"""What may be called in formulas and expressions, beside the functions that go element by element."""
