"""What rows add to k-means: sums, which are the same however the rows are divided (parts.py).

Rows are taken as deviations from their mean, so that no distance from zero costs digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.data.blocks import Sums

__all__ = [
    "Clusters",
    "Distant",
    "Moments",
    "Rows",
    "Sample",
    "clusters",
    "distant",
    "labelled",
    "moments",
    "nearest",
    "sample",
]

Array = Any


@dataclass(frozen=True)
class Rows:
    """Some rows of the data."""

    x: Array
    """Shape (rows, columns)."""
    missing: int
    """Rows that were left out as they lack a value."""


@dataclass(frozen=True)
class Moments:
    """How many rows there are, their mean, and the sum of squares around it."""

    rows: int
    missing: int
    mean: Array
    squares: float

    def __add__(self, other: Moments) -> Moments:
        rows = self.rows + other.rows
        share, apart = other.rows / max(rows, 1), other.mean - self.mean
        between = float(apart @ apart) * self.rows * share
        return Moments(
            rows, self.missing + other.missing, self.mean + apart * share, self.squares + other.squares + between
        )


def moments(part: Rows) -> Moments:
    """Describe rows."""
    mean = part.x.sum(axis=0) / max(len(part.x), 1)
    return Moments(len(part.x), part.missing, mean, float(np.square(part.x - mean).sum()))


@dataclass(frozen=True)
class Sample:
    """Some of the distinct rows, and how often each is there: the same ones however the rows are divided."""

    keys: Array
    x: Array
    counts: Array

    def __add__(self, other: Sample) -> Sample:
        both = np.concatenate([self.keys, other.keys])
        keys, first, which = np.unique(both, return_index=True, return_inverse=True)
        counts = np.bincount(which, np.concatenate([self.counts, other.counts]), len(keys))
        return Sample(keys, np.concatenate([self.x, other.x])[first], counts)


def sample(share: float, part: Rows) -> Sample:
    """The distinct rows whose key, which their numbers give, is in the first so many of all keys."""
    keys = pd.util.hash_pandas_object(pd.DataFrame(part.x + 0.0), index=False).to_numpy()  # + 0.0: no minus before a 0
    taken = keys <= np.uint64(min(int(share * 2**64), 2**64 - 1))
    keys, first, counts = np.unique(keys[taken], return_index=True, return_counts=True)
    return Sample(keys, part.x[taken][first], counts.astype(float))


def nearest(centers: Array, x: Array) -> Array:
    """The number of the nearest center to each row, from 0; of two as near the first."""
    products = x @ (-2 * centers.T)
    products += np.square(centers).sum(axis=1)
    return products.argmin(axis=1)


@dataclass(frozen=True)
class Clusters(Sums):
    """What rows are when each belongs to its nearest center."""

    counts: Array
    sums: Array
    """Of the rows of each cluster, shape (clusters, columns)."""
    squares: Array
    """Of their distances from the center, for each cluster."""


def clusters(mean: Array, centers: Array, part: Rows) -> Clusters:
    """Give each row to its nearest center."""
    x = part.x - mean
    return labelled(centers, x, nearest(centers, x))


def labelled(centers: Array, x: Array, labels: Array) -> Clusters:
    """Add up rows that have been given to centers."""
    k = len(centers)
    sums = np.stack([np.bincount(labels, column, k) for column in x.T], axis=1)
    squares = np.bincount(labels, np.square(x - centers[labels]).sum(axis=1), k)
    return Clusters(np.bincount(labels, minlength=k), sums, squares)


@dataclass(frozen=True)
class Distant:
    """The rows that are most distant from their centers, the first the most."""

    x: Array
    squares: Array
    labels: Array
    most: int

    def __add__(self, other: Distant) -> Distant:
        squares = np.concatenate([self.squares, other.squares])
        first = np.argsort(-squares, kind="stable")[: self.most]
        x, labels = np.concatenate([self.x, other.x])[first], np.concatenate([self.labels, other.labels])[first]
        return Distant(x, squares[first], labels, self.most)


def distant(mean: Array, centers: Array, most: int, part: Rows) -> Distant:
    """Find the rows that are most distant from their centers."""
    x = part.x - mean
    labels = nearest(centers, x)
    squares = np.square(x - centers[labels]).sum(axis=1)
    first = np.argsort(-squares, kind="stable")[:most]
    return Distant(x[first], squares[first], labels[first], most)
