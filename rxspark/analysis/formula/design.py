"""Design matrices, as R's model.frame and model.matrix make them: variables, levels, contrasts, names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.data.sources import Selection
from rxspark.analysis.formula.contrasts import CONTRASTS, dummies
from rxspark.analysis.formula.formula import Formula
from rxspark.analysis.formula.recipe import Recipe, Step, Table
from rxspark.analysis.formula.syntax import Call, Constant, Name, Node, deparse
from rxspark.analysis.formula.values import (
    Matrix,
    UnseenLevels,
    Value,
    as_factor,
    as_numbers,
    is_factor,
    is_logical,
    is_number,
    is_text,
    kind_of,
    missing,
    taken,
)
from rxspark.errors import RxArgumentError

__all__ = ["Design", "Matrices", "prepared", "refuse_infinite"]

_TRUTH = ("FALSE", "TRUE")


@dataclass(frozen=True)
class Matrices:
    """What a formula makes of rows; those that lack a value are out."""

    y: pd.Series | pd.DataFrame | None
    """The response; of ``cbind(successes, failures)`` a column for each."""
    x: Any
    """Shape (rows, columns)."""
    names: tuple[str, ...]
    """The columns of x as R names them."""
    offset: Any | None
    table: pd.DataFrame
    """The columns of weights."""
    kept: Any
    """Which of the rows that were chosen have all values."""
    index: pd.Index
    """Of the rows that were chosen."""

    @property
    def missing(self) -> int:
        """How many rows were left out."""
        return len(self.kept) - int(self.kept.sum())


@dataclass(frozen=True)
class Variable:
    """What is known of one expression of a formula."""

    label: str
    levels: tuple[str, ...] | None
    """Of a factor; None for numbers."""
    contrast: str
    numbered: bool
    """Whether contrasts have numbers for names, as R's C() gives them, and not the names of levels."""
    columns: tuple[str, ...]
    """What is appended to the label for each column of a matrix; one that is empty for numbers."""

    def empty(self) -> Value:
        """Its value for no rows."""
        return (
            np.array([], object) if self.levels is not None else Matrix(np.zeros((0, len(self.columns))), self.columns)
        )

    def block(self, value: Value, contrasted: bool) -> tuple[Any, list[str]]:
        """Its columns of the design matrix and their names."""
        if self.levels is None:
            x = value.values if isinstance(value, Matrix) else as_numbers(value, repr(self.label))[:, None]
            return x, [self.label + name for name in self.columns]
        told = [str(number) for number, _ in enumerate(self.levels, 1)] if self.numbered else list(self.levels)
        coding, names = CONTRASTS[self.contrast](told) if contrasted else dummies(list(self.levels))
        try:
            codes = as_factor(value, list(self.levels)).codes
        except UnseenLevels as error:
            raise error.named("predict", self.label) from None
        return coding[codes], [self.label + name for name in names]


@dataclass(frozen=True)
class Design:
    """How a formula makes matrices of tables; pickles, and is small."""

    formula: Formula
    recipe: Recipe
    """Its expressions: the response, the variables, the offsets, the weights."""
    needed: list[str]
    """The columns of the data that the recipe takes."""
    variables: tuple[Variable, ...]
    response: tuple[str, ...] | None
    """The levels of a response that is a factor."""
    weights: tuple[str, ...]
    """The columns of weights."""
    names: tuple[str, ...] = ()
    """The columns of the design matrix."""

    def matrices(self, frame: pd.DataFrame) -> Matrices:
        """The response, the design matrix and the weights of rows of the data."""
        columns = self.recipe.chosen(frame)
        values = [step.value(columns) for step in self.recipe.expressions]
        kept = _complete(values, columns.rows)
        left, variables, offsets, weights = self._parted([taken(value, kept) for value in values])
        x, _ = self.matrix(variables, int(kept.sum()))
        named = [
            step.node.name
            for step in self.recipe.expressions[len(values) - len(weights) :]
            if isinstance(step.node, Name)
        ]
        table = pd.DataFrame(dict(zip(named, weights, strict=True)), range(int(kept.sum())))
        return Matrices(_plain(left), x, self.names, self._offset(offsets), table, kept, columns.frame.index)

    def _parted(self, values: list[Value]) -> tuple[Value | None, list[Value], list[Value], list[Value]]:
        """The response, the variables, the offsets and the weights among the values of all expressions."""
        first = len(self.formula.left_side)
        after = first + len(self.variables)
        end = after + len(self.formula.terms.offsets)
        return values[0] if first else None, values[first:after], values[after:end], values[end:]

    def of_all_rows(self) -> Design:
        """The design for other data, all rows of which are taken."""
        return replace(self, recipe=replace(self.recipe, rows=None))

    def predictors(self, columns: Iterable[str]) -> Recipe:
        """The recipe for other data with those columns, all rows of which are taken, and no response."""
        _, variables, offsets, _ = self._parted(list(self.recipe.expressions))
        expressions = tuple(replace(step, where="predict") for step in (*variables, *offsets))
        return replace(self.recipe, rows=None, expressions=expressions).possible(columns)

    def needed_of_new(self, columns: Iterable[str]) -> list[str]:
        """The columns that other data need."""
        given = list(columns)
        return self.predictors(given).needs(given)

    def of_new(self, frame: pd.DataFrame) -> tuple[Any, Any | None, Any]:
        """The design matrix and the offset of other data, and which of its rows they are for: those without gaps.

        Raises
        ------
        RxArgumentError
            When a factor has a level that the model has not seen.
        """
        recipe = self.predictors(map(str, frame.columns))
        columns = recipe.chosen(frame)
        values = [step.value(columns) for step in recipe.expressions]
        kept = _complete(values, columns.rows)
        values = [taken(value, kept) for value in values]
        variables = values[: len(self.variables)]
        return self.matrix(variables, int(kept.sum()))[0], self._offset(values[len(variables) :]), kept

    def _offset(self, offsets: list[Value]) -> Any | None:
        where = f"{self.formula.where}: the offset"
        return sum(as_numbers(value, where) for value in offsets) if offsets else None

    def matrix(self, values: list[Value], rows: int) -> tuple[Any, list[str]]:
        """The design matrix of variables, and the names of its columns."""
        terms = self.formula.terms
        blocks, names = ([np.ones((rows, 1))], ["(Intercept)"]) if terms.intercept else ([], [])
        dummy = self._first_dummy()
        for term in terms.terms:
            made, told = np.ones((rows, 1)), [""]
            for number in sorted(term):
                contrasted = terms.contrasted(term, number) and (term, number) != dummy
                x, labels = self.variables[number].block(values[number], contrasted)
                made = (x[:, :, None] * made[:, None, :]).reshape(rows, x.shape[1] * made.shape[1])
                told = [f"{before}:{label}" if before else label for label in labels for before in told]
            blocks.append(made)
            names += told
        return np.hstack(blocks) if blocks else np.zeros((rows, 0)), names

    def _first_dummy(self) -> tuple[frozenset[int], int] | None:
        """Without an intercept, the first factor has a column for each level."""
        if self.formula.terms.intercept:
            return None
        found = (
            (term, number)
            for term in self.formula.terms.terms
            for number in sorted(term)
            if self.variables[number].levels is not None
        )
        return next(found, None)


def _plain(y: Value) -> pd.Series | pd.DataFrame | None:
    """The response as pandas has it; truth values as 0 and 1."""
    if isinstance(y, Matrix):
        return pd.DataFrame(y.values)
    return None if y is None else pd.Series(as_numbers(y, "") if is_logical(y) else y)


def refuse_infinite(matrices: Matrices, formula: Formula) -> None:
    """RxArgumentError for a column in which a number is infinite, such as the logarithm of 0."""
    finite = np.isfinite(matrices.x).all(axis=0)
    if not finite.all():
        name = matrices.names[int(np.flatnonzero(~finite)[0])]
        raise RxArgumentError(f"{formula.where}: {name!r} has infinite values, such as the logarithm of 0")
    if matrices.offset is not None and not np.isfinite(matrices.offset).all():
        raise RxArgumentError(f"{formula.where}: the offset has infinite values, such as the logarithm of 0")


def _complete(values: list[Value], rows: int) -> Any:
    """Which rows lack no value."""
    gaps = np.zeros(rows, bool)
    for value in values:
        gaps |= missing(value)
    return ~gaps


@dataclass(frozen=True)
class _Seen:
    """What rows have."""

    rows: int
    valid: int
    gaps: dict[str, int]
    """How many values each expression lacks."""
    values: tuple[_Kind, ...]
    """Of the response, if there is one, and the variables."""

    def __add__(self, other: _Seen) -> _Seen:
        gaps = {name: count + other.gaps[name] for name, count in self.gaps.items()}
        values = tuple(one + two for one, two in zip(self.values, other.values, strict=True))
        return _Seen(self.rows + other.rows, self.valid + other.valid, gaps, values)


@dataclass(frozen=True)
class _Kind:
    """What the values of one expression are, in rows that lack none."""

    columns: tuple[str, ...]
    levels: frozenset[str] | None
    order: tuple[str, ...] | None
    ordered: bool

    @classmethod
    def of(cls, value: Value, where: str) -> _Kind:
        if isinstance(value, Matrix):
            return cls(value.names if len(value.names) > 1 else ("",), None, None, False)
        if is_number(value):
            return cls(("",), None, None, False)
        if is_logical(value):
            return cls((), frozenset(_TRUTH), _TRUTH, False)
        if is_factor(value):
            return cls((), frozenset(value.unique().astype(object)), tuple(value.categories), value.ordered)
        if is_text(value):
            return cls((), frozenset(pd.unique(value)), None, False)
        raise RxArgumentError(f"{where} is {kind_of(value)}; use as.numeric(x), the seconds since 1970, or a factor")

    def __add__(self, other: _Kind) -> _Kind:
        return self if self.levels is None else replace(self, levels=self.levels | (other.levels or frozenset()))

    @property
    def in_order(self) -> tuple[str, ...] | None:
        """The levels that occur, in their order."""
        if self.levels is None:
            return None
        return tuple(sorted(self.levels) if self.order is None else (one for one in self.order if one in self.levels))


def _seen(recipe: Recipe, labels: list[str], described: int, where: str, frame: pd.DataFrame) -> _Seen:
    columns = recipe.chosen(frame)
    values = [step.value(columns) for step in recipe.expressions]
    kept = _complete(values, columns.rows)
    gaps = {label: int(missing(value).sum()) for label, value in zip(labels, values, strict=True)}
    kinds = [
        _Kind.of(taken(value, kept), f"{where}: {label!r}")
        for label, value in zip(labels[:described], values, strict=False)
    ]
    return _Seen(columns.rows, int(kept.sum()), gaps, tuple(kinds))


def prepared(formula: Formula, picked: Selection, table: Table, weights: Sequence[str] = ()) -> Design:
    """Look at all rows of a table, and find how the formula makes matrices of them.

    Raises
    ------
    RxArgumentError
        When no row has all values, or an expression cannot be.
    """
    nodes = [*formula.left_side, *formula.terms.variables, *formula.terms.offsets, *map(Name, weights)]
    recipe = Recipe.of(picked, tuple(Step(node, formula.where) for node in nodes))
    needed = recipe.needs(table.columns)
    recipe = recipe.learned(table)
    labels = [deparse(node) for node in nodes]
    first = len(formula.left_side)
    described = first + len(formula.terms.variables)
    found = table.total(needed, partial(_seen, recipe, labels, described, formula.where), _Seen.__add__)
    if found is None or not found.valid:
        _refuse_empty(formula, found)
    assert found is not None
    variables = tuple(
        Variable(label, kind.in_order, *_contrast(node, kind.ordered, formula.where), kind.columns)
        for label, node, kind in zip(labels[first:], nodes[first:], found.values[first:], strict=False)
    )
    for variable in variables:
        if variable.levels is not None and len(variable.levels) < 2:
            only = f"{variable.label!r} has one level alone, {variable.levels[0]!r}"
            raise RxArgumentError(f"{formula.where}: the factor {only}; leave it out")
    response = found.values[0].in_order if first and found.values[0].order != _TRUTH else None
    design = Design(formula, recipe, needed, variables, response, tuple(weights))
    none = [one.empty() for one in variables]
    return replace(design, names=tuple(design.matrix(none, 0)[1]))


def _refuse_empty(formula: Formula, found: _Seen | None) -> None:
    gaps = {} if found is None else found.gaps
    told = ", ".join(f"{label!r} lacks {count} values" for label, count in gaps.items() if count)
    rows = 0 if found is None else found.rows
    raise RxArgumentError(f"{formula.where}: no row is left of {rows}; {told or 'the data are empty'}")


def _contrast(node: Node, ordered: bool, where: str) -> tuple[str, bool]:
    """The contrasts of a factor: those that C() gives it, polynomials for one whose levels have an order."""
    if isinstance(node, Call) and node.function == "C" and len(node.args) > 1:
        asked = node.args[1].node
        name = asked.name if isinstance(asked, Name) else asked.value if isinstance(asked, Constant) else None
        full = f"contr.{str(name).removeprefix('contr.')}"
        if full not in CONTRASTS or len(node.args) > 2:
            told = f"{deparse(node)}: contrasts are {', '.join(CONTRASTS)}"
            raise RxArgumentError(f"{where}: {told}, in full; relevel(x, ref = ) gives treatments another base")
        return full, True
    return "contr.poly" if ordered else "contr.treatment", False
