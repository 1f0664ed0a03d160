"""rxGlm on data in this process: from the table to the rows of the fit."""

from __future__ import annotations

from typing import Any

from rxspark.analysis.design import prepared
from rxspark.analysis.families import Family
from rxspark.analysis.formulas import parse
from rxspark.analysis.frames import LocalTable
from rxspark.analysis.glm_model import Described, modelled
from rxspark.analysis.glm_result import RxGlm
from rxspark.analysis.glm_table import part_of
from rxspark.analysis.links import Link
from rxspark.analysis.parts import Here
from rxspark.analysis.sources import Selection, check_columns

__all__ = ["fit_here"]


def fit_here(
    text: Any,
    data: Any,
    asked: tuple[Family, Link],
    pweights: str | None,
    fweights: str | None,
    picked: Selection,
    max_iterations: int,
) -> RxGlm:
    """Fit a model to local data."""
    table = LocalTable(data, "rxGlm")
    columns = [*table.columns, *picked.transforms]
    weighted = check_columns({"pweights": pweights, "fweights": fweights}, columns)
    formula = parse(text, columns)
    design = prepared(formula, picked, table, weighted)
    matrices = design.matrices(table.frame(design.needed))
    part = part_of(matrices, formula, asked[0], design.response, pweights, fweights)
    return modelled(Here(part), Described(design, *asked, pweights), max_iterations)
