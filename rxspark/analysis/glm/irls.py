"""Iteratively reweighted least squares, with the steps of R's glm.fit, on sums over rows that may lie anywhere.

It starts where R starts, and ends as R does when the deviance has settled (McCullagh and Nelder, Generalized Linear
Models, 1989, section 2.5). Where the distance that is left is not negligible then, as with links that are not
canonical, it goes on.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import solve_triangular

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.data.tables import RowBlocks
from rxspark.analysis.glm.families import Family
from rxspark.analysis.glm.links import Link
from rxspark.analysis.glm.observations import (
    DesignMoments,
    Score,
    initial_score,
    max_eta_change,
    mean_start_products,
    score,
)
from rxspark.errors import RxArgumentError

__all__ = ["IrlsFit", "IrlsProblem", "fit_irls", "independent_columns", "whitening_matrix"]

DEVIANCE_TOLERANCE = 1e-8  # R's epsilon: the relative change of the deviance
DISTANCE_TOLERANCE = 1e-9  # the distance left to the solution, in standard errors; R leaves some thousandths
ROUNDING = 1e-12  # smaller steps, relative to the linear predictor, are noise
COLLINEARITY_TOLERANCE = 1e-11  # as in R's glm: the share of a column's length outside the columns before it
SEPARATION_ETA_CHANGE = 0.01  # a linear predictor that still changes so much at a settled deviance has no limit
LAST_STEP_TOLERANCE = 1e-5  # in place of DEVIANCE_TOLERANCE, to tell separation when no more steps are allowed
MAX_HALVINGS = 30


@dataclass(frozen=True)
class IrlsProblem:
    """Rows, a basis of their columns, and the model to fit to it."""

    blocks: RowBlocks
    whitening: FloatArray
    """The matrix that makes the basis ``x @ whitening``."""
    moments: DesignMoments
    family: Family
    link: Link


@dataclass(frozen=True)
class IrlsFit:
    """The result of a fit."""

    coefficients: FloatArray
    """Coefficients of the columns, 0 for those that are not in the basis."""
    basis_coefficients: FloatArray
    unscaled_cov: FloatArray
    """The covariance of the coefficients at dispersion 1."""
    deviance: float
    pearson: float
    iterations: int
    converged: bool
    separated: bool
    """Whether fitted means run off to a limit, so that coefficients have none."""


def independent_columns(r_factor: FloatArray) -> list[int]:
    """Find the columns that are not combinations of those before them, as R's glm keeps them, from their R factor."""
    lengths = np.linalg.norm(r_factor, axis=0)
    kept = [int(column) for column in np.flatnonzero(lengths)]
    while kept:
        shares = np.abs(np.diag(np.linalg.qr(r_factor[:, kept], mode="r"))) / lengths[kept][: len(r_factor)]
        shares = np.append(shares, np.zeros(len(kept) - len(shares)))  # fewer rows than columns
        dependent = np.flatnonzero(shares < COLLINEARITY_TOLERANCE)
        if len(dependent) == 0:
            break
        del kept[dependent[0]]
    return kept


def whitening_matrix(moments: DesignMoments, kept: list[int]) -> FloatArray:
    """Make the matrix by which the kept columns become orthogonal, each with a mean square of 1."""
    r_factor = np.linalg.qr(moments.r_factor[:, kept], mode="r")
    whitening = np.zeros((moments.r_factor.shape[1], len(kept)))
    whitening[kept] = solve_triangular(r_factor, np.eye(len(kept))) * np.sqrt(moments.weight)
    return whitening


def fit_irls(problem: IrlsProblem, max_iterations: int, start: FloatArray | None = None) -> IrlsFit:
    """Fit a model, from coefficients of the basis or from where R starts.

    Raises
    ------
    RxArgumentError
        When no coefficients give means that the family can have.
    """
    irls = _Irls(problem)
    target, deviance, information = irls.start() if start is None else (start, np.inf, None)
    point: _Point | None = None
    last_step: float | None = None
    converged = separated = settled = False
    iteration = 0
    while iteration < max_iterations and not converged and not separated:
        iteration += 1
        before, point = point, irls.step_halving(target, point)
        settled = _has_settled(point.score.deviance, deviance, DEVIANCE_TOLERANCE)
        if before is not None:
            step = before.distance(point.beta - before.beta)
            tolerance = max(DISTANCE_TOLERANCE * irls.dispersion_root(point), ROUNDING * before.distance(point.beta))
            converged = settled and _distance_left(step, last_step, irls.is_canonical) <= tolerance
            last_step = step
            is_last = iteration == max_iterations
            ends = settled or (is_last and _has_settled(point.score.deviance, deviance, LAST_STEP_TOLERANCE))
            separated = ends and not converged and irls.max_eta_change(point.beta - before.beta) > SEPARATION_ETA_CHANGE
            information = before.score.information
        deviance = point.score.deviance
        target = point.beta + point.step
    assert point is not None, "there is at least one iteration"
    # R's standard errors are those of one step before, which differ where coefficients still move.
    if converged or information is None:
        information = point.score.information
    return IrlsFit(
        coefficients=problem.whitening @ point.beta,
        basis_coefficients=point.beta,
        unscaled_cov=problem.whitening @ _solve(information, np.eye(len(point.beta))) @ problem.whitening.T,
        deviance=point.score.deviance,
        pearson=point.score.pearson,
        iterations=iteration,
        converged=converged or settled,
        separated=separated,
    )


@dataclass(frozen=True)
class _Point:
    """Coefficients of the basis, and the score equations there."""

    beta: FloatArray
    score: Score

    @property
    def step(self) -> FloatArray:
        """The step of Fisher scoring."""
        return _solve(self.score.information, self.score.score)

    def distance(self, step: FloatArray) -> float:
        """The length of a step, in standard errors at dispersion 1."""
        return math.sqrt(max(float(step @ self.score.information @ step), 0.0))


@dataclass(frozen=True)
class _Irls:
    """The moves of a fit."""

    problem: IrlsProblem

    @property
    def is_canonical(self) -> bool:
        """Tell whether Fisher's steps are Newton's, which square the distance that is left."""
        return self.problem.link.name == self.problem.family.canonical

    def at(self, beta: FloatArray) -> _Point:
        """Evaluate the score equations at coefficients of the basis."""
        problem = self.problem
        evaluate = partial(score, problem.family, problem.link, problem.whitening, beta)
        return _Point(beta, problem.blocks.aggregate(evaluate, operator.add))

    def start(self) -> tuple[FloatArray, float, FloatArray]:
        """Find the first coefficients to try, and the deviance and the information before them."""
        problem = self.problem
        evaluate = partial(initial_score, problem.family, problem.link, problem.whitening)
        first: Score = problem.blocks.aggregate(evaluate, operator.add)
        beta = self.mean_start() if first.invalid_mu else _solve(first.information, first.score)
        return beta, first.deviance, first.information

    def mean_start(self) -> FloatArray:
        """Find the coefficients that come nearest to giving all rows the mean response."""
        problem = self.problem
        eta = float(problem.link.link(np.array(problem.moments.mean)))
        products: FloatArray = problem.blocks.aggregate(
            partial(mean_start_products, problem.whitening, eta), operator.add
        )
        return products / problem.moments.weight

    def step_halving(self, target: FloatArray, before: _Point | None) -> _Point:
        """Go to the target; halve the step while it leads to means that the family cannot have, or uphill."""
        point = self.at(target)
        anchor = None if before is None else before.beta
        for _ in range(MAX_HALVINGS):
            if not point.score.invalid_mu and (before is None or not _is_uphill(before, point)):
                return point
            anchor = self.mean_start() if anchor is None else anchor
            point = self.at((point.beta + anchor) / 2)
        if before is not None:
            return before
        family, link = self.problem.family, self.problem.link
        raise RxArgumentError(
            f"link={link.name!r}: there are no coefficients by which all means are such as the family "
            f"{family.name} has; its links are {', '.join(family.links)}"
        )

    def max_eta_change(self, step: FloatArray) -> float:
        """Find the largest change that a step makes to a linear predictor."""
        return self.problem.blocks.aggregate(partial(max_eta_change, self.problem.whitening, step), max)

    def dispersion_root(self, point: _Point) -> float:
        """Estimate the square root of the dispersion."""
        df = max(self.problem.moments.count - len(point.beta), 1)
        return 1.0 if self.problem.family.dispersion_known else float(np.sqrt(point.score.pearson / df))


def _has_settled(deviance: float, before: float, tolerance: float) -> bool:
    """R's criterion: a small change of the deviance, relative to it."""
    return abs(deviance - before) < tolerance * (abs(deviance) + 0.1)


def _is_uphill(before: _Point, point: _Point) -> bool:
    old, new = before.score.deviance, point.score.deviance
    return not new - old <= DEVIANCE_TOLERANCE * (abs(new) + 0.1)  # of NaN too


def _distance_left(step: float, last_step: float | None, is_canonical: bool) -> float:
    """Estimate the distance to the solution behind a step, from its length and that of the step before."""
    if last_step is None or step >= last_step:
        return step
    rate = step / last_step
    return step * (rate**2 if is_canonical else rate / (1 - rate))


def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:  # where all means are at their limits, nothing is known of the coefficients
        return np.linalg.lstsq(matrix, right, rcond=None)[0]
