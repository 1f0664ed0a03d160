"""The fit of a generalized linear model: R's algorithm, on sums over rows that may lie anywhere.

Steps are those of R's glm.fit, from the same start, and so are counted as there. It ends as R's does, when the deviance
has settled; where what is then left of the way is not negligible, as with links that are not canonical, it goes on.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from rxspark.analysis.data.blocks import Parts
from rxspark.analysis.glm.families import Family
from rxspark.analysis.glm.links import Link
from rxspark.analysis.glm.rows import Moments, Score, first_score, level, moved, score
from rxspark.errors import RxArgumentError

__all__ = ["Fit", "basis_of", "fit", "independent"]

Array = Any

_SETTLED = 1e-8  # R's epsilon: the change of the deviance, relative
_EXACT = 1e-9  # what may be left of the way, in standard errors: R lets that be some thousandths
_ROUNDING = 1e-12  # steps that are smaller, relative to the linear predictor, are noise
_COLLINEAR = 1e-11  # as R's glm has it: what is left of a column, relative to its length
_FAR = 0.01  # a linear predictor that still moves by so much when the deviance has settled has no end
_NEARLY = (
    1e-5  # as _SETTLED, for a fit that may take no more steps: where there is no end, R's deviance has not settled
)
_HALVINGS = 30


@dataclass(frozen=True)
class Fit:
    """What a fit found."""

    coefficients: Array
    """Of the columns, 0 for those that were left out."""
    beta: Array
    """Of the basis."""
    unscaled: Array
    """The covariance of the coefficients at dispersion 1."""
    deviance: float
    pearson: float
    iterations: int
    converged: bool
    separated: bool
    """Whether means run off to a limit, so that coefficients have no end."""


def independent(root: Array) -> list[int]:
    """The columns that are no combination of those before them, as R's glm keeps them; from their triangular factor."""
    lengths = np.linalg.norm(root, axis=0)
    kept = [int(column) for column in np.flatnonzero(lengths)]
    while kept:
        own = np.abs(np.diag(np.linalg.qr(root[:, kept], mode="r"))) / lengths[kept][: len(root)]
        own = np.append(own, np.zeros(len(kept) - len(own)))  # fewer rows than columns
        dependent = np.flatnonzero(own < _COLLINEAR)
        if len(dependent) == 0:
            break
        del kept[dependent[0]]
    return kept


def basis_of(told: Moments, kept: list[int]) -> Array:
    """The matrix by which the columns that are kept become orthogonal, each with a mean square of 1."""
    root = np.linalg.qr(told.root[:, kept], mode="r")
    back = np.zeros((told.root.shape[1], len(kept)))
    back[kept] = solve_triangular(root, np.eye(len(kept))) * np.sqrt(told.weight)
    return back


def fit(
    parts: Parts,
    back: Array,
    told: Moments,
    family: Family,
    link: Link,
    max_iterations: int,
    begin: Array | None = None,
) -> Fit:
    """Fit a model to the basis ``x @ back``, from coefficients of that or from where R starts."""
    at = _Model(parts, back, told, family, link)
    target, deviance = at.start() if begin is None else (begin, np.inf)
    here: _Place | None = None
    length: float | None = None
    converged = separated = settled = False
    iteration = 0
    while iteration < max_iterations and not converged and not separated:
        iteration += 1
        before, here = here, at.reach(target, here)
        settled = abs(here.score.deviance - deviance) < _SETTLED * (abs(here.score.deviance) + 0.1)
        if before is not None:
            last, length = length, before.distance(here.beta - before.beta)
            converged = settled and _left(length, last, at.canonical) <= max(
                _EXACT * at.spread(here), _ROUNDING * before.distance(here.beta)
            )
            nearly = abs(here.score.deviance - deviance) < _NEARLY * (abs(here.score.deviance) + 0.1)
            ends = settled or (nearly and iteration == max_iterations)
            separated = ends and not converged and at.moved(here.beta - before.beta) > _FAR
        deviance = here.score.deviance
        target = here.beta + here.step
    assert here is not None, "there is at least one iteration"
    # R's errors are those of one step back, which is another place where coefficients still move.
    known = before if before is not None and not converged else here
    return Fit(
        back @ here.beta,
        here.beta,
        back @ _solved(known.score.information, np.eye(len(here.beta))) @ back.T,
        here.score.deviance,
        here.score.pearson,
        iteration,
        converged or settled,
        separated,
    )


@dataclass(frozen=True)
class _Place:
    """Coefficients, and what the rows say there."""

    beta: Array
    score: Score

    @property
    def step(self) -> Array:
        return _solved(self.score.information, self.score.score)

    def distance(self, step: Array) -> float:
        """How long a step is, in standard errors at dispersion 1."""
        return float(np.sqrt(max(step @ self.score.information @ step, 0.0)))


@dataclass(frozen=True)
class _Model:
    """The sums over rows that a fit asks for."""

    parts: Parts
    back: Array
    told: Moments
    family: Family
    link: Link

    @property
    def canonical(self) -> bool:
        """Whether Fisher's steps are Newton's, which square what is left of the way."""
        return self.link.name == self.family.canonical

    def at(self, beta: Array) -> _Place:
        return _Place(beta, self.parts.total(partial(score, self.family, self.link, self.back, beta), operator.add))

    def start(self) -> tuple[Array, float]:
        """The first coefficients to try, and the deviance before them."""
        first = self.parts.total(partial(first_score, self.family, self.link, self.back), operator.add)
        return (self.level if first.unreachable else _solved(first.information, first.score)), first.deviance

    @property
    def level(self) -> Array:
        """The coefficients that come nearest to giving all rows the mean response."""
        value = float(self.link.link(np.float64(self.told.response / self.told.weight)))
        products: Array = self.parts.total(partial(level, self.back, value), operator.add)
        return products / self.told.weight

    def reach(self, target: Array, before: _Place | None) -> _Place:
        """Go to the target; half the way, and so on, where that leads out of what the family has, or uphill."""
        here = self.at(target)
        anchor: Array | None = None
        for _ in range(_HALVINGS):
            if not here.score.unreachable and (before is None or not _uphill(before, here)):
                return here
            anchor = self.level if before is None and anchor is None else before.beta if before is not None else anchor
            here = self.at((here.beta + anchor) / 2)
        if before is not None:
            return before
        raise RxArgumentError(
            f"link={self.link.name!r}: there are no coefficients by which all means are such as the family "
            f"{self.family.name} has; its links are {', '.join(self.family.links)}"
        )

    def moved(self, step: Array) -> float:
        """The most by which a step changes a linear predictor."""
        return self.parts.total(partial(moved, self.back, step), max)

    def spread(self, here: _Place) -> float:
        """The square root of the dispersion."""
        free = max(self.told.counted - len(here.beta), 1)
        return 1.0 if self.family.dispersion_known else float(np.sqrt(here.score.pearson / free))


def _uphill(before: _Place, here: _Place) -> bool:
    old, new = before.score.deviance, here.score.deviance
    return not new - old <= _SETTLED * (abs(new) + 0.1)


def _left(length: float, last: float | None, canonical: bool) -> float:
    """What is left of the way behind a step, by its length and that of the step before."""
    if last is None or length >= last:
        return length
    rate = length / last
    return length * (rate**2 if canonical else rate / (1 - rate))


def _solved(matrix: Array, right: Array) -> Array:
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:  # where all means are at their limits, nothing is known of the coefficients
        return np.linalg.lstsq(matrix, right, rcond=None)[0]
