"""How tables become values: columns to make, rows to choose, expressions; and what all rows say about these.

The same for a table in this process and for one whose rows lie in parts on a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd

from rxspark.analysis.data.blocks import Parts
from rxspark.analysis.data.sources import Selection, check_known
from rxspark.analysis.formula.expressions import Known, Pending, columns_of, evaluate, free_names, grown, is_whole
from rxspark.analysis.formula.syntax import Call, Node, calls_in, deparse, parsed
from rxspark.analysis.formula.values import Columns, Value, is_logical, kind_of, taken
from rxspark.errors import RxArgumentError

__all__ = ["Recipe", "Step", "Table"]

T = TypeVar("T")


class Table(Protocol):
    """A table, wherever its rows are."""

    columns: list[str]
    spread: bool
    """Whether its rows lie in parts."""

    def total(self, needed: list[str], of: Callable[[pd.DataFrame], T], add: Callable[[T, T], T]) -> T | None:
        """What batches of rows with those columns give, added up; None where there are no rows."""

    def parts(self, needed: list[str], make: Callable[[pd.DataFrame], Any]) -> Parts:
        """Make parts of a model from batches of rows, and keep them until they are released."""


@dataclass(frozen=True)
class Step:
    """One expression."""

    node: Node
    where: str
    """The argument that it comes from, for errors."""
    known: Known = field(default_factory=dict)
    """What its functions of whole columns know of all rows."""

    def value(self, columns: Columns) -> Value:
        """Its value, one for each row; Pending while it has to know more of all rows."""
        found = evaluate(self.node, columns, self.known, self.where)
        if len(found) == columns.rows:
            return found
        if len(found) != 1:
            raise RxArgumentError(f"{self.where}: {deparse(self.node)} has {len(found)} values for {columns.rows} rows")
        return taken(found, np.zeros(columns.rows, int))

    def lacking(self, columns: Columns, spread: bool) -> dict[Call, Any]:
        """What these rows add to what it has to know of all rows; empty when it knows enough."""
        found = {}
        for call in filter(is_whole, calls_in(self.node)):
            try:
                more = grown(call, columns, self.known, self.where, spread)
            except Pending:  # until a call within its arguments knows enough
                continue
            if more is not None:
                found[call] = more
        return found


@dataclass(frozen=True)
class Recipe:
    """Columns to make, rows to choose, and expressions to evaluate then."""

    transforms: dict[str, Step]
    rows: Step | None
    expressions: tuple[Step, ...]

    @classmethod
    def of(cls, picked: Selection, expressions: tuple[Step, ...]) -> Recipe:
        """The recipe for what `transforms` and `rowSelection` ask."""
        made = {name: (text, f"transforms[{name!r}]") for name, text in picked.transforms.items()}
        return cls(
            {name: Step(parsed(text, where), where) for name, (text, where) in made.items()},
            None if picked.rows is None else Step(parsed(picked.rows, "rowSelection"), "rowSelection"),
            expressions,
        )

    def needs(self, columns: Iterable[str]) -> list[str]:
        """Which columns of the data it takes; RxArgumentError for one that is not there."""
        given = list(columns)
        known = [*given, *self.transforms]
        used = {name: columns_of(step.node, known, step.where) for name, step in self.transforms.items()}
        later = (*self.expressions, *([] if self.rows is None else [self.rows]))
        found = [name for step in later for name in columns_of(step.node, known, step.where)]
        for name in reversed(self.transforms):
            found = [one for one in found if one != name] + (used[name] if name in found else [])
        for name in found:
            check_known(name, given, "transforms")
        return list(dict.fromkeys(found))

    def possible(self, columns: Iterable[str]) -> Recipe:
        """The recipe for data that may have a column itself, and not those that it was made of."""
        known, kept = set(columns), {}
        for name, step in self.transforms.items():
            if known.issuperset(free_names(step.node, known)):
                kept[name] = step
                known.add(name)
        return replace(self, transforms=kept)

    def chosen(self, frame: pd.DataFrame) -> Columns:
        """Make columns and choose rows."""
        columns = Columns(frame)
        for name, step in self.transforms.items():
            columns[name] = step.value(columns)
        return columns if self.rows is None else columns.chosen(self._truth(columns, self.rows))

    def _truth(self, columns: Columns, rows: Step) -> Any:
        found = rows.value(columns)
        if not is_logical(found):
            raise RxArgumentError(f"{rows.where}: it is not true or false, but {kind_of(found)}")
        return found.to_numpy(dtype=bool, na_value=False)

    def lacking(self, spread: bool, frame: pd.DataFrame) -> dict[tuple[int, Call], Any]:
        """What rows add to what functions have to know of all rows, by step and call; empty when they know enough."""
        columns, number = Columns(frame), 0
        for number, (name, step) in enumerate(self.transforms.items(), 1):
            found = step.lacking(columns, spread)
            if found:
                return {(number - 1, call): more for call, more in found.items()}
            columns[name] = step.value(columns)
        if self.rows is not None:
            found = self.rows.lacking(columns, spread)
            if found:
                return {(-1, call): more for call, more in found.items()}
            columns = columns.chosen(self._truth(columns, self.rows))
        return {
            (at, call): more
            for at, step in enumerate(self.expressions, number)
            for call, more in step.lacking(columns, spread).items()
        }

    def taught(self, found: Mapping[tuple[int, Call], Any]) -> Recipe:
        """The recipe that knows these totals of all rows too."""

        def learned_by(step: Step, at: int) -> Step:
            news = {call: (*step.known.get(call, ()), total) for (of, call), total in found.items() if of == at}
            return replace(step, known={**step.known, **news})

        return Recipe(
            {name: learned_by(step, at) for at, (name, step) in enumerate(self.transforms.items())},
            None if self.rows is None else learned_by(self.rows, -1),
            tuple(learned_by(step, at) for at, step in enumerate(self.expressions, len(self.transforms))),
        )

    def learned(self, table: Table) -> Recipe:
        """The recipe that knows what its functions have to know of all rows of a table, which takes some passes."""
        if self.is_plain:
            return self
        known = self
        while True:
            found = table.total(self.needs(table.columns), partial(known.lacking, table.spread), _merged)
            if not found:
                return known
            known = known.taught(found)

    @property
    def is_plain(self) -> bool:
        """Whether no function in it looks at a column as a whole."""
        steps = (*self.transforms.values(), *([] if self.rows is None else [self.rows]), *self.expressions)
        return not any(is_whole(call) for step in steps for call in calls_in(step.node))


def _merged(one: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, Any]:
    return {key: total + other[key] for key, total in one.items()}
