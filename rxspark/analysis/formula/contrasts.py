"""Contrasts: code the levels of a factor as columns of numbers, as in R."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rxspark.analysis.arrays import FloatArray

__all__ = ["CONTRASTS", "indicators"]

Coding = tuple[FloatArray, list[str]]
"""A row for each level, a column for each coefficient; and the suffixes of the columns' names."""


def indicators(levels: list[str]) -> Coding:
    """Code each level by a column of its own."""
    return np.eye(len(levels)), levels


def _treatment(levels: list[str]) -> Coding:
    return np.eye(len(levels))[:, 1:], levels[1:]


def _sas(levels: list[str]) -> Coding:
    return np.eye(len(levels))[:, :-1], levels[:-1]


def _sum(levels: list[str]) -> Coding:
    n = len(levels)
    return np.vstack([np.eye(n - 1), -np.ones(n - 1)]), [str(number) for number in range(1, n)]


def _helmert(levels: list[str]) -> Coding:
    n = len(levels)
    columns = [[-1.0] * (k + 1) + [k + 1.0] + [0.0] * (n - k - 2) for k in range(n - 1)]
    return np.array(columns).T, [str(number) for number in range(1, n)]


def _polynomial(levels: list[str]) -> Coding:
    """Code the order of the levels by orthogonal polynomials."""
    n = len(levels)
    q, r = np.linalg.qr(np.vander(np.arange(n) - (n - 1) / 2, increasing=True))
    names = [{1: ".L", 2: ".Q", 3: ".C"}.get(degree, f"^{degree}") for degree in range(1, n)]
    return (q * np.sign(np.diag(r)))[:, 1:], names


CONTRASTS: dict[str, Callable[[list[str]], Coding]] = {
    "contr.treatment": _treatment,
    "contr.poly": _polynomial,
    "contr.sum": _sum,
    "contr.helmert": _helmert,
    "contr.SAS": _sas,
}
"""R's contrasts, by name; each makes a coding of levels."""
