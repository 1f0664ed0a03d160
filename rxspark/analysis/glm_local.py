"""rxGlm on data in this process: from the table to the rows of the fit."""

from __future__ import annotations

from typing import Any

from rxspark.analysis.families import Family
from rxspark.analysis.formulas import design, parse
from rxspark.analysis.frames import selected
from rxspark.analysis.glm_model import Described, modelled
from rxspark.analysis.glm_result import RxGlm
from rxspark.analysis.glm_table import part_of, response_levels
from rxspark.analysis.parts import Here
from rxspark.analysis.sources import Selection, check_columns, local_columns

__all__ = ["fit_here"]


def fit_here(
    text: Any,
    data: Any,
    asked: tuple[Family, str],
    pweights: str | None,
    fweights: str | None,
    picked: Selection,
    max_iterations: int,
) -> RxGlm:
    """Fit a model to local data."""
    columns = [*local_columns(data, "rxGlm"), *picked.transforms]
    weighted = check_columns({"pweights": pweights, "fweights": fweights}, columns)
    formula = parse(text, columns)
    matrices = design(formula, selected(data, [*formula.variables, *weighted], picked), weighted)
    assert matrices.y is not None, "rxGlm parses formulas with two sides"
    part = part_of(matrices, formula, asked[0], response_levels(matrices.y), pweights, fweights)
    described = Described(formula, *asked, matrices.names, matrices.spec, matrices.offset is not None)
    return modelled(Here(part), described, max_iterations)
