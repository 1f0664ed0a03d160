"""What rows add to the fit of a generalized linear model: sums, which are the same however the rows are divided.

The rows of a model may lie in this process or in the workers of a cluster (parts.py); the fit (glm_fit.py) asks both
for the same sums. Steps are taken in an orthonormal basis of the columns, so that no unit and no
near-collinearity of the columns costs digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rxspark.analysis.data.blocks import Sums
from rxspark.analysis.glm.families import Family
from rxspark.analysis.glm.links import Link

__all__ = [
    "Moments",
    "Part",
    "Score",
    "first_score",
    "level",
    "likelihood",
    "moments",
    "moved",
    "residuals",
    "score",
]

Array = Any


@dataclass(frozen=True)
class Part:
    """Some rows of a model; those of weight 0 are out."""

    x: Array
    y: Array
    prior: Array
    trials: Array
    """How many trials a row of a grouped binomial model is; of all others the prior weight."""
    frequencies: Array
    offset: Array | None
    valid: int
    """Rows of the table that have all values; they may have weight 0."""
    missing: int
    """Rows that were left out as they lack a value."""

    @property
    def weights(self) -> Array:
        """Prior weights times frequencies."""
        return self.prior * self.frequencies

    @property
    def shift(self) -> Array | float:
        """The offset, 0 where there is none."""
        return 0.0 if self.offset is None else self.offset


@dataclass(frozen=True)
class Moments:
    """What is known of rows before a fit."""

    root: Array
    """The triangular factor of the weighted columns: root' root are their products."""
    rows: int
    counted: int
    """The sum of the frequencies."""
    weight: float
    response: float
    """The weighted sum of the responses."""
    valid: int
    missing: int

    def __add__(self, other: Moments) -> Moments:
        root = np.linalg.qr(np.vstack([self.root, other.root]), mode="r")
        return Moments(
            np.asarray(root),
            self.rows + other.rows,
            self.counted + other.counted,
            self.weight + other.weight,
            self.response + other.response,
            self.valid + other.valid,
            self.missing + other.missing,
        )


@dataclass(frozen=True)
class Score(Sums):
    """What rows say about coefficients, at some coefficients."""

    information: Array
    score: Array
    """Where to go: information^-1 score is the step."""
    deviance: float
    pearson: float
    unreachable: int
    """Rows whose mean is none that the family has."""


def moments(part: Part) -> Moments:
    """Describe rows."""
    weights = part.weights
    return Moments(
        _root(part.x, weights),
        len(part.y),
        int(part.frequencies.sum()),
        float(weights.sum()),
        float(weights @ part.y),
        part.valid,
        part.missing,
    )


def _root(x: Array, weights: Array) -> Array:
    products = (x.T * weights) @ x
    if _parts_of_their_own(products).min(initial=1) > 1e-4:  # sure enough from the products, which are cheap
        return np.linalg.cholesky(products).T
    return np.asarray(np.linalg.qr(x * np.sqrt(weights)[:, None], mode="r"))


def _parts_of_their_own(products: Array) -> Array:
    """How much of each column's length is left when those before it are taken out, from the columns' products."""
    lengths = np.sqrt(np.diag(products))
    if not lengths.all():
        return np.zeros(1)
    try:
        return np.diag(np.linalg.cholesky(products / np.outer(lengths, lengths)))
    except np.linalg.LinAlgError:
        return np.zeros(1)


def first_score(family: Family, link: Link, back: Array, part: Part) -> Score:
    """The equations of R's first step: not from coefficients, but from means near the responses."""
    with np.errstate(all="ignore"):
        basis = part.x @ back
        mu = family.start(part.y, part.prior)
        eta = link.link(mu)
        slope = link.slope(eta)
        working = part.weights * slope**2 / family.variance(mu)
        target = eta - part.shift + (part.y - mu) / slope
        return Score(
            (basis.T * working) @ basis,
            basis.T @ (working * target),
            family.deviance(part.y, mu, part.weights),
            0.0,
            int(len(mu) - np.count_nonzero(np.isfinite(target) & np.isfinite(working))),
        )


def score(family: Family, link: Link, back: Array, coefficients: Array, part: Part) -> Score:
    """What rows say at coefficients of the basis ``x @ back``."""
    with np.errstate(all="ignore"):
        basis = part.x @ back
        eta = basis @ coefficients + part.shift + np.zeros(len(part.y))
        mu, weights = link.inverse(eta), part.weights
        slope = mu if link.slope is link.inverse else link.slope(eta)
        variance = family.variance(mu)
        residual = part.y - mu
        return Score(
            (basis.T * (weights * slope**2 / variance)) @ basis,
            basis.T @ (weights * slope * residual / variance),
            family.deviance(part.y, mu, weights),
            float(np.sum(weights * residual**2 / variance)),
            int(len(mu) - np.count_nonzero(np.isfinite(mu) & family.reachable(mu))),
        )


def likelihood(family: Family, link: Link, coefficients: Array, part: Part) -> float:
    """What rows add to the likelihood, at coefficients of the columns themselves."""
    if family.row_likelihood is None:
        return 0.0
    mu = link.inverse(part.x @ coefficients + part.shift)
    rows = family.row_likelihood(part.y, mu, part.trials)
    return float((part.frequencies * part.prior / part.trials) @ rows)


def residuals(family: Family, link: Link, coefficients: Array, kind: str, part: Part) -> Array:
    """How far each response is from its mean: "deviance", "pearson", "working" or "response", as R has it."""
    eta = part.x @ coefficients + part.shift + np.zeros(len(part.y))
    mu = link.inverse(eta)
    apart = part.y - mu
    with np.errstate(all="ignore"):
        match kind:
            case "deviance":
                return np.sign(apart) * np.sqrt(np.maximum(part.prior * family.unit_deviance(part.y, mu), 0))
            case "pearson":
                return apart * np.sqrt(part.prior / family.variance(mu))
            case "working":
                return apart / link.slope(eta)
    return apart


def level(back: Array, value: float, part: Part) -> Array:
    """The products of the basis with a linear predictor that is the same in all rows."""
    return (part.x @ back).T @ (part.weights * (value - part.shift + np.zeros(len(part.y))))


def moved(back: Array, step: Array, part: Part) -> float:
    """The most by which a step changes a linear predictor."""
    return float(np.abs(part.x @ (back @ step)).max())
