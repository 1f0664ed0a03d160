"""A generalized linear model of data in memory, fitted by glum: the only file that names it.

glum is the fastest of the libraries that are kept well, but knows neither collinear columns nor units: so it is given
an orthonormal basis of the columns, in which every problem is well scaled, and its answer is turned back.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import glum
import numpy as np
from glum._link import Link as GlumLink
from scipy.linalg import solve_triangular

from rxspark.analysis.families import LINKS, Family, Link

__all__ = ["Fit", "fit", "independent"]

_GLUM_FAMILIES = {
    "gaussian": "normal",
    "quasibinomial": "binomial",
    "quasipoisson": "poisson",
    "inverse.gaussian": "inverse.gaussian",
}
_GRADIENT = 1e-9  # relative to what a row's score is by nature: coefficients are then right to eight digits
_COLLINEAR = 1e-11  # as R's glm has it: what is left of a column, relative to its length


@dataclass(frozen=True)
class Fit:
    """What a fit found, on the columns that are kept."""

    coefficients: Any
    unscaled: Any
    """The covariance of the coefficients at dispersion 1."""
    mu: Any
    deviance: float
    pearson: float
    iterations: int
    converged: bool
    drift: float
    """How far one step more would move a linear predictor: not at all, unless it has no end, as under separation."""


class _Adapted(GlumLink):  # type: ignore[misc] # glum has no types
    """A link of ours, as glum calls links."""

    def __init__(self, link: Link) -> None:
        self.own = link

    def link(self, mu: Any) -> Any:
        return self.own.link(mu)

    def derivative(self, mu: Any) -> Any:
        return 1 / self.own.slope(self.own.link(mu))

    def inverse(self, lin_pred: Any) -> Any:
        return self.own.inverse(lin_pred)

    def inverse_derivative(self, lin_pred: Any) -> Any:
        return self.own.slope(lin_pred)

    def inverse_derivative2(self, lin_pred: Any) -> Any:
        return self.own.curvature(lin_pred)


def fit(
    x: Any, y: Any, weights: Any, offset: Any | None, family: Family, link_name: str, prior: Any, max_iterations: int
) -> Fit:
    """Fit a model to columns that are linearly independent; `weights` are prior weights times frequencies."""
    link = LINKS[link_name]
    back = _to_orthonormal(x, weights)
    basis = np.asfortranarray(x @ back)
    model = glum.GeneralizedLinearRegressor(
        family=_GLUM_FAMILIES.get(family.name, family.name),
        link=link_name if link_name in ("identity", "log", "logit", "cloglog") else _Adapted(link),
        alpha=0,
        fit_intercept=False,
        solver="irls-ls",
        max_iter=max_iterations,
        gradient_tol=_GRADIENT * basis.shape[1] * _score_size(y, weights, family, link),
        start_params=_start(basis, y, weights, offset, family, link, prior),
    )
    with warnings.catch_warnings(record=True) as told, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        model.fit(basis, y, sample_weight=weights, offset=offset)
        eta = basis @ model.coef_ + (0 if offset is None else offset)
        mu, slope = link.inverse(eta), link.slope(eta)
        information = weights * slope**2 / family.variance(mu)
        unscaled = _inverse(basis.T @ (information[:, None] * basis))
        step = unscaled @ (basis.T @ (weights * slope * (y - mu) / family.variance(mu)))
    return Fit(
        back @ model.coef_,
        back @ unscaled @ back.T,
        mu,
        family.deviance(y, mu, weights),
        float(np.sum(weights * (y - mu) ** 2 / family.variance(mu))),
        int(model.n_iter_) + 1,  # the start was a step too
        not any("failed to converge" in str(one.message) for one in told),
        float(np.nan_to_num(np.abs(basis @ step), nan=np.inf).max()),
    )


def independent(x: Any, weights: Any) -> list[int]:
    """The columns that are no combination of those before them, as R's glm keeps them."""
    kept = [int(column) for column in np.flatnonzero(weights @ x**2)]
    lengths = np.sqrt(weights @ x**2)
    if _parts_of_their_own(((x.T * weights) @ x)[np.ix_(kept, kept)]).min(initial=1) > 1e-4:
        return kept  # sure enough from the products, which are cheap
    scaled = x * np.sqrt(weights)[:, None]
    while kept:
        own = np.abs(np.diag(np.linalg.qr(scaled[:, kept], mode="r"))) / lengths[kept]
        if len(own) < len(kept):  # fewer rows than columns
            own = np.append(own, np.zeros(len(kept) - len(own)))
        dependent = np.flatnonzero(own < _COLLINEAR)
        if len(dependent) == 0:
            break
        del kept[dependent[0]]
    return kept


def _parts_of_their_own(products: Any) -> Any:
    """How much of each column's length is left when those before it are taken out, from the columns' products."""
    lengths = np.sqrt(np.diag(products))
    try:
        return np.diag(np.linalg.cholesky(products / np.outer(lengths, lengths)))
    except np.linalg.LinAlgError:
        return np.zeros(1)


def _to_orthonormal(x: Any, weights: Any) -> Any:
    """The matrix by which columns become orthogonal, each with a mean square of 1."""
    products = (x.T * weights) @ x
    if _parts_of_their_own(products).min() > 1e-4:
        root = np.linalg.cholesky(products).T
    else:
        root = np.asarray(np.linalg.qr(x * np.sqrt(weights)[:, None], mode="r"))
    return solve_triangular(root, np.eye(len(root))) * np.sqrt(weights.sum())


def _score_size(y: Any, weights: Any, family: Family, link: Link) -> float:
    """How large the derivative of a row's likelihood is by nature, so that convergence does not hang on units."""
    mean = np.average(y, weights=weights)
    spread = np.average(np.abs(y - mean), weights=weights) + 1e-3 * abs(mean)
    with np.errstate(all="ignore"):
        size = float(spread * abs(link.slope(link.link(mean)) / family.variance(mean)))
    return size if 0 < size < np.inf else 1.0


def _start(basis: Any, y: Any, weights: Any, offset: Any, family: Family, link: Link, prior: Any) -> Any:
    """The first step of R's iteration, from means near the responses; the mean of all where that leads nowhere."""
    shift = 0 if offset is None else offset
    with np.errstate(all="ignore"):
        mu = family.start(y, prior)
        eta = link.link(mu)
        slope = link.slope(eta)
        working = weights * slope**2 / family.variance(mu)
        target = eta - shift + (y - mu) / slope
        if np.isfinite(target).all() and np.isfinite(working).all():
            first = np.linalg.lstsq((basis.T * working) @ basis, basis.T @ (working * target), rcond=None)[0]
            reached = link.inverse(basis @ first + shift)
            if np.isfinite(reached).all() and family.valid(reached).all():
                return first
    level = np.full(len(y), float(link.link(np.average(y, weights=weights)))) - shift
    return np.linalg.lstsq(basis, level, rcond=None)[0]


def _inverse(matrix: Any) -> Any:
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:  # where all means are at their limits, nothing is known of the coefficients
        return np.full_like(matrix, np.inf)
