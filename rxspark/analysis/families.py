"""Families and links of generalized linear models, with R's names: deviance, AIC, and which responses they accept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, gammaln, logit, ndtr, ndtri, xlog1py, xlogy

from rxspark.errors import RxArgumentError, closest

__all__ = ["FAMILIES", "LINKS", "Family", "Link", "chosen"]

Array = Any  # a NumPy array of floats, one value a row


_EPS = 2.220446049250313e-16
_LEAST_LOGIT = float(logit(_EPS))
_LEAST_PROBIT = float(ndtri(_EPS))


@dataclass(frozen=True)
class Link:
    """A link function of the mean: eta = link(mu), mu = inverse(eta), and the derivative of the inverse.

    Means stay away from their limits by as much as R keeps them, so that a fit that runs off to a limit stays finite.
    """

    link: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    slope: Callable[[Array], Array]


def _exp(eta: Array) -> Array:
    return np.maximum(np.exp(eta), _EPS)


def _logistic(eta: Array) -> Array:
    return expit(np.clip(eta, _LEAST_LOGIT, -_LEAST_LOGIT))


def _logistic_slope(eta: Array) -> Array:
    mu = _logistic(eta)
    return mu * (1 - mu)


def _normal(eta: Array) -> Array:
    return ndtr(np.clip(eta, _LEAST_PROBIT, -_LEAST_PROBIT))


def _normal_slope(eta: Array) -> Array:
    return np.maximum(np.exp(-0.5 * eta**2) / np.sqrt(2 * np.pi), _EPS)


def _cloglog_inverse(eta: Array) -> Array:
    return np.clip(-np.expm1(-np.exp(np.minimum(eta, 700.0))), _EPS, 1 - _EPS)


def _cloglog_slope(eta: Array) -> Array:
    capped = np.minimum(eta, 700.0)
    return np.maximum(np.exp(capped - np.exp(capped)), _EPS)


LINKS: dict[str, Link] = {
    "identity": Link(lambda mu: mu, lambda eta: eta, np.ones_like),
    "log": Link(np.log, _exp, _exp),
    "logit": Link(logit, _logistic, _logistic_slope),
    "probit": Link(ndtri, _normal, _normal_slope),
    "cloglog": Link(lambda mu: np.log(-np.log1p(-mu)), _cloglog_inverse, _cloglog_slope),
    "inverse": Link(lambda mu: 1 / mu, lambda eta: 1 / eta, lambda eta: -1 / eta**2),
    "1/mu^2": Link(lambda mu: mu**-2.0, lambda eta: eta**-0.5, lambda eta: -0.5 * eta**-1.5),
    "sqrt": Link(np.sqrt, np.square, lambda eta: 2 * eta),
}


@dataclass(frozen=True)
class Family:
    """A family of distributions of the response."""

    name: str
    links: tuple[str, ...]
    """Those that it takes; the first is the default."""
    dispersion_known: bool
    """Whether the dispersion is 1 rather than estimated."""
    accepts: str
    valid: Callable[[Array], Array]
    """Which values a response may have."""
    variance: Callable[[Array], Array]
    unit_deviance: Callable[[Array, Array], Array]
    """(y, mu): what one row of weight 1 adds to the deviance."""
    start: Callable[[Array, Array], Array]
    """(y, prior weights): the means from which R starts too."""
    row_likelihood: Callable[[Array, Array, Array], Array] | None
    """(y, mu, prior weights): what a row adds to the likelihood, where that is a sum over rows; None: there is none."""
    log_likelihood: Callable[[float, float, float, int], float]
    """(sum of those, deviance, sum of the weights, observations): the logarithm of the likelihood."""
    reachable: Callable[[Array], Array]
    """Which means a model may give."""
    extra_parameters: int = 0
    """Parameters beside the coefficients that the likelihood has, for AIC."""

    def deviance(self, y: Array, mu: Array, weights: Array) -> float:
        """Twice the log-likelihood that is lacking to a perfect fit."""
        return float(np.sum(weights * self.unit_deviance(y, mu)))

    def aic(self, rows: float, deviance: float, weight: float, observations: int, rank: int) -> float:
        """Akaike's criterion as R gives it; NaN where a family has no likelihood."""
        if self.row_likelihood is None:
            return float("nan")
        told = self.log_likelihood(rows, deviance, weight, observations)
        return float(-2 * told + 2 * (rank + self.extra_parameters))


def _gaussian(rows: float, deviance: float, weight: float, n: int) -> float:
    return float(rows - 0.5 * n * (np.log(2 * np.pi * deviance / n) + 1))


def _poisson_row(y: Array, mu: Array, prior: Array) -> Array:
    return prior * (xlogy(y, mu) - mu - gammaln(y + 1))


def _binomial_row(y: Array, mu: Array, prior: Array) -> Array:
    """A prior weight is a number of trials, and the response the share of successes, as R has it."""
    trials, hits = np.round(prior), np.round(prior * y)
    ways = gammaln(trials + 1) - gammaln(hits + 1) - gammaln(trials - hits + 1)
    return ways + xlogy(hits, mu) + xlog1py(trials - hits, -mu)


def _gamma(rows: float, deviance: float, weight: float, n: int) -> float:
    shape = weight / deviance
    return float(shape * (-deviance / 2 - weight) + weight * (shape * np.log(shape) - gammaln(shape)) + rows)


def _inverse_gaussian(rows: float, deviance: float, weight: float, n: int) -> float:
    return float(1.5 * rows - 0.5 * weight * (np.log(2 * np.pi * deviance / weight) + 1))


def _binomial_deviance(y: Array, mu: Array) -> Array:
    return 2 * (xlogy(y, y) - xlogy(y, mu) + xlog1py(1 - y, -y) - xlog1py(1 - y, -mu))


def _poisson_deviance(y: Array, mu: Array) -> Array:
    return 2 * (xlogy(y, y) - xlogy(y, mu) - (y - mu))


_BINOMIAL: dict[str, Any] = {
    "links": ("logit", "probit", "cloglog"),
    "accepts": "values from 0 to 1, True and False, or a factor of two levels",
    "valid": lambda y: (y >= 0) & (y <= 1),
    "variance": lambda mu: mu * (1 - mu),
    "unit_deviance": _binomial_deviance,
    "start": lambda y, prior: (prior * y + 0.5) / (prior + 1),
    "log_likelihood": lambda rows, deviance, weight, n: rows,
    "reachable": lambda mu: (mu > 0) & (mu < 1),
}
_POISSON: dict[str, Any] = {
    "links": ("log", "identity", "sqrt"),
    "accepts": "values of 0 or more",
    "valid": lambda y: y >= 0,
    "variance": lambda mu: mu,
    "unit_deviance": _poisson_deviance,
    "start": lambda y, prior: y + 0.1,
    "log_likelihood": lambda rows, deviance, weight, n: rows,
    "reachable": lambda mu: mu > 0,
}
_POSITIVE: dict[str, Any] = {
    "dispersion_known": False,
    "accepts": "values above 0",
    "valid": lambda y: y > 0,
    "start": lambda y, prior: y,
    "row_likelihood": lambda y, mu, prior: -prior * np.log(y),
    "reachable": lambda mu: mu > 0,
    "extra_parameters": 1,
}

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            name="gaussian",
            links=("identity", "log", "inverse"),
            dispersion_known=False,
            accepts="numbers",
            valid=np.isfinite,
            variance=np.ones_like,
            unit_deviance=lambda y, mu: (y - mu) ** 2,
            start=lambda y, prior: y,
            row_likelihood=lambda y, mu, prior: 0.5 * np.log(prior),
            log_likelihood=_gaussian,
            reachable=np.isfinite,
            extra_parameters=1,
        ),
        Family(name="binomial", dispersion_known=True, row_likelihood=_binomial_row, **_BINOMIAL),
        Family(name="quasibinomial", dispersion_known=False, row_likelihood=None, **_BINOMIAL),
        Family(name="poisson", dispersion_known=True, row_likelihood=_poisson_row, **_POISSON),
        Family(name="quasipoisson", dispersion_known=False, row_likelihood=None, **_POISSON),
        Family(
            name="gamma",
            links=("inverse", "identity", "log"),
            variance=np.square,
            unit_deviance=lambda y, mu: -2 * (np.log(y / mu) - (y - mu) / mu),
            log_likelihood=_gamma,
            **_POSITIVE,
        ),
        Family(
            name="inverse.gaussian",
            links=("1/mu^2", "inverse", "identity", "log"),
            variance=lambda mu: mu**3,
            unit_deviance=lambda y, mu: (y - mu) ** 2 / (y * mu**2),
            log_likelihood=_inverse_gaussian,
            **_POSITIVE,
        ),
    )
}


def chosen(family: Any, link: Any) -> tuple[Family, str]:
    """The family and the name of its link; RxArgumentError for what there is not.

    >>> family, link = chosen("Gamma", None)
    >>> family.name, link
    ('gamma', 'inverse')
    """
    name = family.lower().replace("_", ".") if isinstance(family, str) else family
    if name not in FAMILIES:
        guess = closest(family, FAMILIES) if isinstance(family, str) else None
        hint = f"did you mean {guess!r}?" if guess else f"the families are {', '.join(FAMILIES)}"
        raise RxArgumentError(f"family={family!r}: {hint}")
    found = FAMILIES[name]
    if link is None:
        return found, found.links[0]
    if link not in found.links:
        raise RxArgumentError(f"link={link!r}: the family {name} takes {', '.join(found.links)}")
    return found, str(link)
