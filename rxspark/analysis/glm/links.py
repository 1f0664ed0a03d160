"""Link functions of generalized linear models, by R's names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

__all__ = ["LINKS", "Link", "link_named", "power_link"]

Array = Any  # a NumPy array of floats, one value a row

_EPS = 2.220446049250313e-16
_LEAST_LOGIT = float(logit(_EPS))
_LEAST_PROBIT = float(ndtri(_EPS))
_LEAST_CAUCHIT = -1 / np.tan(np.pi * _EPS)


@dataclass(frozen=True)
class Link:
    """A link function of the mean: eta = link(mu), mu = inverse(eta), and the derivative of the inverse.

    Means stay away from their limits by as much as R keeps them, so that a fit that runs off to a limit stays finite.
    A link pickles as its name.
    """

    name: str
    link: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    slope: Callable[[Array], Array]

    def __reduce__(self) -> tuple[Any, ...]:
        return link_named, (self.name,)


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


def _cauchy(eta: Array) -> Array:
    return np.arctan2(1.0, -np.clip(eta, _LEAST_CAUCHIT, -_LEAST_CAUCHIT)) / np.pi  # no digits lost at small means


def _cauchy_slope(eta: Array) -> Array:
    return np.maximum(1 / (np.pi * (1 + eta**2)), _EPS)


_KNOWN = (
    Link("identity", lambda mu: mu, lambda eta: eta, np.ones_like),
    Link("log", np.log, _exp, _exp),
    Link("logit", logit, _logistic, _logistic_slope),
    Link("probit", ndtri, _normal, _normal_slope),
    Link("cloglog", lambda mu: np.log(-np.log1p(-mu)), _cloglog_inverse, _cloglog_slope),
    Link("cauchit", lambda mu: -1 / np.tan(np.pi * mu), _cauchy, _cauchy_slope),
    Link("inverse", lambda mu: 1 / mu, lambda eta: 1 / eta, lambda eta: -1 / eta**2),
    Link("1/mu^2", lambda mu: mu**-2.0, lambda eta: eta**-0.5, lambda eta: -0.5 * eta**-1.5),
    Link("sqrt", np.sqrt, np.square, lambda eta: 2 * eta),
)
LINKS = {link.name: link for link in _KNOWN}
_POWERS = {0.0: "log", 1.0: "identity", -1.0: "inverse", -2.0: "1/mu^2", 0.5: "sqrt"}
_POWER = re.compile(r"mu\^(.+)")


def power_link(power: float) -> Link:
    """The link mu^power; at 0 the logarithm.

    >>> power_link(0).name, power_link(0.25).name
    ('log', 'mu^0.25')
    """
    if power in _POWERS:
        return LINKS[_POWERS[power]]
    return Link(
        f"mu^{power!r}",
        lambda mu: mu**power,
        lambda eta: eta ** (1 / power),
        lambda eta: (1 / power) * eta ** (1 / power - 1),
    )


def link_named(name: str) -> Link:
    """The link of a name that a `Link` has."""
    power = _POWER.fullmatch(name)
    return power_link(float(power.group(1))) if power else LINKS[name]
