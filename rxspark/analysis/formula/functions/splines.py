"""The bases of B-splines and natural cubic splines that R's package splines makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import qr

from rxspark.errors import RxArgumentError

__all__ = ["Knots", "knots_of", "natural_spline", "spline"]


@dataclass(frozen=True)
class Knots:
    """Where the pieces of a spline meet."""

    inner: Any
    low: float
    high: float
    degree: int

    def __add__(self, other: Knots) -> Knots:
        """Of more rows, where the inner knots are given."""
        return Knots(self.inner, min(self.low, other.low), max(self.high, other.high), self.degree)

    def basis(self) -> BSpline:
        """All B-splines over these knots."""
        ends = self.degree + 1
        knots = np.concatenate([[self.low] * ends, np.sort(self.inner), [self.high] * ends])
        return BSpline(knots, np.eye(len(knots) - ends), self.degree, extrapolate=True)


def knots_of(x: Any, inner: Any, count: int, ends: Any, degree: int) -> Knots:
    """Knots that are given, or quantiles of the values between the ends."""
    given = x[~np.isnan(x)]
    low, high = (given.min(initial=np.inf), given.max(initial=-np.inf)) if ends is None else (ends.min(), ends.max())
    if low == high:
        raise RxArgumentError(f"a spline needs different values; there is only {low:g}")
    if inner is None:
        within = given[(given >= low) & (given <= high)]
        inner = np.quantile(within, np.linspace(0, 1, count + 2)[1:-1]) if len(within) else np.zeros(0)
    return Knots(inner, float(low), float(high), degree)


def spline(x: Any, knots: Knots, intercept: bool) -> Any:
    """R's bs(), shape (rows, columns); beyond the ends the outermost pieces go on."""
    return knots.basis()(x)[:, 0 if intercept else 1 :]


def natural_spline(x: Any, knots: Knots, intercept: bool) -> Any:
    """R's ns(), shape (rows, columns): cubic, and linear beyond the ends."""
    cubic = Knots(knots.inner, knots.low, knots.high, 3).basis()
    slope, bend = cubic.derivative(1), cubic.derivative(2)
    found = cubic(np.clip(x, knots.low, knots.high))
    for end, outside in ((knots.low, x < knots.low), (knots.high, x > knots.high)):
        found[outside] = cubic(end) + np.outer(x[outside] - end, slope(end))
    first = 0 if intercept else 1
    rotation = qr(bend(np.array([knots.low, knots.high]))[:, first:].T)[0]
    return (found[:, first:] @ rotation)[:, 2:]
