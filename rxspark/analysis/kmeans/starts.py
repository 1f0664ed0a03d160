"""Where k-means starts: at centers that are given, or at rows that k-means++ draws from a sample."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import kmeans_plusplus

from rxspark.analysis.data.blocks import Parts
from rxspark.analysis.data.sources import check_known
from rxspark.analysis.kmeans.rows import Sample, sample
from rxspark.errors import RxArgumentError
from rxspark.validation import whole_number

__all__ = ["Starts"]

_SAMPLE = 10_000
"""Distinct rows that starts are drawn from: enough for each of a hundred clusters, small enough for any driver."""


@dataclass(frozen=True)
class Starts:
    """What was asked of the search."""

    clusters: int
    centers: Any
    """A DataFrame or an array; None where they are to be drawn."""
    iterations: int
    number: int
    seed: int | None

    @classmethod
    def checked(
        cls, clusters: Any, centers: Any, algorithm: Any, max_iterations: Any, starts: Any, seed: Any
    ) -> Starts:
        """Check the arguments of rxKmeans that say how to search."""
        if algorithm != "Lloyd":
            raise RxArgumentError(f'algorithm={algorithm!r}: algorithm is "Lloyd", as in RevoScaleR')
        number = whole_number("numStarts", starts, 1)
        if centers is None:
            if clusters is None:
                raise RxArgumentError("rxKmeans needs numClusters, or centers to start from")
        else:
            centers = centers if isinstance(centers, pd.DataFrame) else _as_array(centers)
            if clusters not in (None, len(centers)):
                raise RxArgumentError(f"numClusters={clusters!r}: there are {len(centers)} centers; leave it out")
            if number > 1:
                raise RxArgumentError(f"numStarts={number}: with centers given there is one start; leave it out")
            clusters = len(centers)
        return cls(
            whole_number("numClusters", clusters, 1),
            centers,
            whole_number("maxIterations", max_iterations, 1),
            number,
            None if seed is None else _seed(seed),
        )

    def drawn(self, parts: Parts, rows: int, names: tuple[str, ...]) -> Iterator[Any]:
        """Starting centers, one array of shape (clusters, columns) for each start.

        Raises
        ------
        RxArgumentError
            When there are fewer distinct rows than clusters, or the given centers do not fit the columns.
        """
        found = _sample(parts, rows, self.clusters)
        if len(found.x) < self.clusters:
            raise RxArgumentError(
                f"numClusters={self.clusters}: the data have {len(found.x)} distinct rows, and no more clusters"
            )
        if self.centers is not None:
            yield _fitting(self.centers, names)
            return
        # np.random is the task's stream in a task, and the caller's own generator elsewhere.
        random = np.random.RandomState(np.random.randint(2**31 - 1) if self.seed is None else self.seed)
        for _ in range(self.number):
            yield kmeans_plusplus(found.x, self.clusters, sample_weight=found.counts, random_state=random)[0]


def _seed(seed: Any) -> int:
    number = whole_number("seed", seed, 0)
    if number >= 2**32:
        raise RxArgumentError(f"seed={seed!r}: a seed of rxKmeans is at most 2**32 - 1")
    return number


def _as_array(centers: Any) -> Any:
    try:
        found = np.asarray(centers, dtype=float)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 2 or not len(found):
        raise RxArgumentError(
            f"centers={centers!r}: centers are numbers, a row for each cluster and a column for each of the formula"
        )
    return found


def _fitting(centers: Any, names: tuple[str, ...]) -> Any:
    """The centers as an array, if they fit the columns."""
    if isinstance(centers, pd.DataFrame):
        for name in names:
            check_known(name, centers.columns, "centers")
        centers = _as_array(centers[list(names)])
    if centers.shape[1] != len(names):
        raise RxArgumentError(
            f"centers have {centers.shape[1]} columns; the formula has {len(names)}: {', '.join(names)}"
        )
    if not np.isfinite(centers).all():
        raise RxArgumentError("centers have missing or infinite values")
    if len(np.unique(centers, axis=0)) < len(centers):
        raise RxArgumentError("centers are not distinct")
    return centers


def _sample(parts: Parts, rows: int, clusters: int) -> Sample:
    """Distinct rows, about as many as are wanted or all that there are."""
    wanted = max(_SAMPLE, 20 * clusters)
    share = min(1.0, wanted / rows)
    while True:
        found: Sample = parts.total(partial(sample, share), operator.add)
        if share == 1 or len(found.x) >= wanted / 4:
            return found
        share = min(1.0, 8 * share)  # many rows are alike
