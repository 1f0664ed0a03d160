"""Observations of a generalized linear model, and the sums over them that a fit needs.

The sums are the same however the rows are divided, so that they may lie in this process or on a cluster. A fit works on
an orthonormal basis of the columns, ``x @ whitening``, so that neither their units nor collinearity cost digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.data.tables import Sums
from rxspark.analysis.glm.families import Family
from rxspark.analysis.glm.links import Link

__all__ = [
    "DesignMoments",
    "Observations",
    "Score",
    "initial_score",
    "log_likelihood",
    "max_eta_change",
    "mean_start_products",
    "moments",
    "residuals",
    "score",
]

_WELL_CONDITIONED = 1e-4
"""The least share of a column's length, outside the columns before it, for which the Cholesky factor of the products
still keeps half of the digits; a QR decomposition, which costs more, keeps them below that."""


@dataclass(frozen=True)
class Observations:
    """Rows of a model."""

    x: FloatArray
    """Shape (rows, columns)."""
    y: FloatArray
    prior: FloatArray
    """Prior weights."""
    trials: FloatArray
    """The number of trials of each row of a grouped binomial model; else the prior weights."""
    frequencies: FloatArray
    offset: FloatArray | None
    valid: int
    """Rows of the table that have all values; some may have weight 0."""
    missing: int
    """Rows that were left out as they lack a value."""

    @property
    def weights(self) -> FloatArray:
        """Prior weights times frequencies."""
        return self.prior * self.frequencies

    def linear_predictor(self, coefficients: FloatArray) -> FloatArray:
        """Compute eta at coefficients of the columns."""
        eta: FloatArray = self.x @ coefficients
        return eta if self.offset is None else eta + self.offset

    def without_offset(self, eta: FloatArray) -> FloatArray:
        """Subtract the offset from a linear predictor."""
        return eta if self.offset is None else eta - self.offset


@dataclass(frozen=True)
class DesignMoments:
    """Sums over rows before a fit."""

    r_factor: FloatArray
    """The triangular factor R of the weighted columns: R'R are their products."""
    rows: int
    count: int
    """The sum of the frequencies."""
    weight: float
    response: float
    """The weighted sum of the responses."""
    valid: int
    missing: int

    @property
    def mean(self) -> np.float64:
        """The weighted mean of the response."""
        return np.float64(self.response / self.weight)

    def __add__(self, other: DesignMoments) -> DesignMoments:
        r_factor = np.linalg.qr(np.vstack([self.r_factor, other.r_factor]), mode="r")
        return DesignMoments(
            r_factor=np.asarray(r_factor),
            rows=self.rows + other.rows,
            count=self.count + other.count,
            weight=self.weight + other.weight,
            response=self.response + other.response,
            valid=self.valid + other.valid,
            missing=self.missing + other.missing,
        )


@dataclass(frozen=True)
class Score(Sums):
    """The score equations at some coefficients: information^-1 score is the step of Fisher scoring."""

    information: FloatArray
    score: FloatArray
    deviance: float
    pearson: float
    """Pearson's chi-squared statistic."""
    invalid_mu: int
    """Rows whose mean is not one that the family can have."""


def moments(rows: Observations) -> DesignMoments:
    """Sum up rows before a fit."""
    weights = rows.weights
    return DesignMoments(
        r_factor=_r_factor(rows.x, weights),
        rows=len(rows.y),
        count=int(rows.frequencies.sum()),
        weight=float(weights.sum()),
        response=float(weights @ rows.y),
        valid=rows.valid,
        missing=rows.missing,
    )


def _r_factor(x: FloatArray, weights: FloatArray) -> FloatArray:
    products = (x.T * weights) @ x
    if _independent_shares(products).min(initial=1) > _WELL_CONDITIONED:
        return np.linalg.cholesky(products).T
    return np.asarray(np.linalg.qr(x * np.sqrt(weights)[:, None], mode="r"))


def _independent_shares(products: FloatArray) -> FloatArray:
    """Find the share of each column's length that lies outside the columns before it, from the columns' products."""
    lengths = np.sqrt(np.diag(products))
    if not lengths.all():
        return np.zeros(1)
    try:
        return np.diag(np.linalg.cholesky(products / np.outer(lengths, lengths)))
    except np.linalg.LinAlgError:
        return np.zeros(1)


def initial_score(family: Family, link: Link, whitening: FloatArray, rows: Observations) -> Score:
    """Sum up the equations of R's first step, which starts from means near the responses and not from coefficients."""
    with np.errstate(all="ignore"):
        basis = rows.x @ whitening
        mu = family.initial_mean(rows.y, rows.prior)
        eta = link.link(mu)
        mu_eta = link.inverse_deriv(eta)
        working_weights = rows.weights * mu_eta**2 / family.variance(mu)
        working_response = rows.without_offset(eta) + (rows.y - mu) / mu_eta
        return Score(
            information=(basis.T * working_weights) @ basis,
            score=basis.T @ (working_weights * working_response),
            deviance=family.deviance(rows.y, mu, rows.weights),
            pearson=0.0,
            invalid_mu=int(np.sum(~(np.isfinite(working_response) & np.isfinite(working_weights)))),
        )


def score(family: Family, link: Link, whitening: FloatArray, coefficients: FloatArray, rows: Observations) -> Score:
    """Sum up the score equations at coefficients of the basis ``x @ whitening``."""
    with np.errstate(all="ignore"):
        basis = rows.x @ whitening
        eta = basis @ coefficients
        if rows.offset is not None:
            eta = eta + rows.offset
        mu, weights = link.inverse(eta), rows.weights
        mu_eta = mu if link.inverse_deriv is link.inverse else link.inverse_deriv(eta)
        variance = family.variance(mu)
        residual = rows.y - mu
        return Score(
            information=(basis.T * (weights * mu_eta**2 / variance)) @ basis,
            score=basis.T @ (weights * mu_eta * residual / variance),
            deviance=family.deviance(rows.y, mu, weights),
            pearson=float(np.sum(weights * residual**2 / variance)),
            invalid_mu=int(np.sum(~(np.isfinite(mu) & family.valid_mean(mu)))),
        )


def log_likelihood(family: Family, link: Link, coefficients: FloatArray, rows: Observations) -> float:
    """Sum up the rows' terms of the log-likelihood, at coefficients of the columns."""
    if family.row_log_likelihood is None:
        return 0.0
    mu = link.inverse(rows.linear_predictor(coefficients))
    terms = family.row_log_likelihood(rows.y, mu, rows.trials)
    return float((rows.frequencies * rows.prior / rows.trials) @ terms)


def residuals(spec: tuple[Family, Link], coefficients: FloatArray, kind: str, rows: Observations) -> FloatArray:
    """Compute R's residuals: "deviance", "pearson", "working" or "response"."""
    family, link = spec
    eta = rows.linear_predictor(coefficients)
    mu = link.inverse(eta)
    response: FloatArray = rows.y - mu
    with np.errstate(all="ignore"):
        match kind:
            case "deviance":
                return np.sign(response) * np.sqrt(np.maximum(rows.prior * family.unit_deviance(rows.y, mu), 0))
            case "pearson":
                return response * np.sqrt(rows.prior / family.variance(mu))
            case "working":
                return response / link.inverse_deriv(eta)
    return response


def mean_start_products(whitening: FloatArray, eta: float, rows: Observations) -> FloatArray:
    """Sum up the products of the basis with a linear predictor that is the same in all rows."""
    products: FloatArray = (rows.x @ whitening).T @ (rows.weights * rows.without_offset(np.full(len(rows.y), eta)))
    return products


def max_eta_change(whitening: FloatArray, step: FloatArray, rows: Observations) -> float:
    """Find the largest change that a step makes to a linear predictor."""
    return float(np.abs(rows.x @ (whitening @ step)).max())
