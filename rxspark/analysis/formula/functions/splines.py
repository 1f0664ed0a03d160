"""The bases of B-splines and natural cubic splines, as bs and ns of R's package splines make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import qr

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.formula.functions.arguments import flag_argument, number_argument
from rxspark.analysis.formula.functions.totals import ColumnFunction, Totals
from rxspark.analysis.formula.values import Matrix, Value, as_numbers
from rxspark.errors import RxArgumentError

__all__ = ["BSplineBasis", "Knots", "NaturalSplineBasis"]


@dataclass(frozen=True)
class Knots:
    """The places where the pieces of a spline meet."""

    inner: FloatArray
    low: float
    high: float
    degree: int

    def __add__(self, other: Knots) -> Knots:
        """Combine the knots of more rows, where the inner knots are given."""
        return Knots(self.inner, min(self.low, other.low), max(self.high, other.high), self.degree)

    def basis(self) -> BSpline:
        """Make all B-splines over these knots."""
        ends = self.degree + 1
        knots = np.concatenate([[self.low] * ends, np.sort(self.inner), [self.high] * ends])
        return BSpline(knots, np.eye(len(knots) - ends), self.degree, extrapolate=True)


@dataclass(frozen=True)
class BSplineBasis(ColumnFunction):
    """R's bs(); beyond the boundary knots the outermost pieces go on."""

    x: Value
    df: Value = None
    knots: Value = None
    degree: Value = None
    intercept: Value = None
    Boundary_knots: Value = None
    name: ClassVar[str] = "bs"

    @property
    def _power(self) -> int:
        return int(number_argument(self.degree, f"{self.name}(degree = )", default=3))

    @property
    def _has_intercept(self) -> bool:
        return flag_argument(self.intercept, f"{self.name}(intercept = )", default=False)

    @property
    def _knots_for_df(self) -> int:
        """Count the inner knots that the degrees of freedom leave to be put at quantiles."""
        if self.knots is not None or self.df is None:
            return 0
        df = int(number_argument(self.df, f"{self.name}(df = )"))
        return max(df - self._has_intercept - self._columns_without_knots(), 0)

    def _columns_without_knots(self) -> int:
        return self._power

    @property
    def advice_when_distributed(self) -> str:
        """Quantiles need all rows in order."""
        return f"give its knots: {self.name}(x, knots = c(...))" if self._knots_for_df else ""

    def collect(self, totals: Totals) -> Knots:
        """Find the boundary knots, and inner knots at quantiles of the values between them."""
        x = as_numbers(self.x, self.name)
        given = x[~np.isnan(x)]
        low, high = given.min(initial=np.inf), given.max(initial=-np.inf)
        if self.Boundary_knots is not None:
            boundary = as_numbers(self.Boundary_knots, f"{self.name}(Boundary.knots = )")
            low, high = boundary.min(), boundary.max()
        if low == high:
            raise RxArgumentError(f"a spline needs different values; there is only {low:g}")
        inner = np.zeros(0) if self.knots is None else as_numbers(self.knots, f"{self.name}(knots = )")
        within = given[(given >= low) & (given <= high)]
        if self._knots_for_df and len(within):
            inner = np.quantile(within, np.linspace(0, 1, self._knots_for_df + 2)[1:-1])
        return Knots(inner, float(low), float(high), self._power)

    def value(self, totals: Totals) -> Matrix:
        """Make a column for each spline of the basis."""
        basis = self._basis(as_numbers(self.x, self.name), totals[0])
        return Matrix(basis, tuple(map(str, range(1, basis.shape[1] + 1))))

    def _basis(self, x: FloatArray, knots: Knots) -> FloatArray:
        basis: FloatArray = knots.basis()(x)[:, 0 if self._has_intercept else 1 :]
        return basis


@dataclass(frozen=True)
class NaturalSplineBasis(BSplineBasis):
    """R's ns(): cubic, and linear beyond the boundary knots."""

    name: ClassVar[str] = "ns"

    def _columns_without_knots(self) -> int:
        return 1

    def _basis(self, x: FloatArray, knots: Knots) -> FloatArray:
        cubic = Knots(knots.inner, knots.low, knots.high, 3).basis()
        first_derivative, second_derivative = cubic.derivative(1), cubic.derivative(2)
        found = cubic(np.clip(x, knots.low, knots.high))
        for end, outside in ((knots.low, x < knots.low), (knots.high, x > knots.high)):
            found[outside] = cubic(end) + np.outer(x[outside] - end, first_derivative(end))
        first = 0 if self._has_intercept else 1
        # The columns of the null space of the second derivatives at the boundary are linear there.
        rotation = qr(second_derivative(np.array([knots.low, knots.high]))[:, first:].T)[0]
        basis: FloatArray = (found[:, first:] @ rotation)[:, 2:]
        return basis
