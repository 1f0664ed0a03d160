"""K-means clustering, with the numbers of R's kmeans."""

from __future__ import annotations

from rxspark.analysis.kmeans.api import rxKmeans

__all__ = ["rxKmeans"]
