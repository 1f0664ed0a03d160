"""Sums over rows for k-means, which are the same however the rows are divided.

Rows are taken as deviations from their mean, so that no distance from zero costs digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rxspark.analysis.arrays import FloatArray, IntArray
from rxspark.analysis.data.tables import Sums

__all__ = [
    "ClusterSums",
    "FarthestRows",
    "RowBlock",
    "RowMoments",
    "Sample",
    "assign_rows",
    "cluster_sums",
    "farthest_rows",
    "moments",
    "nearest",
    "sample",
]


@dataclass(frozen=True)
class RowBlock:
    """A block of rows."""

    x: FloatArray
    """Shape (rows, columns)."""
    missing: int
    """Rows that were left out as they lack a value."""


@dataclass(frozen=True)
class RowMoments:
    """Counts of rows, their mean, and the sum of squares around it."""

    rows: int
    missing: int
    mean: FloatArray
    squares: float

    def __add__(self, other: RowMoments) -> RowMoments:
        rows = self.rows + other.rows
        share, difference = other.rows / max(rows, 1), other.mean - self.mean
        between = float(difference @ difference) * self.rows * share
        return RowMoments(
            rows,
            self.missing + other.missing,
            self.mean + difference * share,
            self.squares + other.squares + between,
        )


def moments(block: RowBlock) -> RowMoments:
    """Sum up rows."""
    mean = block.x.sum(axis=0) / max(len(block.x), 1)
    return RowMoments(len(block.x), block.missing, mean, float(np.square(block.x - mean).sum()))


@dataclass(frozen=True)
class Sample:
    """A sample of the distinct rows with their counts: the same one however the rows are divided."""

    keys: NDArray[np.uint64]
    x: FloatArray
    counts: FloatArray

    def __add__(self, other: Sample) -> Sample:
        both = np.concatenate([self.keys, other.keys])
        keys, first, which = np.unique(both, return_index=True, return_inverse=True)
        counts = np.bincount(which, np.concatenate([self.counts, other.counts]), len(keys)).astype(float)
        return Sample(keys, np.concatenate([self.x, other.x])[first], counts)


def sample(share: float, block: RowBlock) -> Sample:
    """Take the distinct rows whose hash lies in the lowest share of all hashes."""
    keys = pd.util.hash_pandas_object(pd.DataFrame(block.x + 0.0), index=False).to_numpy()  # + 0.0: no minus before a 0
    is_sampled = keys <= np.uint64(min(int(share * 2**64), 2**64 - 1))
    keys, first, counts = np.unique(keys[is_sampled], return_index=True, return_counts=True)
    return Sample(keys, block.x[is_sampled][first], counts.astype(float))


def nearest(centers: FloatArray, x: FloatArray) -> IntArray:
    """Find the nearest center to each row, from 0; the first of several as near."""
    products = x @ (-2 * centers.T)
    products += np.square(centers).sum(axis=1)
    labels: IntArray = products.argmin(axis=1)
    return labels


@dataclass(frozen=True)
class ClusterSums(Sums):
    """Sums over the rows of each cluster."""

    counts: IntArray
    sums: FloatArray
    """The sum of the rows, shape (clusters, columns)."""
    squares: FloatArray
    """The sum of squared distances from the center."""


def assign_rows(mean: FloatArray, centers: FloatArray, block: RowBlock) -> ClusterSums:
    """Assign each row to its nearest center, and sum up the clusters."""
    x = block.x - mean
    return cluster_sums(centers, x, nearest(centers, x))


def cluster_sums(centers: FloatArray, x: FloatArray, labels: IntArray) -> ClusterSums:
    """Sum up the clusters of rows with given labels."""
    k = len(centers)
    sums = np.stack([np.bincount(labels, column, k) for column in x.T], axis=1).astype(float)
    squares = np.bincount(labels, np.square(x - centers[labels]).sum(axis=1), k).astype(float)
    return ClusterSums(np.bincount(labels, minlength=k), sums, squares)


@dataclass(frozen=True)
class FarthestRows:
    """The rows that are farthest from their centers, in falling order."""

    x: FloatArray
    squares: FloatArray
    labels: IntArray
    most: int

    def __add__(self, other: FarthestRows) -> FarthestRows:
        squares = np.concatenate([self.squares, other.squares])
        first = np.argsort(-squares, kind="stable")[: self.most]
        x, labels = np.concatenate([self.x, other.x])[first], np.concatenate([self.labels, other.labels])[first]
        return FarthestRows(x, squares[first], labels, self.most)


def farthest_rows(mean: FloatArray, centers: FloatArray, most: int, block: RowBlock) -> FarthestRows:
    """Find the rows that are farthest from their centers."""
    x = block.x - mean
    labels = nearest(centers, x)
    squares = np.square(x - centers[labels]).sum(axis=1)
    first = np.argsort(-squares, kind="stable")[:most]
    return FarthestRows(x[first], squares[first], labels[first], most)
