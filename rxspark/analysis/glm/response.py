"""From the matrices of a table to rows for the fit of a model: what responses, weights and columns have to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.formula.design import Matrices, refuse_infinite
from rxspark.analysis.formula.formula import Formula
from rxspark.analysis.glm.families import Family
from rxspark.analysis.glm.rows import Part
from rxspark.errors import RxArgumentError

__all__ = ["all_rows", "part_of"]


def part_of(
    matrices: Matrices,
    formula: Formula,
    family: Family,
    levels: tuple[str, ...] | None,
    pweights: str | None,
    fweights: str | None,
) -> Part:
    """The rows of a table that have a weight above 0; `levels` are those of the response.

    Raises
    ------
    RxArgumentError
        For a response that the family does not take, weights that are none, a column with infinite values.
    """
    part = all_rows(matrices, formula, family, levels, pweights, fweights)
    kept = part.weights > 0
    if kept.all():
        return part
    chosen = {name: getattr(part, name)[kept] for name in ("x", "y", "prior", "trials", "frequencies")}
    return replace(part, **chosen, offset=None if part.offset is None else part.offset[kept])


def all_rows(
    matrices: Matrices,
    formula: Formula,
    family: Family,
    levels: tuple[str, ...] | None,
    pweights: str | None,
    fweights: str | None,
) -> Part:
    """The rows of a table, those of weight 0 too."""
    prior, frequencies = _weights(matrices.table, pweights, fweights)
    assert matrices.y is not None, "rxGlm parses formulas with two sides"
    y, counts = _numbers(matrices.y, family, formula, levels)
    refuse_infinite(matrices, formula)
    trials = prior if counts is None else counts
    prior = prior if counts is None else prior * counts
    return Part(matrices.x, y, prior, trials, frequencies, matrices.offset, len(y), matrices.missing)


def _numbers(
    y: pd.Series | pd.DataFrame, family: Family, formula: Formula, levels: tuple[str, ...] | None
) -> tuple[Any, Any | None]:
    """The response as floats, and the number of trials where the response has that."""
    where = f"formula={formula.text!r}: the response {formula.response!r}"
    if isinstance(y, pd.DataFrame):
        return _grouped(y, family, where)
    if levels is not None:
        return _second_level(y, family, levels, where), None
    values = y.to_numpy(dtype=float)
    wrong = values[~family.valid(values)]
    if len(wrong):
        more = f" and {len(wrong) - 1} more such values" if len(wrong) > 1 else ""
        raise RxArgumentError(f"{where} has {wrong[0]:g}{more}; the family {family.name} takes {family.accepts}")
    return values, None


def _second_level(y: pd.Series, family: Family, levels: tuple[str, ...], where: str) -> Any:
    """Of a factor, the second level is the success."""
    if not family.takes_trials:
        raise RxArgumentError(f"{where} is a factor; the family {family.name} takes {family.accepts}")
    if len(levels) > 2:
        raise RxArgumentError(f"{where} has {len(levels)} levels; the family {family.name} takes {family.accepts}")
    return (y == levels[-1]).to_numpy(dtype=float) if len(levels) == 2 else np.zeros(len(y))


def _grouped(y: pd.DataFrame, family: Family, where: str) -> tuple[Any, Any]:
    """The shares of successes, and the numbers of trials, of columns of successes and failures."""
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


def _weights(table: pd.DataFrame, pweights: str | None, fweights: str | None) -> tuple[Any, Any]:
    """Prior weights and frequencies of the rows."""
    found = []
    for argument, name in (("pweights", pweights), ("fweights", fweights)):
        try:
            values = np.ones(len(table)) if name is None else np.asarray(table[name], dtype=float)
        except (TypeError, ValueError):
            raise RxArgumentError(f"{argument}={name!r}: weights are numbers; the column is of another type") from None
        if not (values >= 0).all() or not np.isfinite(values).all():
            wrong = values[~((values >= 0) & np.isfinite(values))][0]
            raise RxArgumentError(f"{argument}={name!r}: weights are numbers of at least 0; there is {wrong:g}")
        found.append(values)
    if (found[1] != np.round(found[1])).any():
        raise RxArgumentError(f"fweights={fweights!r}: frequencies are whole numbers; use pweights for other weights")
    return found[0], found[1]
