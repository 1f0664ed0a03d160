"""Design matrices, as R's model.frame and model.matrix make them.

`build_design` reads all rows of a table once to find levels, contrasts and names. The `Design` that it gives makes the
matrices of any batch of rows, and of other data to predict for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd

from rxspark.analysis.arrays import BoolArray, FloatArray
from rxspark.analysis.data.sources import Selection
from rxspark.analysis.data.tables import Table
from rxspark.analysis.formula.formula import Formula
from rxspark.analysis.formula.recipe import Recipe, Step
from rxspark.analysis.formula.syntax import Name, Node, deparse
from rxspark.analysis.formula.terms import Term
from rxspark.analysis.formula.values import Matrix, Value, as_numbers, is_logical, missing, take_rows
from rxspark.analysis.formula.variables import LOGICAL_LEVELS, ModelVariable, VariableSummary, contrasts_of
from rxspark.errors import RxArgumentError

__all__ = ["Design", "DesignMatrices", "build_design", "check_finite"]

V = TypeVar("V")


@dataclass(frozen=True)
class DesignMatrices:
    """Response, design matrix and weights of the rows that have all values."""

    y: pd.Series | pd.DataFrame | None
    """The response; a column each for ``cbind(successes, failures)``; None of a one-sided formula."""
    x: FloatArray
    """Shape (rows, columns)."""
    names: tuple[str, ...]
    """The columns of x, as R names them."""
    offset: FloatArray | None
    weights: pd.DataFrame
    """The columns of weights, by name."""
    kept: BoolArray
    """Which of the rows that were chosen have all values."""
    index: pd.Index
    """The index of the rows that were chosen."""

    @property
    def missing(self) -> int:
        """The number of rows that were left out."""
        return len(self.kept) - int(self.kept.sum())


@dataclass(frozen=True)
class Design:
    """A formula with all that it needs to make matrices of tables; it is small and pickles."""

    formula: Formula
    recipe: Recipe
    """Its expressions: the response, the variables, the offsets, the weights."""
    needed: list[str]
    """The columns of the data that the recipe takes."""
    variables: tuple[ModelVariable, ...]
    response_levels: tuple[str, ...] | None
    """The levels of a response that is a factor."""
    weights: tuple[str, ...]
    """The columns of weights."""
    names: tuple[str, ...] = ()
    """The columns of the design matrix."""

    def matrices(self, frame: pd.DataFrame) -> DesignMatrices:
        """Make the response, the design matrix and the weights of rows of the data."""
        columns = self.recipe.apply(frame)
        values = self.recipe.values(columns)
        kept = _complete_cases(values, columns.rows)
        response, variables, offsets, weights = self._split([take_rows(value, kept) for value in values])
        rows = int(kept.sum())
        return DesignMatrices(
            y=_response_column(response[0]) if response else None,
            x=self._model_matrix(self.formula.terms.terms, dict(enumerate(variables)), rows)[0],
            names=self.names,
            offset=self._offset(offsets),
            weights=pd.DataFrame(dict(zip(self.weights, weights, strict=True)), range(rows)),
            kept=kept,
            index=columns.frame.index,
        )

    def _split(self, values: Sequence[V]) -> tuple[Sequence[V], Sequence[V], Sequence[V], Sequence[V]]:
        """Split the values of all expressions: response, variables, offsets, weights."""
        first = int(self.formula.response is not None)
        after = first + len(self.variables)
        end = after + len(self.formula.terms.offsets)
        return values[:first], values[first:after], values[after:end], values[end:]

    def for_all_rows(self) -> Design:
        """Make a design that uses all rows of other data."""
        return replace(self, recipe=replace(self.recipe, rows=None))

    def _used(self, aliased: Iterable[str]) -> tuple[list[Term], list[int]]:
        """List the terms that have a column which is not aliased, and their variables: the others predict nothing."""
        empty = {number: variable.empty() for number, variable in enumerate(self.variables)}
        left_out = set(aliased)
        terms = [
            term for term in self.formula.terms.terms if not left_out.issuperset(self._term_columns(term, empty, 0)[1])
        ]
        return terms, sorted(frozenset[int]().union(*terms))

    def _predictors(self, columns: Iterable[str], aliased: Iterable[str]) -> Recipe:
        """Make the recipe for other data with the given columns: all rows, and no response."""
        _, variables, offsets, _ = self._split(self.recipe.expressions)
        used = [variables[number] for number in self._used(aliased)[1]]
        expressions = tuple(replace(step, where="predict") for step in (*used, *offsets))
        return replace(self.recipe, rows=None, expressions=expressions).for_other_data(columns)

    def predictor_columns(self, columns: Iterable[str], aliased: Iterable[str] = ()) -> list[str]:
        """List the columns that other data need; RxArgumentError for one that is not among those given."""
        given = list(columns)
        return self._predictors(given, aliased).required_columns(given)

    def predictor_matrices(
        self, frame: pd.DataFrame, aliased: Iterable[str] = ()
    ) -> tuple[FloatArray, FloatArray | None, BoolArray]:
        """Make the design matrix and the offset of the rows of other data that have all values, and mark these rows.

        Values that only `aliased` columns of the matrix need may be missing; these columns are then 0.

        Raises
        ------
        RxArgumentError
            When a factor has a level that the model has not seen.
        """
        aliased = set(aliased)
        recipe = self._predictors(map(str, frame.columns), aliased)
        columns = recipe.apply(frame)
        values = recipe.values(columns)
        kept = _complete_cases(values, columns.rows)
        values = [take_rows(value, kept) for value in values]
        terms, used = self._used(aliased)
        x, _ = self._model_matrix(terms, dict(zip(used, values, strict=False)), int(kept.sum()))
        return x, self._offset(values[len(used) :]), kept

    def _offset(self, offsets: Sequence[Value]) -> FloatArray | None:
        where = f"{self.formula.where}: the offset"
        return np.sum([as_numbers(value, where) for value in offsets], axis=0) if offsets else None

    def with_names(self) -> Design:
        """Find the names of the columns of the design matrix."""
        return replace(self, names=tuple(self._model_matrix([], {}, 0)[1]))

    def _model_matrix(self, terms: Sequence[Term], values: dict[int, Value], rows: int) -> tuple[FloatArray, list[str]]:
        """Make the design matrix and the names of its columns; those of other terms than the given ones are 0."""
        blocks: list[FloatArray] = [np.ones((rows, 1))] if self.formula.terms.intercept else []
        names = ["(Intercept)"] if self.formula.terms.intercept else []
        empty = {number: variable.empty() for number, variable in enumerate(self.variables)}
        for term in self.formula.terms.terms:
            if term in terms:
                block, labels = self._term_columns(term, values, rows)
            else:
                labels = self._term_columns(term, empty, 0)[1]
                block = np.zeros((rows, len(labels)))
            blocks.append(block)
            names += labels
        return np.hstack(blocks) if blocks else np.zeros((rows, 0)), names

    def _term_columns(self, term: Term, values: dict[int, Value], rows: int) -> tuple[FloatArray, list[str]]:
        """Make the columns of a term: the products of its variables' columns."""
        block, labels = np.ones((rows, 1)), [""]
        for number in sorted(term):
            contrasted = self.formula.terms.uses_contrasts(term, number) and (term, number) != self._first_factor()
            x, own = self.variables[number].design_columns(values[number], contrasted)
            block = (x[:, :, None] * block[:, None, :]).reshape(rows, x.shape[1] * block.shape[1])
            labels = [f"{before}:{label}" if before else label for label in own for before in labels]
        return block, labels

    def _first_factor(self) -> tuple[Term, int] | None:
        """Without an intercept, find the first factor: it has an indicator of each level."""
        if self.formula.terms.intercept:
            return None
        found = (
            (term, number)
            for term in self.formula.terms.terms
            for number in sorted(term)
            if self.variables[number].levels is not None
        )
        return next(found, None)


def _response_column(y: Value) -> pd.Series | pd.DataFrame:
    """Convert a response to pandas; truth values become 0 and 1."""
    if isinstance(y, Matrix):
        return pd.DataFrame(y.values)
    return pd.Series(as_numbers(y, "") if is_logical(y) else y)


def check_finite(matrices: DesignMatrices, formula: Formula) -> None:
    """Raise RxArgumentError for a column with infinite values, such as the logarithm of 0."""
    finite = np.isfinite(matrices.x).all(axis=0)
    if not finite.all():
        name = matrices.names[int(np.flatnonzero(~finite)[0])]
        raise RxArgumentError(f"{formula.where}: {name!r} has infinite values, such as the logarithm of 0")
    if matrices.offset is not None and not np.isfinite(matrices.offset).all():
        raise RxArgumentError(f"{formula.where}: the offset has infinite values, such as the logarithm of 0")


def _complete_cases(values: Sequence[Value], rows: int) -> BoolArray:
    """Mark the rows that lack no value."""
    gaps = np.zeros(rows, bool)
    for value in values:
        gaps |= missing(value)
    return ~gaps


@dataclass(frozen=True)
class _DataSummary:
    """Counts of rows and missing values, and the kinds of the response and the variables."""

    rows: int
    complete: int
    missing: dict[str, int]
    """How many values each expression lacks."""
    variables: tuple[VariableSummary, ...]
    """The response, if there is one, and the variables."""

    def __add__(self, other: _DataSummary) -> _DataSummary:
        missing = {name: count + other.missing[name] for name, count in self.missing.items()}
        variables = tuple(one + two for one, two in zip(self.variables, other.variables, strict=True))
        return _DataSummary(self.rows + other.rows, self.complete + other.complete, missing, variables)


def _summarize(recipe: Recipe, labels: list[str], variables: int, where: str, frame: pd.DataFrame) -> _DataSummary:
    """Summarize rows; the first so many expressions are the response and the variables."""
    columns = recipe.apply(frame)
    values = recipe.values(columns)
    kept = _complete_cases(values, columns.rows)
    gaps = {label: int(missing(value).sum()) for label, value in zip(labels, values, strict=True)}
    summaries = [
        VariableSummary.of(take_rows(value, kept), f"{where}: {label!r}")
        for label, value in zip(labels[:variables], values, strict=False)
    ]
    return _DataSummary(columns.rows, int(kept.sum()), gaps, tuple(summaries))


def build_design(formula: Formula, selection: Selection, table: Table, weights: Sequence[str] = ()) -> Design:
    """Read all rows of a table, and find how a formula makes matrices of them.

    Raises
    ------
    RxArgumentError
        When no row has all values, a factor has one level, or an expression cannot be evaluated.
    """
    response: list[Node] = [] if formula.response is None else [formula.response]
    nodes = [*response, *formula.terms.variables, *formula.terms.offsets, *map(Name, weights)]
    recipe = Recipe.of(selection, tuple(Step(node, formula.where) for node in nodes))
    needed = recipe.required_columns(table.columns)
    recipe = recipe.prepared(table)
    labels, first = [deparse(node) for node in nodes], len(response)
    described = first + len(formula.terms.variables)
    summary = table.aggregate(
        needed, partial(_summarize, recipe, labels, described, formula.where), _DataSummary.__add__
    )
    if summary is None or not summary.complete:
        raise _no_rows(formula, summary)
    variables = []
    for label, node, found in zip(labels[first:], nodes[first:], summary.variables[first:], strict=False):
        contrasts, numbered = contrasts_of(node, found.is_ordered, formula.where)
        variables.append(
            ModelVariable(
                label=label,
                levels=found.levels_in_order,
                contrasts=contrasts,
                numbered=numbered,
                suffixes=found.suffixes,
            )
        )
    _check_levels(variables, formula)
    has_levels = bool(first) and summary.variables[0].order != LOGICAL_LEVELS
    design = Design(
        formula=formula,
        recipe=recipe,
        needed=needed,
        variables=tuple(variables),
        response_levels=summary.variables[0].levels_in_order if has_levels else None,
        weights=tuple(weights),
    )
    return design.with_names()


def _check_levels(variables: Iterable[ModelVariable], formula: Formula) -> None:
    for variable in variables:
        if variable.levels is not None and len(variable.levels) < 2:
            only = f"{variable.label!r} has one level alone, {variable.levels[0]!r}"
            raise RxArgumentError(f"{formula.where}: the factor {only}; leave it out")


def _no_rows(formula: Formula, summary: _DataSummary | None) -> RxArgumentError:
    gaps = {} if summary is None else summary.missing
    lacking = ", ".join(f"{label!r} lacks {count} values" for label, count in gaps.items() if count)
    rows = 0 if summary is None else summary.rows
    return RxArgumentError(f"{formula.where}: no row is left of {rows}; {lacking or 'the data are empty'}")
