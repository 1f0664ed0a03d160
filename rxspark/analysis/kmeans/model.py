"""From the rows of a clustering, wherever they are, to the result."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxspark.analysis.data.blocks import Parts
from rxspark.analysis.data.sources import Selection
from rxspark.analysis.formula.design import Design, prepared
from rxspark.analysis.formula.formula import parse
from rxspark.analysis.formula.recipe import Table
from rxspark.analysis.kmeans.result import RxKmeans
from rxspark.analysis.kmeans.rows import Clusters, Moments, moments
from rxspark.analysis.kmeans.starts import Starts
from rxspark.errors import RxArgumentError, RxModelWarning

__all__ = ["Found", "described", "modelled"]


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


def described(text: Any, picked: Selection, table: Table) -> Design:
    """How a formula makes columns of numbers from a table.

    Raises
    ------
    RxArgumentError
        When it is no formula, names no column or one that is not there, or has a factor.
    """
    formula = parse(text, [*table.columns, *picked.transforms], one_sided=True)
    if not formula.variables:
        raise RxArgumentError(f'formula={text!r}: it names no column; give some, as in "~ x1 + x2"')
    design = prepared(formula, picked, table)
    for variable in design.variables:
        if variable.levels is not None:
            raise RxArgumentError(
                f"{formula.where}: {variable.label!r} is a factor, and k-means takes numbers; leave it out, or make "
                f"numbers of it by transforms"
            )
    return design


def modelled(
    parts: Parts, design: Design, starts: Starts, search: Callable[[Moments, Any], Found]
) -> tuple[RxKmeans, Any]:
    """Search from each start, and give the best, and its labels; `search` is told of all rows, and of a start."""
    told: Moments = parts.total(moments, operator.add)
    if not told.rows:
        raise RxArgumentError(f"formula={design.formula.text!r}: no row is left of {told.missing}; all lack a value")
    found = [search(told, start - told.mean) for start in starts.drawn(parts, told.rows, design.names)]
    best = min(found, key=lambda one: float(one.clusters.squares.sum()))
    model = RxKmeans(
        formula=design.formula.text,
        names=design.names,
        values=best.centers + told.mean,
        sizes=best.clusters.counts,
        squares=best.clusters.squares,
        totss=told.squares,
        iterations=best.iterations,
        converged=best.iterations < starts.iterations or best.settled(told),
        nValidObs=told.rows,
        nMissingObs=told.missing,
        design=design,
    )
    if not model.converged:
        warnings.warn(
            f"rxKmeans {model.formula!r}: no convergence in {model.iterations} iterations; a larger maxIterations may "
            f"help",
            RxModelWarning,
            stacklevel=4,
        )
    return model, best.labels
