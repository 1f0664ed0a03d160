"""rxKmeans on data in this process: Lloyd's algorithm by scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.cluster import KMeans

from rxspark.analysis.formulas import design, refuse_infinite
from rxspark.analysis.frames import selected
from rxspark.analysis.kmeans_model import Described, Found, modelled, parsed, refuse_factors
from rxspark.analysis.kmeans_result import RxKmeans, codes_of
from rxspark.analysis.kmeans_rows import Moments, Rows, labelled
from rxspark.analysis.kmeans_start import Starts
from rxspark.analysis.parts import Here
from rxspark.analysis.sources import Selection, local_columns

__all__ = ["cluster_here"]


def cluster_here(text: Any, data: Any, starts: Starts, picked: Selection) -> RxKmeans:
    """Cluster local data."""
    formula = parsed(text, [*local_columns(data, "rxKmeans"), *picked.transforms])
    frame = selected(data, list(formula.variables), picked)
    matrices = design(formula, frame)
    refuse_factors(formula, matrices.spec)
    refuse_infinite(matrices, formula)
    rows = Rows(matrices.x, matrices.missing)
    described = Described(formula, matrices.names, matrices.spec)
    model, labels = modelled(Here(rows), described, starts, partial(_search, rows.x, starts.iterations))
    whole = np.flatnonzero(frame[list(formula.variables)].notna().all(axis=1))
    return replace(model, codes=codes_of(labels, whole[matrices.table.index], len(frame)), index=frame.index)


def _search(x: Any, most: int, told: Moments, start: Any) -> Found:
    deviations = x - told.mean
    fit = KMeans(len(start), init=start, n_init=1, max_iter=most, tol=0, random_state=0).fit(deviations)
    found = labelled(fit.cluster_centers_, deviations, fit.labels_)
    return Found(fit.cluster_centers_, found, fit.n_iter_, fit.labels_)
