"""Link functions of generalized linear models, by R's names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from rxspark.analysis.arrays import FloatArray

__all__ = ["LINKS", "Link", "link_by_name", "power_link"]

_EPS = 2.220446049250313e-16
_MIN_LOGIT = float(logit(_EPS))
_MIN_PROBIT = float(ndtri(_EPS))
_MIN_CAUCHIT = -1 / np.tan(np.pi * _EPS)


@dataclass(frozen=True)
class Link:
    """A link function: eta = link(mu), mu = inverse(eta), and d mu / d eta = inverse_deriv(eta).

    Means stay away from their limits by as much as R keeps them, so that a fit that runs off to a limit stays finite.
    A link pickles as its name.
    """

    name: str
    link: Callable[[FloatArray], FloatArray]
    inverse: Callable[[FloatArray], FloatArray]
    inverse_deriv: Callable[[FloatArray], FloatArray]

    def __reduce__(self) -> tuple[Any, ...]:
        return link_by_name, (self.name,)


def _exp(eta: FloatArray) -> FloatArray:
    return np.maximum(np.exp(eta), _EPS)


def _logistic(eta: FloatArray) -> FloatArray:
    found: FloatArray = expit(np.clip(eta, _MIN_LOGIT, -_MIN_LOGIT))
    return found


def _logistic_deriv(eta: FloatArray) -> FloatArray:
    mu = _logistic(eta)
    return mu * (1 - mu)


def _normal(eta: FloatArray) -> FloatArray:
    found: FloatArray = ndtr(np.clip(eta, _MIN_PROBIT, -_MIN_PROBIT))
    return found


def _normal_deriv(eta: FloatArray) -> FloatArray:
    density: FloatArray = np.exp(-0.5 * np.square(eta)) / np.sqrt(2 * np.pi)
    return np.maximum(density, _EPS)


def _cloglog_inverse(eta: FloatArray) -> FloatArray:
    mu: FloatArray = -np.expm1(-np.exp(np.minimum(eta, 700.0)))
    return np.clip(mu, _EPS, 1 - _EPS)


def _cloglog_deriv(eta: FloatArray) -> FloatArray:
    capped = np.minimum(eta, 700.0)
    deriv: FloatArray = np.exp(capped - np.exp(capped))
    return np.maximum(deriv, _EPS)


def _cauchy(eta: FloatArray) -> FloatArray:
    angle: FloatArray = np.arctan2(1.0, -np.clip(eta, _MIN_CAUCHIT, -_MIN_CAUCHIT))  # no digits lost at small means
    return angle / np.pi


def _cauchy_deriv(eta: FloatArray) -> FloatArray:
    density: FloatArray = 1 / (np.pi * (1 + np.square(eta)))
    return np.maximum(density, _EPS)


_KNOWN = (
    Link("identity", lambda mu: mu, lambda eta: eta, np.ones_like),
    Link("log", np.log, _exp, _exp),
    Link("logit", logit, _logistic, _logistic_deriv),
    Link("probit", ndtri, _normal, _normal_deriv),
    Link("cloglog", lambda mu: np.log(-np.log1p(-mu)), _cloglog_inverse, _cloglog_deriv),
    Link("cauchit", lambda mu: -1 / np.tan(np.pi * mu), _cauchy, _cauchy_deriv),
    Link("inverse", lambda mu: 1 / mu, lambda eta: 1 / eta, lambda eta: -1 / eta**2),
    Link("1/mu^2", lambda mu: mu**-2.0, lambda eta: eta**-0.5, lambda eta: -0.5 * eta**-1.5),
    Link("sqrt", np.sqrt, np.square, lambda eta: 2 * eta),
)
LINKS = {link.name: link for link in _KNOWN}
_POWERS = {0.0: "log", 1.0: "identity", -1.0: "inverse", -2.0: "1/mu^2", 0.5: "sqrt"}
_POWER = re.compile(r"mu\^(.+)")


def power_link(power: float) -> Link:
    """Make the link mu^power; at 0 the logarithm.

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


def link_by_name(name: str) -> Link:
    """Find a link by the name that it has."""
    power = _POWER.fullmatch(name)
    return power_link(float(power.group(1))) if power else LINKS[name]
