"""Responses and weights of a model: check them, and make observations of design matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.formula.design import DesignMatrices, check_finite
from rxspark.analysis.glm.families import Family
from rxspark.analysis.glm.observations import Observations
from rxspark.analysis.glm.spec import ModelSpec, WeightColumns
from rxspark.errors import RxArgumentError

__all__ = ["all_observations", "weighted_observations"]


def weighted_observations(spec: ModelSpec, frame: pd.DataFrame) -> Observations:
    """Make observations of the rows of a table that have a weight above 0; errors as of `all_observations`."""
    rows = all_observations(spec, spec.design.matrices(frame))
    kept = rows.weights > 0
    if kept.all():
        return rows
    chosen = {name: getattr(rows, name)[kept] for name in ("x", "y", "prior", "trials", "frequencies")}
    return replace(rows, **chosen, offset=None if rows.offset is None else rows.offset[kept])


def all_observations(spec: ModelSpec, matrices: DesignMatrices) -> Observations:
    """Make observations of all rows, those of weight 0 too.

    Raises
    ------
    RxArgumentError
        For a response that the family does not take, weights that are not, a column with infinite values.
    """
    prior, frequencies = _weights(matrices.weights, spec.weights)
    y, counts = _response(spec, matrices)
    check_finite(matrices, spec.design.formula)
    return Observations(
        x=matrices.x,
        y=y,
        prior=prior if counts is None else prior * counts,
        trials=prior if counts is None else counts,
        frequencies=frequencies,
        offset=matrices.offset,
        valid=len(y),
        missing=matrices.missing,
    )


def _response(spec: ModelSpec, matrices: DesignMatrices) -> tuple[FloatArray, FloatArray | None]:
    """Convert the response to floats; of successes and failures give the numbers of trials too."""
    formula, family, y = spec.design.formula, spec.family, matrices.y
    assert y is not None, "rxGlm parses formulas with two sides"
    where = f"{formula.where}: the response {formula.response_label!r}"
    if isinstance(y, pd.DataFrame):
        return _grouped(y, family, where)
    if spec.design.response_levels is not None:
        return _is_second_level(y, family, spec.design.response_levels, where), None
    values = y.to_numpy(dtype=float)
    wrong = values[~family.valid_response(values)]
    if len(wrong):
        more = f" and {len(wrong) - 1} more such values" if len(wrong) > 1 else ""
        raise RxArgumentError(f"{where} has {wrong[0]:g}{more}; the family {family.name} takes {family.accepts}")
    return values, None


def _is_second_level(y: pd.Series, family: Family, levels: tuple[str, ...], where: str) -> FloatArray:
    """Code a factor: its second level is the success."""
    if not family.takes_trials:
        raise RxArgumentError(f"{where} is a factor; the family {family.name} takes {family.accepts}")
    if len(levels) > 2:
        raise RxArgumentError(f"{where} has {len(levels)} levels; the family {family.name} takes {family.accepts}")
    return (y == levels[-1]).to_numpy(dtype=float) if len(levels) == 2 else np.zeros(len(y))


def _grouped(y: pd.DataFrame, family: Family, where: str) -> tuple[FloatArray, FloatArray]:
    """Convert columns of successes and failures to shares of successes and numbers of trials."""
    if not family.takes_trials:
        raise RxArgumentError(f"{where} has successes and failures; the family {family.name} takes {family.accepts}")
    if y.shape[1] != 2 or not all(map(pd.api.types.is_numeric_dtype, y.dtypes)):
        raise RxArgumentError(f"{where}: cbind takes two columns of numbers, cbind(successes, failures)")
    counts = y.to_numpy(dtype=float)
    wrong = counts[~((counts >= 0) & np.isfinite(counts))]
    if len(wrong):
        raise RxArgumentError(f"{where} has {wrong[0]:g}; numbers of successes and failures are 0 or more")
    trials = counts.sum(axis=1)
    return np.divide(counts[:, 0], trials, out=np.zeros(len(counts)), where=trials > 0), trials


def _weights(table: pd.DataFrame, columns: WeightColumns) -> tuple[FloatArray, FloatArray]:
    """Check prior weights and frequencies; without a column each row has 1."""
    prior = _checked_weights(table, "pweights", columns.pweights)
    frequencies = _checked_weights(table, "fweights", columns.fweights)
    if (frequencies != np.round(frequencies)).any():
        raise RxArgumentError(
            f"fweights={columns.fweights!r}: frequencies are whole numbers; use pweights for other weights"
        )
    return prior, frequencies


def _checked_weights(table: pd.DataFrame, argument: str, name: str | None) -> FloatArray:
    if name is None:
        return np.ones(len(table))
    try:
        values = np.asarray(table[name], dtype=float)
    except (TypeError, ValueError):
        raise RxArgumentError(f"{argument}={name!r}: weights are numbers; the column is of another type") from None
    wrong = values[~((values >= 0) & np.isfinite(values))]
    if len(wrong):
        raise RxArgumentError(f"{argument}={name!r}: weights are numbers of at least 0; there is {wrong[0]:g}")
    return values
