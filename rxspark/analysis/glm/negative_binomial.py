"""The theta of a negative binomial model, fitted in turn with the coefficients, as MASS's glm.nb does."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import digamma, polygamma

from rxspark.analysis.data.blocks import Parts, Sums
from rxspark.analysis.glm.families import Family, family_named
from rxspark.analysis.glm.fit import Fit, fit
from rxspark.analysis.glm.links import Link
from rxspark.analysis.glm.rows import Moments, Part

__all__ = ["Theta", "fit_with_theta"]

_SETTLED = 1e-10  # the change of theta, relative
_ALTERNATIONS = 50
_NEWTON_STEPS = 50
_ENDLESS = 1e8  # a theta beyond which the variance is the mean to eight digits: the counts are poisson


@dataclass(frozen=True)
class Theta:
    """A theta that was fitted."""

    value: float
    error: float
    """Its standard error."""
    converged: bool


@dataclass(frozen=True)
class _Spread(Sums):
    """How far responses are from their means."""

    weight: float
    squares: float
    """Of y / mu - 1."""


@dataclass(frozen=True)
class _ThetaScore(Sums):
    """The first derivative of the likelihood by theta, and the second one with its sign turned."""

    score: float
    information: float


def fit_with_theta(
    parts: Parts, back: Any, told: Moments, link: Link, max_iterations: int
) -> tuple[Family, Fit, Theta]:
    """Fit the coefficients and theta of a negative binomial model."""
    found = fit(parts, back, told, family_named("poisson", None), link, max_iterations)
    theta = _newton(parts, link, found, _first(parts, link, found))
    for _ in range(_ALTERNATIONS):
        family = family_named("negative.binomial", theta.value)
        found = fit(parts, back, told, family, link, max_iterations, begin=found.beta)
        before, theta = theta, _newton(parts, link, found, theta.value)
        if not theta.converged or abs(theta.value - before.value) <= _SETTLED * theta.value:
            return family, found, theta
    return family, found, Theta(theta.value, theta.error, converged=False)


def _first(parts: Parts, link: Link, found: Fit) -> float:
    """Theta by moments."""
    spread = parts.total(partial(_spread, link, found.coefficients), operator.add)
    return min(spread.weight / spread.squares if spread.squares else math.inf, _ENDLESS)


def _spread(link: Link, coefficients: Any, part: Part) -> _Spread:
    mu = link.inverse(part.x @ coefficients + part.shift)
    return _Spread(float(part.weights.sum()), float(part.weights @ (part.y / mu - 1) ** 2))


def _newton(parts: Parts, link: Link, found: Fit, theta: float) -> Theta:
    """The theta of the greatest likelihood at these coefficients, by Newton's steps on its logarithm's scale."""
    for _ in range(_NEWTON_STEPS):
        at = parts.total(partial(_theta_score, link, found.coefficients, theta), operator.add)
        if theta >= _ENDLESS:
            break
        # Where the likelihood is not concave, or the step leads out of what there is, theta goes up or down by tenfold.
        step = at.score / at.information if at.information > 0 else math.copysign(math.inf, at.score)
        moved = min(max(theta + step, theta / 10), theta * 10)
        if abs(moved - theta) <= _SETTLED * theta:
            return Theta(moved, float(np.sqrt(1 / at.information)), converged=True)
        theta = moved
    return Theta(theta, math.nan, converged=False)


def _theta_score(link: Link, coefficients: Any, theta: float, part: Part) -> _ThetaScore:
    mu, y, weights = link.inverse(part.x @ coefficients + part.shift), part.y, part.weights
    score = digamma(theta + y) - digamma(theta) - np.log1p(mu / theta) + 1 - (y + theta) / (mu + theta)
    information = polygamma(1, theta) - polygamma(1, theta + y) - 1 / theta + 2 / (mu + theta)
    information -= (y + theta) / (mu + theta) ** 2
    return _ThetaScore(float(weights @ score), float(weights @ information))
