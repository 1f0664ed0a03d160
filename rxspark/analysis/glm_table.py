"""From the matrices of a table to rows for the fit of a model: what responses, weights and columns have to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.design import Matrices, refuse_infinite
from rxspark.analysis.families import Family
from rxspark.analysis.formulas import Formula
from rxspark.analysis.glm_rows import Part
from rxspark.errors import RxArgumentError

__all__ = ["part_of"]


def part_of(
    matrices: Matrices,
    formula: Formula,
    family: Family,
    levels: tuple[str, ...] | None,
    pweights: str | None,
    fweights: str | None,
) -> Part:
    """The rows of a table that count; `levels` are those of the response.

    Raises
    ------
    RxArgumentError
        For a response that the family does not take, weights that are none, a column with infinite values.
    """
    y = _numbers(matrices.y, family, formula, levels)
    prior, frequencies = _weights(matrices.table, pweights, fweights)
    refuse_infinite(matrices, formula)
    counts = (prior * frequencies) > 0
    if counts.all():
        return Part(matrices.x, y, prior, frequencies, matrices.offset, len(y), matrices.missing)
    offset = None if matrices.offset is None else matrices.offset[counts]
    return Part(matrices.x[counts], y[counts], prior[counts], frequencies[counts], offset, len(y), matrices.missing)


def _numbers(y: Any, family: Family, formula: Formula, levels: tuple[str, ...] | None) -> Any:
    """The response as floats; of a factor, the second level is the success."""
    assert y is not None, "rxGlm parses formulas with two sides"
    where = f"formula={formula.text!r}: the response {formula.response!r}"
    if levels is not None:
        if not family.name.endswith("binomial"):
            raise RxArgumentError(f"{where} is a factor; the family {family.name} takes {family.accepts}")
        if len(levels) > 2:
            raise RxArgumentError(f"{where} has {len(levels)} levels; the family {family.name} takes {family.accepts}")
        return (y == levels[-1]).to_numpy(dtype=float) if len(levels) == 2 else np.zeros(len(y))
    values = y.to_numpy(dtype=float)
    wrong = values[~family.valid(values)]
    if len(wrong):
        raise RxArgumentError(
            f"{where} has {wrong[0]:g}{f' and {len(wrong) - 1} more such values' if len(wrong) > 1 else ''}; "
            f"the family {family.name} takes {family.accepts}"
        )
    return values


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
