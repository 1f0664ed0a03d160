"""rxKmeans on data in this process: Lloyd's algorithm by scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.cluster import KMeans

from rxspark.analysis.data.blocks import Here
from rxspark.analysis.data.sources import Selection
from rxspark.analysis.data.tables import LocalTable
from rxspark.analysis.formula.design import refuse_infinite
from rxspark.analysis.kmeans.model import Found, described, modelled
from rxspark.analysis.kmeans.result import RxKmeans, codes_of
from rxspark.analysis.kmeans.rows import Moments, Rows, labelled
from rxspark.analysis.kmeans.starts import Starts

__all__ = ["cluster_here"]


def cluster_here(text: Any, data: Any, starts: Starts, picked: Selection) -> RxKmeans:
    """Cluster local data."""
    table = LocalTable(data, "rxKmeans")
    design = described(text, picked, table)
    matrices = design.matrices(table.frame(design.needed))
    refuse_infinite(matrices, design.formula)
    rows = Rows(matrices.x, matrices.missing)
    model, labels = modelled(Here(rows), design, starts, partial(_search, rows.x, starts.iterations))
    codes = codes_of(labels, np.flatnonzero(matrices.kept), len(matrices.kept))
    return replace(model, codes=codes, index=matrices.index)


def _search(x: Any, most: int, told: Moments, start: Any) -> Found:
    deviations = x - told.mean
    fit = KMeans(len(start), init=start, n_init=1, max_iter=most, tol=0, random_state=0).fit(deviations)
    found = labelled(fit.cluster_centers_, deviations, fit.labels_)
    return Found(fit.cluster_centers_, found, fit.n_iter_, fit.labels_)
