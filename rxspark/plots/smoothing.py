"""Curves that are fitted to points: the least squares line, and local regression."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from rxspark.analysis.arrays import FloatArray

__all__ = ["local_regression", "regression_line"]

Points: TypeAlias = tuple[FloatArray, FloatArray]

_LOCAL_SHARE = 2 / 3  # of the points, as in R's lowess
_PLACES = 50


def regression_line(x: FloatArray, y: FloatArray) -> Points:
    """Find the ends of the least squares line; nothing of points with one x."""
    if len(np.unique(x)) < 2:
        return np.empty(0), np.empty(0)
    ends = np.array([x.min(), x.max()])
    slope = np.cov(x, y, bias=True)[0, 1] / x.var()
    return ends, y.mean() + slope * (ends - x.mean())


def local_regression(x: FloatArray, y: FloatArray) -> Points:
    """Fit a local regression curve at 50 places (Cleveland 1979).

    At each place: the least squares line through the nearest two thirds of the points, with tricube weights.
    """
    if len(np.unique(x)) < 2:
        return np.empty(0), np.empty(0)
    nearest = max(2, math.ceil(len(x) * _LOCAL_SHARE))
    places = np.linspace(x.min(), x.max(), _PLACES)
    heights = []
    for place in places:
        distance = abs(x - place)
        bandwidth = max(np.partition(distance, nearest - 1)[nearest - 1], np.finfo(float).tiny)
        weights = (1 - np.minimum(distance / bandwidth, 1) ** 3) ** 3
        heights.append(_intercept(x - place, y, weights if weights.any() else distance <= bandwidth))
    return places, np.array(heights)


def _intercept(x: FloatArray, y: FloatArray, weights: FloatArray) -> float:
    """Find the height of the weighted least squares line at 0."""
    mean_x, mean_y = np.average(x, weights=weights), np.average(y, weights=weights)
    variance = np.average((x - mean_x) ** 2, weights=weights)
    slope = np.average((x - mean_x) * (y - mean_y), weights=weights) / variance if variance > 0 else 0.0
    return float(mean_y - slope * mean_x)
