"""What a plot shows: the points of each curve, by formula, groups and panels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.expressions import backquoted, check_known, names_in
from rxspark.analysis.frames import factor, selected, value_of
from rxspark.analysis.sources import Selection, is_spark, local_columns, local_frame
from rxspark.errors import RxArgumentError

__all__ = ["Chart", "Curve", "chart_of"]

# Groups and panels that a reader can tell apart; rows of Spark data that a plot shows.
MOST_GROUPS, MOST_PANELS, MOST_ROWS = 30, 30, 10_000

_GROUPS = "(groups)"


@dataclass(frozen=True)
class Curve:
    """The points of one group in one panel."""

    panel: str
    label: str
    """Its group; "" without groups."""
    x: Any
    y: Any


@dataclass(frozen=True)
class Chart:
    """All that a plot shows."""

    curves: list[Curve]
    panels: list[str]
    labels: list[str]
    """The groups, in their order; empty without groups."""
    legend: str
    """What the groups are groups of."""
    x: str
    y: str
    ticks: list[str]
    """The levels of x where it is text or a factor: its values are their numbers."""
    note: str
    """What is not as it seems: a sample in place of all rows."""


@dataclass(frozen=True)
class _Formula:
    """``y1 + y2 ~ x | panel1 + panel2``, taken apart into expressions."""

    text: str
    ys: tuple[str, ...]
    x: str
    panels: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"formula={self.text!r}"

    def columns(self, known: list[str]) -> list[str]:
        """The columns that it needs; RxArgumentError for one that is not there."""
        found = []
        for expression in (*self.ys, self.x, *self.panels):
            names = [expression] if expression in known else names_in(expression, self.where)
            if not names:
                raise RxArgumentError(f"{self.where}: {expression!r} names no column")
            for name in names:
                check_known(name, known, self.where)
            found += names
        return found


def chart_of(formula: Any, data: Any, groups: Any, picked: Selection, sort: bool) -> Chart:
    """Look up what a formula names in the data; `sort` is whether the order of Spark's rows, which is none, shows."""
    spark = is_spark(data)
    known = [*(data.columns if spark else local_columns(data, "rxLinePlot")), *picked.transforms]
    parsed = _parsed(formula, known)
    needed = parsed.columns(known)
    if isinstance(groups, str):
        check_known(groups, known, f"groups={groups!r}")
        needed.append(groups)
    if spark:
        frame, note = _of_spark(data, needed, groups, picked)
    else:
        frame, note = _of_here(data, needed, groups, picked), ""
    table, ticks = _table(parsed, frame, groups)
    if spark and sort:
        table = table.sort_values("x", kind="stable")
    legend = groups if isinstance(groups, str) else getattr(groups, "name", None)
    panels = [str(level) for level in table["panel"].cat.categories]
    labels = [str(level) for level in table["label"].cat.categories]
    _refuse_many(parsed.where, "panels", panels, MOST_PANELS)
    _refuse_many("groups", "groups", labels, MOST_GROUPS)
    curves = [
        Curve(str(panel), str(label), part["x"].to_numpy(), part["y"].to_numpy())
        for (panel, label), part in table.groupby(["panel", "label"], observed=True)
    ]
    shown = labels if groups is not None or len(parsed.ys) > 1 else []
    y = " + ".join(parsed.ys).replace("`", "")
    return Chart(curves, panels, shown, str(legend or ""), parsed.x.replace("`", ""), y, ticks, note)


def _parsed(text: Any, columns: list[str]) -> _Formula:
    if not isinstance(text, str):
        raise RxArgumentError(f'formula={text!r}: a formula is text, such as "y ~ x"')
    sides = _split(backquoted(text, columns), "~")
    if len(sides) != 2 or not all(sides):
        raise RxArgumentError(f'formula={text!r}: a formula of a plot has two sides, "y ~ x" or "y ~ x | panels"')
    x, *given = _split(sides[1], "|")
    ys = _split(sides[0], "+")
    panels = _split(given[0], "+") if given else []
    if len(given) > 1 or not all((x, *ys, *panels)):
        raise RxArgumentError(f'formula={text!r}: a formula of a plot is of the form "y ~ x" or "y ~ x | panels"')
    return _Formula(text, tuple(map(_bare, ys)), _bare(x), tuple(map(_bare, panels)))


def _split(text: str, letter: str) -> list[str]:
    """The parts of a text between a letter, where that stands neither in brackets nor in quotes."""
    parts, depth, quote = [""], 0, ""
    for one in text:
        if quote or one in "`'\"":
            quote = "" if one == quote else quote or one
        depth += (one in "([") - (one in ")]")
        if one == letter and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += one
    return [part.strip() for part in parts]


def _bare(expression: str) -> str:
    """A name alone without its backquotes."""
    inner = expression[1:-1]
    return inner if expression == f"`{inner}`" and "`" not in inner else expression


def _of_here(data: Any, needed: list[str], groups: Any, picked: Selection) -> pd.DataFrame:
    """The rows and columns of local data, groups that are no column among them."""
    if groups is None or isinstance(groups, str):
        return selected(data, needed, picked)
    names = [*needed, *picked.needs(local_columns(data, "rxLinePlot"))]
    frame = local_frame(data, [name for name in names if name not in picked.transforms])
    try:
        values = list(groups)
    except TypeError:
        raise RxArgumentError(
            f"groups={groups!r}: groups is the name of a column, or a value for each row of the data"
        ) from None
    if len(values) != len(frame):
        raise RxArgumentError(f"groups: it has {len(values)} values, and the data have {len(frame)} rows")
    column = pd.Series(pd.Categorical(groups) if _is_factor(groups) else values, index=frame.index)
    return selected(frame.assign(**{_GROUPS: column}), [*needed, _GROUPS], picked)


def _is_factor(values: Any) -> bool:
    return isinstance(getattr(values, "dtype", None), pd.CategoricalDtype)


def _of_spark(data: Any, needed: list[str], groups: Any, picked: Selection) -> tuple[pd.DataFrame, str]:
    """As many rows of a Spark DataFrame as a plot can show, and what is to be said of them."""
    from rxspark.analysis.spark_frames import sampled, spark_selected

    if groups is not None and not isinstance(groups, str):
        raise RxArgumentError("groups: for data of Spark it is the name of a column, as their rows have no order")
    frame, count = sampled(spark_selected(data, needed, picked), MOST_ROWS)
    return frame, f"a random sample: {len(frame):,} of {count:,} rows" if len(frame) < count else ""


def _table(formula: _Formula, frame: pd.DataFrame, groups: Any) -> tuple[pd.DataFrame, list[str]]:
    """One row for each point: x, y, the group's label, the panel."""
    if frame.empty:
        raise RxArgumentError(f"{formula.where}: there are no rows to plot; data or rowSelection leave none")
    x, ticks = _places(pd.Series(value_of(formula.x, frame, formula.where)), formula)
    panels = _factors(formula.panels, frame, formula.where)
    label = factor(frame[_GROUPS if _GROUPS in frame else groups]) if groups is not None else _constant("", frame)
    if groups is not None and len(formula.ys) > 1:
        raise RxArgumentError(f"{formula.where}: with several responses groups is not for use, as these are the groups")
    parts = []
    for text in formula.ys:
        y = _numbers(pd.Series(value_of(text, frame, formula.where)), text, formula.where)
        named = label if len(formula.ys) == 1 else _constant(text.replace("`", ""), frame, formula.ys)
        parts.append(pd.DataFrame({"x": x.to_numpy(), "y": y, "label": named.array, "panel": panels.array}))
    table = pd.concat(parts, ignore_index=True).dropna(subset=["label", "panel"])
    if not (table["x"].notna() & table["y"].notna()).any():
        raise RxArgumentError(f"{formula.where}: no point is left of {len(frame)} rows; the others lack values")
    for name in ("label", "panel"):
        table[name] = table[name].cat.remove_unused_categories()
    return table, ticks


def _constant(value: str, frame: pd.DataFrame, levels: Iterable[str] = ("",)) -> pd.Series:
    known = [level.replace("`", "") for level in levels]
    return pd.Series(pd.Categorical([value] * len(frame), known), index=frame.index)


def _factors(expressions: tuple[str, ...], frame: pd.DataFrame, where: str) -> pd.Series:
    """The combinations of several factors as one, each level as ``name = level``."""
    if not expressions:
        return _constant("", frame)
    names = [text.replace("`", "") for text in expressions]
    parts = [factor(pd.Series(value_of(text, frame, where), index=frame.index)) for text in expressions]
    joined = pd.DataFrame({str(number): part.array for number, part in enumerate(parts)}, index=frame.index)
    numbers = joined.groupby(list(joined), observed=True).ngroup()
    levels = joined.assign(number=numbers)[numbers >= 0].drop_duplicates("number").sort_values("number")
    told = [
        ", ".join(f"{name} = {level}" for name, level in zip(names, row, strict=True))
        for row in levels.drop(columns="number").itertuples(index=False)
    ]
    return pd.Series(pd.Categorical.from_codes(numbers.fillna(-1).astype(int), told), index=frame.index)


def _numbers(values: pd.Series, text: str, where: str) -> Any:
    """Values as floats, what is infinite as missing; RxArgumentError when they are no numbers."""
    plain = values.infer_objects()
    if plain.dtype == object and _are(plain, ("decimal", "integer", "empty")):
        plain = pd.to_numeric(plain, errors="coerce")
    if not pd.api.types.is_numeric_dtype(plain) or pd.api.types.is_complex_dtype(plain):
        first = next(iter(values.dropna()), None)
        raise RxArgumentError(f"{where}: {text!r} has values such as {first!r}, which are no numbers")
    numbers = plain.to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _places(values: pd.Series, formula: _Formula) -> tuple[pd.Series, list[str]]:
    """Where values lie on the axis: numbers, times, or the numbers of their levels, which are given too."""
    if pd.api.types.is_datetime64_any_dtype(values) or _are(values, ("date", "datetime", "datetime64")):
        return pd.to_datetime(values), []
    if isinstance(values.dtype, pd.CategoricalDtype) or _are(values, ("string",)):
        levels = factor(values)
        codes = levels.cat.codes.to_numpy(dtype=float)
        return pd.Series(np.where(codes < 0, np.nan, codes)), [str(level) for level in levels.cat.categories]
    return pd.Series(_numbers(values, formula.x, formula.where)), []


def _are(values: pd.Series, kinds: tuple[str, ...]) -> bool:
    return pd.api.types.infer_dtype(values, skipna=True) in kinds


def _refuse_many(where: str, what: str, levels: list[str], most: int) -> None:
    if len(levels) > most:
        raise RxArgumentError(
            f"{where}: {len(levels):,} {what} are more than a plot can show ({most}); choose some by rowSelection"
        )
