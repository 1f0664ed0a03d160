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


@dataclass(frozen=True)
class Link:
    """A link function of the mean: eta = link(mu), mu = inverse(eta), and two derivatives of the inverse."""

    link: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    curvature: Callable[[Array], Array]


def _density(eta: Array) -> Array:
    return np.exp(-0.5 * eta**2) / np.sqrt(2 * np.pi)


def _cloglog_inverse(eta: Array) -> Array:
    return -np.expm1(-np.exp(np.minimum(eta, 700.0)))


def _cloglog_slope(eta: Array) -> Array:
    capped = np.minimum(eta, 700.0)
    return np.exp(capped - np.exp(capped))


def _logit_slope(eta: Array) -> Array:
    return expit(eta) * expit(-eta)


LINKS: dict[str, Link] = {
    "identity": Link(lambda mu: mu, lambda eta: eta, np.ones_like, np.zeros_like),
    "log": Link(np.log, np.exp, np.exp, np.exp),
    "logit": Link(logit, expit, _logit_slope, lambda eta: _logit_slope(eta) * (expit(-eta) - expit(eta))),
    "probit": Link(ndtri, ndtr, _density, lambda eta: -eta * _density(eta)),
    "cloglog": Link(
        lambda mu: np.log(-np.log1p(-mu)),
        _cloglog_inverse,
        _cloglog_slope,
        lambda eta: _cloglog_slope(eta) * -np.expm1(np.minimum(eta, 700.0)),
    ),
    "inverse": Link(lambda mu: 1 / mu, lambda eta: 1 / eta, lambda eta: -1 / eta**2, lambda eta: 2 / eta**3),
    "1/mu^2": Link(
        lambda mu: mu**-2.0, lambda eta: eta**-0.5, lambda eta: -0.5 * eta**-1.5, lambda eta: 0.75 * eta**-2.5
    ),
    "sqrt": Link(np.sqrt, np.square, lambda eta: 2 * eta, lambda eta: np.full_like(eta, 2.0)),
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
    log_likelihood: Callable[[Array, Array, Array, Array, float, int], float] | None
    """(y, mu, prior weights, frequencies, deviance, observations); None where there is none."""
    extra_parameters: int = 0
    """Parameters beside the coefficients that the likelihood has, for AIC."""

    def deviance(self, y: Array, mu: Array, weights: Array) -> float:
        """Twice the log-likelihood that is lacking to a perfect fit."""
        return float(np.sum(weights * self.unit_deviance(y, mu)))

    def aic(
        self, y: Array, mu: Array, prior: Array, frequencies: Array, deviance: float, observations: int, rank: int
    ) -> float:
        """Akaike's criterion as R gives it; NaN where a family has no likelihood."""
        if self.log_likelihood is None:
            return float("nan")
        told = self.log_likelihood(y, mu, prior, frequencies, deviance, observations)
        return float(-2 * told + 2 * (rank + self.extra_parameters))


def _gaussian(y: Array, mu: Array, prior: Array, freq: Array, deviance: float, n: int) -> float:
    return float(-0.5 * (n * (np.log(2 * np.pi * deviance / n) + 1) - np.sum(freq * np.log(prior))))


def _poisson(y: Array, mu: Array, prior: Array, freq: Array, deviance: float, n: int) -> float:
    return float(np.sum(freq * prior * (xlogy(y, mu) - mu - gammaln(y + 1))))


def _binomial(y: Array, mu: Array, prior: Array, freq: Array, deviance: float, n: int) -> float:
    """A prior weight above 1 is a number of trials, and the response the share of successes, as R has it."""
    trials = np.round(prior) if np.any(prior > 1) else np.ones_like(prior)
    hits = np.round(trials * y)
    ways = gammaln(trials + 1) - gammaln(hits + 1) - gammaln(trials - hits + 1)
    each = ways + xlogy(hits, mu) + xlog1py(trials - hits, -mu)
    return float(np.sum(freq * np.divide(prior, trials, out=np.zeros_like(prior), where=trials > 0) * each))


def _gamma(y: Array, mu: Array, prior: Array, freq: Array, deviance: float, n: int) -> float:
    weights = freq * prior
    shape = np.sum(weights) / deviance
    density = shape * np.log(shape * y / mu) - shape * y / mu - np.log(y) - gammaln(shape)
    return float(np.sum(weights * density))


def _inverse_gaussian(y: Array, mu: Array, prior: Array, freq: Array, deviance: float, n: int) -> float:
    weights = freq * prior
    total = np.sum(weights)
    return float(-0.5 * (total * (np.log(2 * np.pi * deviance / total) + 1) + 3 * np.sum(weights * np.log(y))))


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
}
_POISSON: dict[str, Any] = {
    "links": ("log", "identity", "sqrt"),
    "accepts": "values of 0 or more",
    "valid": lambda y: y >= 0,
    "variance": lambda mu: mu,
    "unit_deviance": _poisson_deviance,
    "start": lambda y, prior: y + 0.1,
}
_POSITIVE: dict[str, Any] = {
    "dispersion_known": False,
    "accepts": "values above 0",
    "valid": lambda y: y > 0,
    "start": lambda y, prior: y,
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
            log_likelihood=_gaussian,
            extra_parameters=1,
        ),
        Family(name="binomial", dispersion_known=True, log_likelihood=_binomial, **_BINOMIAL),
        Family(name="quasibinomial", dispersion_known=False, log_likelihood=None, **_BINOMIAL),
        Family(name="poisson", dispersion_known=True, log_likelihood=_poisson, **_POISSON),
        Family(name="quasipoisson", dispersion_known=False, log_likelihood=None, **_POISSON),
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
