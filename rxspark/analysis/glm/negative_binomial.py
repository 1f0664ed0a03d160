"""Negative binomial models whose theta is fitted in turn with the coefficients, as by glm.nb of R's package MASS."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import digamma, polygamma

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.data.tables import Sums
from rxspark.analysis.glm.families import Family, family_by_name
from rxspark.analysis.glm.irls import IrlsFit, IrlsProblem, fit_irls
from rxspark.analysis.glm.links import Link
from rxspark.analysis.glm.observations import Observations

__all__ = ["Theta", "fit_with_theta"]

THETA_TOLERANCE = 1e-10  # the relative change of theta
MAX_ALTERNATIONS = 50
MAX_NEWTON_STEPS = 50
MAX_THETA = 1e8  # beyond it the variance is the mean to eight digits: the counts are Poisson's


@dataclass(frozen=True)
class Theta:
    """A theta that was fitted, with its standard error."""

    value: float
    error: float
    converged: bool


@dataclass(frozen=True)
class _Dispersion(Sums):
    """The weighted sum of squares of y / mu - 1."""

    weight: float
    squares: float


@dataclass(frozen=True)
class _ThetaScore(Sums):
    """The first derivative of the log-likelihood by theta, and the negative second one."""

    score: float
    information: float


def fit_with_theta(problem: IrlsProblem, max_iterations: int) -> tuple[Family, IrlsFit, Theta]:
    """Fit the coefficients and theta; the family that is given back has it.

    The first coefficients are those of a Poisson model, the first theta is by moments.
    """
    fit = fit_irls(replace(problem, family=family_by_name("poisson", None)), max_iterations)
    theta = _fit_theta(problem, fit, _theta_by_moments(problem, fit))
    for _ in range(MAX_ALTERNATIONS):
        family = family_by_name("negative.binomial", theta.value)
        fit = fit_irls(replace(problem, family=family), max_iterations, start=fit.basis_coefficients)
        before, theta = theta, _fit_theta(problem, fit, theta.value)
        if not theta.converged or abs(theta.value - before.value) <= THETA_TOLERANCE * theta.value:
            return family, fit, theta
    return family, fit, Theta(theta.value, theta.error, converged=False)


def _theta_by_moments(problem: IrlsProblem, fit: IrlsFit) -> float:
    found = problem.blocks.aggregate(partial(_dispersion, problem.link, fit.coefficients), operator.add)
    return min(found.weight / found.squares if found.squares else math.inf, MAX_THETA)


def _dispersion(link: Link, coefficients: FloatArray, rows: Observations) -> _Dispersion:
    mu = link.inverse(rows.linear_predictor(coefficients))
    return _Dispersion(float(rows.weights.sum()), float(rows.weights @ (rows.y / mu - 1) ** 2))


def _fit_theta(problem: IrlsProblem, fit: IrlsFit, theta: float) -> Theta:
    """Maximize the likelihood at these coefficients by Newton's steps, each by a factor of ten at most."""
    for _ in range(MAX_NEWTON_STEPS):
        at = problem.blocks.aggregate(partial(_theta_score, problem.link, fit.coefficients, theta), operator.add)
        if theta >= MAX_THETA:
            break
        # Where the likelihood is not concave, theta goes up or down by ten times.
        step = at.score / at.information if at.information > 0 else math.copysign(math.inf, at.score)
        following = min(max(theta + step, theta / 10), theta * 10)
        if abs(following - theta) <= THETA_TOLERANCE * theta:
            return Theta(following, float(np.sqrt(1 / at.information)), converged=True)
        theta = following
    return Theta(theta, math.nan, converged=False)


def _theta_score(link: Link, coefficients: FloatArray, theta: float, rows: Observations) -> _ThetaScore:
    mu, y, weights = link.inverse(rows.linear_predictor(coefficients)), rows.y, rows.weights
    score = digamma(theta + y) - digamma(theta) - np.log1p(mu / theta) + 1 - (y + theta) / (mu + theta)
    information = polygamma(1, theta) - polygamma(1, theta + y) - 1 / theta + 2 / (mu + theta)
    information -= (y + theta) / (mu + theta) ** 2
    return _ThetaScore(float(weights @ score), float(weights @ information))
