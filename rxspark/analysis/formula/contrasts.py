"""How the levels of a factor become columns of numbers, as in R."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["CONTRASTS", "dummies"]

Contrast = Callable[[list[str]], tuple[Any, list[str]]]


def dummies(levels: list[str]) -> tuple[Any, list[str]]:
    """A column for each level."""
    return np.eye(len(levels)), levels


def _treatment(levels: list[str]) -> tuple[Any, list[str]]:
    return np.eye(len(levels))[:, 1:], levels[1:]


def _sas(levels: list[str]) -> tuple[Any, list[str]]:
    return np.eye(len(levels))[:, :-1], levels[:-1]


def _sum(levels: list[str]) -> tuple[Any, list[str]]:
    n = len(levels)
    return np.vstack([np.eye(n - 1), -np.ones(n - 1)]), [str(number) for number in range(1, n)]


def _helmert(levels: list[str]) -> tuple[Any, list[str]]:
    n = len(levels)
    columns = [[-1.0] * (k + 1) + [k + 1.0] + [0.0] * (n - k - 2) for k in range(n - 1)]
    return np.array(columns).T, [str(number) for number in range(1, n)]


def _polynomial(levels: list[str]) -> tuple[Any, list[str]]:
    """Orthogonal polynomials in the order of the levels."""
    n = len(levels)
    q, r = np.linalg.qr(np.vander(np.arange(n) - (n - 1) / 2, increasing=True))
    names = [{1: ".L", 2: ".Q", 3: ".C"}.get(degree, f"^{degree}") for degree in range(1, n)]
    return (q * np.sign(np.diag(r)))[:, 1:], names


CONTRASTS: dict[str, Contrast] = {
    "contr.treatment": _treatment,
    "contr.poly": _polynomial,
    "contr.sum": _sum,
    "contr.helmert": _helmert,
    "contr.SAS": _sas,
}
"""The matrix of a factor, a row for each level, and what R appends to the factor's name for each column."""
