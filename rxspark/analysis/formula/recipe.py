"""Recipes: columns to make, rows to choose and expressions to evaluate, with the totals of all rows that these need.

A recipe is prepared once on all rows of a table, in this process or on a cluster, and then applied to batches of rows
or to other data, which it treats alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.arrays import BoolArray
from rxspark.analysis.data.sources import Selection, check_column
from rxspark.analysis.data.tables import Table
from rxspark.analysis.formula.expressions import (
    CallTotals,
    TotalsMissing,
    column_names,
    columns_of,
    evaluate,
    is_column_function,
    next_total,
)
from rxspark.analysis.formula.syntax import Call, Node, calls_in, deparse, parse_expression
from rxspark.analysis.formula.values import Columns, Value, is_logical, kind_of, take_rows
from rxspark.errors import RxArgumentError

__all__ = ["Recipe", "Step"]

_ROW_SELECTION = -1
"""The number of the step that chooses rows; other steps count from 0, transforms first."""


@dataclass(frozen=True)
class Step:
    """One expression of a recipe."""

    node: Node
    where: str
    """The argument that it comes from, for errors."""
    totals: CallTotals = field(default_factory=dict)
    """The totals of all rows that its functions of whole columns need."""

    def value(self, columns: Columns) -> Value:
        """Evaluate it: one value for each row; TotalsMissing while it needs more totals of all rows."""
        found = evaluate(self.node, columns, self.totals, self.where)
        if len(found) == columns.rows:
            return found
        if len(found) != 1:
            raise RxArgumentError(f"{self.where}: {deparse(self.node)} has {len(found)} values for {columns.rows} rows")
        return take_rows(found, np.zeros(columns.rows, int))

    def next_totals(self, columns: Columns, is_distributed: bool) -> dict[Call, Any]:
        """Summarize these rows for the next totals that it needs; empty if it needs no more."""
        found = {}
        for call in filter(is_column_function, calls_in(self.node)):
            try:
                total = next_total(call, columns, self.totals, self.where, is_distributed)
            except TotalsMissing:  # of a call within its arguments, which comes first
                continue
            if total is not None:
                found[call] = total
        return found


@dataclass(frozen=True)
class Recipe:
    """Columns to make, rows to choose, and expressions to evaluate then."""

    transforms: dict[str, Step]
    rows: Step | None
    expressions: tuple[Step, ...]

    @classmethod
    def of(cls, selection: Selection, expressions: tuple[Step, ...]) -> Recipe:
        """Make a recipe of `transforms`, `rowSelection` and expressions."""
        where = {name: f"transforms[{name!r}]" for name in selection.transforms}
        transforms = {
            name: Step(parse_expression(text, where[name]), where[name]) for name, text in selection.transforms.items()
        }
        rows = None
        if selection.rows is not None:
            rows = Step(parse_expression(selection.rows, "rowSelection"), "rowSelection")
        return cls(transforms, rows, expressions)

    @property
    def _steps_after_transforms(self) -> list[Step]:
        return [*self.expressions, *([] if self.rows is None else [self.rows])]

    def required_columns(self, columns: Iterable[str]) -> list[str]:
        """List the columns of the data that it needs; RxArgumentError for one that is not there."""
        given = list(columns)
        known = [*given, *self.transforms]
        used = {name: columns_of(step.node, known, step.where) for name, step in self.transforms.items()}
        found = [name for step in self._steps_after_transforms for name in columns_of(step.node, known, step.where)]
        for name in reversed(self.transforms):
            found = [one for one in found if one != name] + (used[name] if name in found else [])
        for name in found:
            check_column(name, given, "transforms")
        return list(dict.fromkeys(found))

    def without_unused(self, columns: Iterable[str]) -> Recipe:
        """Leave out the transforms whose columns nothing uses: the data need not have what they are made of."""
        known = [*columns, *self.transforms]
        used = {name for step in self._steps_after_transforms for name in column_names(step.node, known)}
        for name, step in reversed(self.transforms.items()):
            if name in used:
                used.update(column_names(step.node, known))
        return replace(self, transforms={name: step for name, step in self.transforms.items() if name in used})

    def for_other_data(self, columns: Iterable[str]) -> Recipe:
        """Adapt it to data that may have a made column itself, and not those that it was made of."""
        known, kept = set(columns), {}
        for name, step in self.transforms.items():
            if known.issuperset(column_names(step.node, known)):
                kept[name] = step
                known.add(name)
        return replace(self, transforms=kept)

    def apply(self, frame: pd.DataFrame) -> Columns:
        """Make columns and choose rows."""
        columns = Columns(frame)
        for name, step in self.transforms.items():
            columns[name] = step.value(columns)
        return columns if self.rows is None else columns.take_rows(self._mask(columns, self.rows))

    def values(self, columns: Columns) -> list[Value]:
        """Evaluate the expressions on columns that `apply` has made."""
        return [step.value(columns) for step in self.expressions]

    def _mask(self, columns: Columns, rows: Step) -> BoolArray:
        found = rows.value(columns)
        if not is_logical(found):
            raise RxArgumentError(f"{rows.where}: it is not true or false, but {kind_of(found)}")
        mask: BoolArray = found.to_numpy(dtype=bool, na_value=False)
        return mask

    def next_totals(self, is_distributed: bool, frame: pd.DataFrame) -> dict[tuple[int, Call], Any]:
        """Summarize rows for the next totals that it needs, by step and call; empty if it needs no more.

        A step waits for those before it, as it sees the columns that they make and the rows that they choose.
        """
        columns = Columns(frame)
        for number, (name, step) in enumerate(self.transforms.items()):
            found = step.next_totals(columns, is_distributed)
            if found:
                return {(number, call): total for call, total in found.items()}
            columns[name] = step.value(columns)
        if self.rows is not None:
            found = self.rows.next_totals(columns, is_distributed)
            if found:
                return {(_ROW_SELECTION, call): total for call, total in found.items()}
            columns = columns.take_rows(self._mask(columns, self.rows))
        return {
            (number, call): total
            for number, step in enumerate(self.expressions, len(self.transforms))
            for call, total in step.next_totals(columns, is_distributed).items()
        }

    def with_totals(self, found: Mapping[tuple[int, Call], Any]) -> Recipe:
        """Add totals of all rows to its steps."""

        def extended(step: Step, number: int) -> Step:
            new = {call: (*step.totals.get(call, ()), total) for (at, call), total in found.items() if at == number}
            return replace(step, totals={**step.totals, **new})

        return Recipe(
            {name: extended(step, number) for number, (name, step) in enumerate(self.transforms.items())},
            None if self.rows is None else extended(self.rows, _ROW_SELECTION),
            tuple(extended(step, number) for number, step in enumerate(self.expressions, len(self.transforms))),
        )

    def prepared(self, table: Table) -> Recipe:
        """Find the totals that it needs on all rows of a table, in a few passes; RxArgumentError if that cannot be."""
        recipe = self.without_unused(table.columns)
        steps = (*recipe.transforms.values(), *recipe._steps_after_transforms)
        if not any(is_column_function(call) for step in steps for call in calls_in(step.node)):
            return recipe
        needed = recipe.required_columns(table.columns)
        while True:
            found = table.aggregate(needed, partial(recipe.next_totals, table.is_distributed), _added)
            if not found:
                return recipe
            recipe = recipe.with_totals(found)


def _added(one: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, Any]:
    return {key: total + other[key] for key, total in one.items()}
