"""R's poly: orthogonal and raw polynomials of one or several columns."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.formula.functions.arguments import flag_argument, number_argument
from rxspark.analysis.formula.functions.totals import ColumnFunction, Totals
from rxspark.analysis.formula.values import Matrix, Value, as_numbers

__all__ = ["Poly"]


class Poly(ColumnFunction):
    """Polynomials that are orthogonal over all rows, or powers if `raw` is true.

    Their three-term recurrence needs one pass over the data for each degree and one for the mean: a total has, for each
    column, the sum of squares of the polynomial of its degree, the sum of those squares times x less its mean, and the
    sum of x.
    """

    def __init__(self, x: Value, *more: Value, degree: Value = None, raw: Value = None) -> None:
        if degree is None and more and len(more[-1]) == 1:  # the degree may come last without a name
            more, degree = more[:-1], more[-1]
        self.degree = int(number_argument(degree, "poly(degree = )", default=1))
        self.raw = flag_argument(raw, "poly(raw = )", default=False)
        self.columns = [as_numbers(value, "poly") for value in (x, *more)]

    @property
    def passes(self) -> int:
        """None for powers, else one for each degree from 0."""
        return 0 if self.raw else self.degree + 1

    def collect(self, totals: Totals) -> FloatArray:
        """Sum up the polynomials of the next degree: shape (columns, 3)."""
        columns = np.stack(self.columns)
        columns = columns[:, ~np.isnan(columns).any(axis=0)]
        sums = []
        for number, column in enumerate(columns):
            known = [total[number] for total in totals]
            squares = _orthogonal([*known, None], column)[-1] ** 2
            mean = known[0][2] / known[0][0] if known else 0.0
            sums.append([squares.sum(), ((column - mean) * squares).sum(), column.sum()])
        return np.array(sums)

    def value(self, totals: Totals) -> Matrix:
        """Make a column for each degree, or for each product of several columns' degrees."""
        powers = [self._powers(totals, number) for number in range(len(self.columns))]
        if len(powers) == 1:
            return Matrix(np.stack(powers[0][1:], axis=1), tuple(map(str, range(1, self.degree + 1))))
        degrees = [
            combination[::-1]
            for combination in itertools.product(range(self.degree + 1), repeat=len(powers))
            if 0 < sum(combination) <= self.degree
        ]
        # The polynomial of degree 0 counts as 1 in a product.
        columns = [
            np.prod([own[degree] for own, degree in zip(powers, combination, strict=True) if degree], axis=0)
            for combination in degrees
        ]
        return Matrix(np.stack(columns, axis=1), tuple(".".join(map(str, combination)) for combination in degrees))

    def _powers(self, totals: Totals, number: int) -> list[FloatArray]:
        """The polynomials of one column, of degree 0 and up."""
        column = self.columns[number]
        if self.raw:
            return [column**power for power in range(self.degree + 1)]
        known = [total[number] for total in totals]
        return [own / total[0] ** 0.5 for own, total in zip(_orthogonal(known, column), known, strict=True)]


def _orthogonal(totals: list[Any], x: FloatArray) -> list[FloatArray]:
    """Evaluate the orthogonal polynomials by their recurrence, one for each total; the last total is not read."""
    found: list[FloatArray] = [np.ones(len(x))]
    for degree in range(1, len(totals)):
        before = totals[degree - 1]
        mean = totals[0][2] / totals[0][0]
        following = (x - mean - (before[1] / before[0] if degree > 1 else 0.0)) * found[-1]
        if degree > 1:
            following = following - before[0] / totals[degree - 2][0] * found[-2]
        found.append(following)
    return found
