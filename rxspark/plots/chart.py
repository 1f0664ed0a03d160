"""Points of each curve of a plot, by formula, groups and panels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.data.sources import Selection, check_column, is_spark
from rxspark.analysis.data.tables import LocalTable, Table
from rxspark.analysis.formula.expressions import columns_of
from rxspark.analysis.formula.functions.totals import Levels
from rxspark.analysis.formula.recipe import Recipe, Step
from rxspark.analysis.formula.syntax import Call, Name, Node, deparse, parse_expression
from rxspark.analysis.formula.values import Columns, as_factor
from rxspark.errors import RxArgumentError

__all__ = ["Chart", "Curve", "chart_of"]

# Groups and panels that a reader can tell apart; rows of Spark data that a plot shows.
MOST_GROUPS, MOST_PANELS, MOST_ROWS = 30, 30, 10_000

_GROUPS = "(groups)"


@dataclass(frozen=True)
class Curve:
    """Points of one group in one panel."""

    panel: str
    label: str
    """Its group; "" without groups."""
    x: Any
    y: Any


@dataclass(frozen=True)
class Chart:
    """Curves, labels and notes of one plot."""

    curves: list[Curve]
    panels: list[str]
    labels: list[str]
    """The groups, in their order; empty without groups."""
    legend: str
    """Name of the column that makes the groups."""
    x: str
    y: str
    ticks: list[str]
    """The levels of x where it is text or a factor: its values are their numbers."""
    note: str
    """Note below the plot, such as that it shows a sample of the rows."""


@dataclass(frozen=True)
class _Formula:
    """A formula ``y1 + y2 ~ x | panel1 + panel2``, parsed."""

    text: str
    ys: tuple[Node, ...]
    x: Node
    panels: tuple[Node, ...]

    @property
    def where(self) -> str:
        """Its name in errors."""
        return f"formula={self.text!r}"

    def steps(self, columns: list[str], groups: Node | None) -> tuple[Step, ...]:
        """Read its expressions: the ys, x, the panels and the groups; RxArgumentError for one that names no column."""
        for node in (*self.ys, self.x, *self.panels):
            if not columns_of(node, columns, self.where):
                raise RxArgumentError(f"{self.where}: {deparse(node)!r} names no column")
        found = tuple(Step(node, self.where) for node in (*self.ys, self.x, *self.panels))
        return found if groups is None else (*found, Step(groups, "groups"))


def chart_of(formula: Any, data: Any, groups: Any, selection: Selection, sort: bool) -> Chart:
    """Evaluate the formula of a plot on data; `sort` orders Spark's rows, which have no order, by x."""
    table = _open(data)
    known = [*table.columns, *selection.transforms]
    parsed = _parse(formula)
    if isinstance(groups, str):
        check_column(groups, known, f"groups={groups!r}")
    elif groups is not None:
        table, known = _with_groups(table, groups), [*known, _GROUPS]
    named = None if groups is None else Name(groups if isinstance(groups, str) else _GROUPS)
    recipe = Recipe.of(selection, parsed.steps(known, named))
    frame, note = _evaluate(recipe, table, MOST_ROWS if table.is_distributed else None)
    points, ticks = _point_table(parsed, frame, groups)
    if table.is_distributed and sort:
        points = points.sort_values("x", kind="stable")
    legend = groups if isinstance(groups, str) else getattr(groups, "name", None)
    panels = [str(level) for level in points["panel"].cat.categories]
    labels = [str(level) for level in points["label"].cat.categories]
    _check_count(parsed.where, "panels", panels, MOST_PANELS)
    _check_count("groups", "groups", labels, MOST_GROUPS)
    curves = [
        Curve(panel=str(panel), label=str(label), x=part["x"].to_numpy(), y=part["y"].to_numpy())
        for (panel, label), part in points.groupby(["panel", "label"], observed=True)
    ]
    shown = labels if groups is not None or len(parsed.ys) > 1 else []
    return Chart(
        curves=curves,
        panels=panels,
        labels=shown,
        legend=str(legend or ""),
        x=_label(parsed.x),
        y=" + ".join(map(_label, parsed.ys)),
        ticks=ticks,
        note=note,
    )


def _label(node: Node) -> str:
    return deparse(node).replace("`", "")


def _parse(text: Any) -> _Formula:
    if not isinstance(text, str):
        raise RxArgumentError(f'formula={text!r}: a formula is text, such as "y ~ x"')
    tree = parse_expression(text, f"formula={text!r}", formula=True)
    if not isinstance(tree, Call) or tree.function != "~" or len(tree.args) != 2:
        raise RxArgumentError(f'formula={text!r}: a formula of a plot has two sides, "y ~ x" or "y ~ x | panels"')
    x, *given = _split(tree.args[1].node, "|")
    if len(given) > 1:
        raise RxArgumentError(f'formula={text!r}: a formula of a plot is of the form "y ~ x" or "y ~ x | panels"')
    panels = tuple(_split(given[0], "+")) if given else ()
    return _Formula(text, tuple(_split(tree.args[0].node, "+")), x, panels)


def _split(node: Node, operator: str) -> list[Node]:
    """List the expressions that an operator joins."""
    match node:
        case Call(function, (left, right)) if function == operator:
            return [*_split(left.node, operator), *_split(right.node, operator)]
    return [node]


def _open(data: Any) -> Table:
    if is_spark(data):
        from rxspark.analysis.data.spark_tables import SparkTable

        return SparkTable(data)
    return LocalTable(data, "rxLinePlot")


def _with_groups(table: Table, groups: Any) -> LocalTable:
    """Add a column of groups that are given beside the data."""
    if not isinstance(table, LocalTable):
        raise RxArgumentError("groups: for data of Spark it is the name of a column, as their rows have no order")
    frame = table.frame(table.columns)
    try:
        values = list(groups)
    except TypeError:
        raise RxArgumentError(
            f"groups={groups!r}: groups is the name of a column, or a value for each row of the data"
        ) from None
    if len(values) != len(frame):
        raise RxArgumentError(f"groups: it has {len(values)} values, and the data have {len(frame)} rows")
    column = pd.Series(pd.Categorical(groups) if _is_factor(groups) else values, frame.index)
    return LocalTable(frame.assign(**{_GROUPS: column}), "rxLinePlot")


@dataclass(frozen=True)
class _Sample:
    """A sample of rows: those with the least hashes, the same ones however the rows are divided."""

    count: int
    keys: Any
    frame: pd.DataFrame
    most: int

    def __add__(self, other: _Sample) -> _Sample:
        keys = np.concatenate([self.keys, other.keys])
        frame = pd.concat([self.frame, other.frame], ignore_index=True)
        return _Sample(self.count + other.count, keys, frame, self.most).cut()

    def cut(self) -> _Sample:
        """Cut the sample to the rows that are wanted."""
        if len(self.keys) <= self.most:
            return self
        least = np.sort(np.argsort(self.keys, kind="stable")[: self.most])
        return _Sample(self.count, self.keys[least], self.frame.iloc[least], self.most)


def _sample(recipe: Recipe, most: int | None, frame: pd.DataFrame) -> _Sample:
    columns = recipe.apply(frame)
    values = [pd.Series(value) for value in recipe.values(columns)]
    found = pd.DataFrame(dict(enumerate(values)), range(columns.rows))
    if most is None:
        return _Sample(len(found), np.zeros(0), found, len(found))
    return _Sample(len(found), pd.util.hash_pandas_object(found, index=False).to_numpy(), found, most).cut()


def _evaluate(recipe: Recipe, table: Table, most: int | None) -> tuple[pd.DataFrame, str]:
    """Evaluate a recipe's expressions for at most so many rows; and write a note if these are a sample."""
    needed = recipe.required_columns(table.columns)
    recipe = recipe.prepared(table)
    found = table.aggregate(needed, partial(_sample, recipe, most), _Sample.__add__)
    if found is None:
        return pd.DataFrame(columns=range(len(recipe.expressions))), ""
    shown = len(found.frame)
    return found.frame, f"a random sample: {shown:,} of {found.count:,} rows" if shown < found.count else ""


def _is_factor(values: Any) -> bool:
    return isinstance(getattr(values, "dtype", None), pd.CategoricalDtype)


def _point_table(formula: _Formula, frame: pd.DataFrame, groups: Any) -> tuple[pd.DataFrame, list[str]]:
    """Make a table with a row for each point: x, y, label of the group, panel; and the levels of x."""
    if frame.empty:
        raise RxArgumentError(f"{formula.where}: there are no rows to plot; data or rowSelection leave none")
    series = [frame[number] for number in range(frame.shape[1])]
    first = len(formula.ys)
    x, ticks = _x_positions(series[first], formula)
    panels = _factors([*map(_label, formula.panels)], series[first + 1 :], frame)
    label = _factor(series[-1]) if groups is not None else _constant("", frame)
    if groups is not None and len(formula.ys) > 1:
        raise RxArgumentError(f"{formula.where}: with several responses groups is not for use, as these are the groups")
    parts = []
    names = [*map(_label, formula.ys)]
    for name, values in zip(names, series, strict=False):
        y = _numbers(values, name, formula.where)
        named = label if len(names) == 1 else _constant(name, frame, names)
        parts.append(pd.DataFrame({"x": x.to_numpy(), "y": y, "label": named.array, "panel": panels.array}))
    table = pd.concat(parts, ignore_index=True).dropna(subset=["label", "panel"])
    if not (table["x"].notna() & table["y"].notna()).any():
        raise RxArgumentError(f"{formula.where}: no point is left of {len(frame)} rows; the others lack values")
    for name in ("label", "panel"):
        table[name] = table[name].cat.remove_unused_categories()
    return table, ticks


def _constant(value: str, frame: pd.DataFrame, levels: Iterable[str] = ("",)) -> pd.Series:
    return pd.Series(pd.Categorical([value] * len(frame), list(levels)), index=frame.index)


def _factor(values: pd.Series) -> pd.Series:
    """Make a factor of any values, its levels in their order."""
    value = Columns(values.to_frame("x"))["x"]
    return pd.Series(as_factor(value, Levels.of(value).labels()), values.index)


def _factors(names: list[str], series: list[pd.Series], frame: pd.DataFrame) -> pd.Series:
    """Join several factors to one, with levels such as ``name = level``."""
    if not names:
        return _constant("", frame)
    parts = [_factor(values) for _, values in zip(names, series, strict=False)]
    joined = pd.DataFrame({str(number): part.array for number, part in enumerate(parts)}, index=frame.index)
    numbers = joined.groupby(list(joined), observed=True).ngroup()
    levels = joined.assign(number=numbers)[numbers >= 0].drop_duplicates("number").sort_values("number")
    joined_levels = [
        ", ".join(f"{name} = {level}" for name, level in zip(names, row, strict=True))
        for row in levels.drop(columns="number").itertuples(index=False)
    ]
    return pd.Series(pd.Categorical.from_codes(numbers.fillna(-1).astype(int), joined_levels), index=frame.index)


def _numbers(values: pd.Series, text: str, where: str) -> Any:
    """Convert values to floats, infinite ones to missing; RxArgumentError if they are not numbers."""
    plain = values.infer_objects()
    if plain.dtype == object and _inferred_as(plain, ("decimal", "integer", "empty")):
        plain = pd.to_numeric(plain, errors="coerce")
    if not pd.api.types.is_numeric_dtype(plain) or pd.api.types.is_complex_dtype(plain):
        first = next(iter(values.dropna()), None)
        raise RxArgumentError(f"{where}: {text!r} has values such as {first!r}, which are no numbers")
    numbers = plain.to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _x_positions(values: pd.Series, formula: _Formula) -> tuple[pd.Series, list[str]]:
    """Find positions on the axis: numbers, times, or the numbers of levels; and these levels."""
    if pd.api.types.is_datetime64_any_dtype(values) or _inferred_as(values, ("date", "datetime", "datetime64")):
        return pd.to_datetime(values), []
    if isinstance(values.dtype, pd.CategoricalDtype) or _inferred_as(values, ("string",)):
        levels = _factor(values)
        codes = levels.cat.codes.to_numpy(dtype=float)
        return pd.Series(np.where(codes < 0, np.nan, codes)), [str(level) for level in levels.cat.categories]
    return pd.Series(_numbers(values, _label(formula.x), formula.where)), []


def _inferred_as(values: pd.Series, kinds: tuple[str, ...]) -> bool:
    return pd.api.types.infer_dtype(values, skipna=True) in kinds


def _check_count(where: str, what: str, levels: list[str], most: int) -> None:
    if len(levels) > most:
        raise RxArgumentError(
            f"{where}: {len(levels):,} {what} are more than a plot can show ({most}); choose some by rowSelection"
        )
