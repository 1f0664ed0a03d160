"""Cluster the rows of a table, wherever they are."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from rxspark.analysis.arrays import FloatArray, IntArray
from rxspark.analysis.data.sources import Selection
from rxspark.analysis.data.tables import LocalBlocks, LocalTable, RowBlocks, Table
from rxspark.analysis.formula.design import Design, build_design, check_finite
from rxspark.analysis.formula.formula import parse_formula
from rxspark.analysis.kmeans.lloyd import LloydResult, lloyd_here, lloyd_on_blocks
from rxspark.analysis.kmeans.result import RxKmeans, cluster_codes
from rxspark.analysis.kmeans.starts import Starts
from rxspark.analysis.kmeans.sums import RowBlock, RowMoments, moments
from rxspark.errors import RxArgumentError, RxModelWarning

__all__ = ["cluster_table"]

Search: TypeAlias = Callable[[RowMoments, FloatArray], LloydResult]
"""A search from one start, given the moments of all rows."""


def cluster_table(text: Any, table: Table, starts: Starts, selection: Selection) -> RxKmeans:
    """Cluster the rows of a table; errors and warnings as of `rxKmeans`."""
    design = _numeric_design(text, selection, table)
    if isinstance(table, LocalTable):
        matrices = design.matrices(table.frame(design.needed))
        check_finite(matrices, design.formula)
        block = RowBlock(matrices.x, matrices.missing)
        search = partial(lloyd_here, block.x, starts.max_iterations)
        model, labels = _best_model(LocalBlocks(block), design, starts, search)
        assert labels is not None, "scikit-learn labels the rows"
        codes = cluster_codes(labels, np.flatnonzero(matrices.kept), len(matrices.kept))
        return replace(model, codes=codes, index=matrices.index)
    blocks = table.blocks(design.needed, partial(_row_block, design))
    try:
        return _best_model(blocks, design, starts, partial(lloyd_on_blocks, blocks, starts.max_iterations))[0]
    finally:
        blocks.release()


def _row_block(design: Design, frame: pd.DataFrame) -> RowBlock:
    matrices = design.matrices(frame)
    check_finite(matrices, design.formula)
    return RowBlock(matrices.x, matrices.missing)


def _numeric_design(text: Any, selection: Selection, table: Table) -> Design:
    """Build the design of a formula that lists columns of numbers; RxArgumentError for any other."""
    formula = parse_formula(text, [*table.columns, *selection.transforms], one_sided=True)
    if not formula.columns:
        raise RxArgumentError(f'formula={text!r}: it names no column; give some, as in "~ x1 + x2"')
    design = build_design(formula, selection, table)
    for variable in design.variables:
        if variable.levels is not None:
            raise RxArgumentError(
                f"{formula.where}: {variable.label!r} is a factor, and k-means takes numbers; leave it out, or make "
                f"numbers of it by transforms"
            )
    return design


def _best_model(blocks: RowBlocks, design: Design, starts: Starts, search: Search) -> tuple[RxKmeans, IntArray | None]:
    """Search from each start, and give the best model with its labels."""
    known: RowMoments = blocks.aggregate(moments, operator.add)
    if not known.rows:
        raise RxArgumentError(f"formula={design.formula.text!r}: no row is left of {known.missing}; all lack a value")
    results = [search(known, start - known.mean) for start in starts.draw(blocks, known.rows, design.names)]
    best = min(results, key=lambda result: float(result.clusters.squares.sum()))
    model = RxKmeans(
        formula=design.formula.text,
        names=design.names,
        values=best.centers + known.mean,
        sizes=best.clusters.counts,
        squares=best.clusters.squares,
        totss=known.squares,
        iterations=best.iterations,
        converged=best.iterations < starts.max_iterations or best.has_settled(known),
        nValidObs=known.rows,
        nMissingObs=known.missing,
        design=design,
    )
    if not model.converged:
        warnings.warn(
            f"rxKmeans {model.formula!r}: no convergence in {model.iterations} iterations; a larger maxIterations may "
            f"help",
            RxModelWarning,
            stacklevel=4,
        )
    return model, best.labels
