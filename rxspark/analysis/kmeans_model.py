"""From the rows of a clustering, wherever they are, to the result."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxspark.analysis.formulas import Formula, levels_of, parse
from rxspark.analysis.kmeans_result import RxKmeans
from rxspark.analysis.kmeans_rows import Clusters, Moments, moments
from rxspark.analysis.kmeans_start import Starts
from rxspark.analysis.parts import Parts
from rxspark.errors import RxArgumentError, RxModelWarning

__all__ = ["Described", "Found", "modelled", "parsed", "refuse_factors"]


@dataclass(frozen=True)
class Described:
    """What is to be clustered."""

    formula: Formula
    names: tuple[str, ...]
    """The columns."""
    spec: Any
    """How formulaic makes them."""


@dataclass(frozen=True)
class Found:
    """What a search from one start has found."""

    centers: Any
    """As deviations from the mean of all rows."""
    clusters: Clusters
    iterations: int
    labels: Any | None = None
    """The cluster of each row, from 0, where the rows are in this process."""

    def settled(self, told: Moments) -> bool:
        """Whether each center is the mean of its rows, so that no more steps would move it."""
        means = self.clusters.sums / np.maximum(self.clusters.counts, 1)[:, None]
        return np.allclose(means, self.centers, rtol=1e-9, atol=1e-9 * (told.squares / told.rows) ** 0.5)


def parsed(text: Any, columns: list[str]) -> Formula:
    """Take a formula apart; RxArgumentError when it is none, or names no column or one that is not there."""
    formula = parse(text, columns, one_sided=True)
    if not formula.variables:
        raise RxArgumentError(f'formula={text!r}: it names no column; give some, as in "~ x1 + x2"')
    return formula


def refuse_factors(formula: Formula, spec: Any) -> None:
    """RxArgumentError for columns that are no numbers."""
    for factor in levels_of(spec):
        raise RxArgumentError(
            f"formula={formula.text!r}: {factor!r} is a factor, and k-means takes numbers; leave it out, or make "
            f"numbers of it by transforms"
        )


def modelled(
    parts: Parts, what: Described, starts: Starts, search: Callable[[Moments, Any], Found]
) -> tuple[RxKmeans, Any]:
    """Search from each start, and give the best, and its labels; `search` is told of all rows, and of a start."""
    told: Moments = parts.total(moments, operator.add)
    if not told.rows:
        raise RxArgumentError(f"formula={what.formula.text!r}: no row is left of {told.missing}; all lack a value")
    found = [search(told, start - told.mean) for start in starts.drawn(parts, told.rows, what.names)]
    best = min(found, key=lambda one: float(one.clusters.squares.sum()))
    model = RxKmeans(
        formula=what.formula.text,
        names=what.names,
        values=best.centers + told.mean,
        sizes=best.clusters.counts,
        squares=best.clusters.squares,
        totss=told.squares,
        iterations=best.iterations,
        converged=best.iterations < starts.iterations or best.settled(told),
        nValidObs=told.rows,
        nMissingObs=told.missing,
        parsed=what.formula,
        spec=what.spec,
    )
    if not model.converged:
        warnings.warn(
            f"rxKmeans {model.formula!r}: no convergence in {model.iterations} iterations; a larger maxIterations may "
            f"help",
            RxModelWarning,
            stacklevel=4,
        )
    return model, best.labels
