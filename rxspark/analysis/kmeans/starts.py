"""Starting centers of k-means: given ones, or rows that k-means++ draws from a sample."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import kmeans_plusplus

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.data.sources import check_column
from rxspark.analysis.data.tables import RowBlocks
from rxspark.analysis.kmeans.sums import Sample, sample
from rxspark.errors import RxArgumentError
from rxspark.validation import whole_number

__all__ = ["Starts"]

SAMPLE_ROWS = 10_000
"""Distinct rows to draw starts from: a hundred for each of a hundred clusters, and small enough for any driver."""


@dataclass(frozen=True)
class Starts:
    """The arguments of rxKmeans that say how to search."""

    clusters: int
    centers: Any
    """A DataFrame or an array; None if they are to be drawn."""
    max_iterations: int
    number: int
    seed: int | None

    @classmethod
    def checked(cls, clusters: Any, centers: Any, max_iterations: Any, starts: Any, seed: Any) -> Starts:
        """Check the arguments of rxKmeans."""
        number = whole_number("numStarts", starts, 1)
        if centers is None:
            if clusters is None:
                raise RxArgumentError("rxKmeans needs numClusters, or centers to start from")
        else:
            centers = centers if isinstance(centers, pd.DataFrame) else _as_array(centers)
            if clusters is not None and whole_number("numClusters", clusters, 1) != len(centers):
                raise RxArgumentError(f"numClusters={clusters!r}: there are {len(centers)} centers; leave it out")
            if number > 1:
                raise RxArgumentError(f"numStarts={number}: with centers given there is one start; leave it out")
            clusters = len(centers)
        return cls(
            clusters=whole_number("numClusters", clusters, 1),
            centers=centers,
            max_iterations=whole_number("maxIterations", max_iterations, 1),
            number=number,
            seed=None if seed is None else _seed(seed),
        )

    def draw(self, blocks: RowBlocks, rows: int, names: tuple[str, ...]) -> Iterator[FloatArray]:
        """Draw starting centers, an array of shape (clusters, columns) for each start.

        Raises
        ------
        RxArgumentError
            When there are fewer distinct rows than clusters, or the given centers do not fit the columns.
        """
        found = _sample(blocks, rows, self.clusters)
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


def _as_array(centers: Any) -> FloatArray:
    try:
        found = np.asarray(centers, dtype=float)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 2 or not len(found):
        raise RxArgumentError(
            f"centers={centers!r}: centers are numbers, a row for each cluster and a column for each of the formula"
        )
    return found


def _fitting(centers: pd.DataFrame | FloatArray, names: tuple[str, ...]) -> FloatArray:
    """Convert the centers to an array; RxArgumentError if they do not fit the columns."""
    if isinstance(centers, pd.DataFrame):
        for name in names:
            check_column(name, centers.columns, "centers")
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


def _sample(blocks: RowBlocks, rows: int, clusters: int) -> Sample:
    """Sample distinct rows: about as many as are wanted, or all that there are."""
    wanted = max(SAMPLE_ROWS, 20 * clusters)
    share = min(1.0, wanted / rows)
    while True:
        found: Sample = blocks.aggregate(partial(sample, share), operator.add)
        if share == 1 or len(found.x) >= wanted / 4:
            return found
        share = min(1.0, 8 * share)  # many rows are alike
