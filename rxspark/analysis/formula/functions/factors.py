"""R's functions that make factors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rxspark.analysis.formula.functions.arguments import flag, number, one_of, refused
from rxspark.analysis.formula.functions.elementwise import cut_at
from rxspark.analysis.formula.functions.totals import ColumnFunction, Extremes, Levels, Totals
from rxspark.analysis.formula.values import Value, as_factor, as_numbers, as_text, chosen_factor, is_factor, is_number

__all__ = ["FACTOR_FUNCTIONS"]


def _factor(
    totals: Totals, x: Value, levels: Value = None, labels: Value = None, ordered: Value = None, exclude: Value = None
) -> Value:
    known = totals[0].labels() if levels is None else list(as_text(levels))
    order = is_factor(x) and x.ordered if ordered is None else flag(ordered, "factor(ordered = )")
    found = (as_factor if levels is None else chosen_factor)(x, known, order)
    if labels is None:
        return found
    names = list(as_text(labels))
    if len(names) != len(known):
        raise refused("factor", f"{len(names)} labels do not fit {len(known)} levels, {', '.join(known[:20])}")
    merged = list(dict.fromkeys(names))
    codes = np.append([merged.index(name) for name in names], -1)[found.codes]
    return pd.Categorical.from_codes(codes, merged, ordered=order)


def _ordered(totals: Totals, x: Value, levels: Value = None, labels: Value = None) -> Value:
    return _factor(totals, x, levels, labels, pd.array([True], dtype="boolean"))


def _contrasted(totals: Totals, object: Value) -> Value:  # noqa: A002 - R's name
    return _factor(totals, object)


def _relevel(totals: Totals, x: Value, ref: Value) -> Value:
    levels = totals[0].labels()
    if is_number(ref):  # its place, as in R
        at = int(number(ref, "relevel(ref = )"))
        first = levels[at - 1] if 1 <= at <= len(levels) else str(at)
    else:
        first = one_of(ref, "relevel(ref = )")
    if first not in levels:
        raise refused("relevel", f"ref={first!r} is none of the levels, {', '.join(levels[:20])}")
    return as_factor(x, [first, *(level for level in levels if level != first)])


def _interaction(
    totals: Totals, *values: Value, sep: Value = None, drop: Value = None, lex_order: Value = None
) -> Value:
    """Levels that do not occur are dropped by the formula, so that `drop` makes no difference."""
    between = "." if sep is None else one_of(sep, "interaction(sep = )")
    last_first = lex_order is not None and flag(lex_order, "interaction(lex.order = )")
    levels = [totals[0].labels(at) for at in range(len(values))]
    codes, names = np.zeros(len(values[0]), int), [""]
    gaps = np.zeros(len(values[0]), bool)
    for at, (value, known) in enumerate(zip(values, levels, strict=True)):
        own = as_factor(value, known).codes.astype(int)
        gaps |= own < 0
        joined = [[f"{name}{between if at else ''}{level}" for name in names] for level in known]
        codes = codes * len(known) + own if last_first else codes + own * len(names)
        names = [one for row in (zip(*joined, strict=True) if last_first else joined) for one in row]
    return pd.Categorical.from_codes(np.where(gaps, -1, codes), names)


def _cut(
    totals: Totals,
    x: Value,
    breaks: Value,
    labels: Value = None,
    include_lowest: Value = None,
    right: Value = None,
    dig_lab: Value = None,
    ordered_result: Value = None,
) -> Value:
    edges = as_numbers(breaks, "cut(breaks = )")
    if totals:
        low, high = totals[0].low, totals[0].high
        edges = np.linspace(low, high, int(edges[0]) + 1)
        edges[[0, -1]] = low - (high - low) / 1000, high + (high - low) / 1000
    return cut_at(
        as_numbers(x, "cut"),
        edges,
        labels,
        include_lowest is not None and flag(include_lowest, "cut(include.lowest = )"),
        right is None or flag(right, "cut(right = )"),
        3 if dig_lab is None else int(number(dig_lab, "cut(dig.lab = )")),
        ordered_result is not None and flag(ordered_result, "cut(ordered_result = )"),
    )


def _cut_passes(x: Value, breaks: Value, **named: Value) -> int:
    return int(len(breaks) == 1)


def _levels(totals: Totals, x: Value, *values: Value, **named: Value) -> Levels:
    return Levels.of(x)


def _levels_of_object(totals: Totals, object: Value) -> Levels:  # noqa: A002 - R's name
    return Levels.of(object)


def _unless_given(x: Value, levels: Value = None, *values: Value, **named: Value) -> int:
    return int(levels is None)


FACTOR_FUNCTIONS: dict[str, ColumnFunction] = {
    **dict.fromkeys(("factor", "as.factor", "droplevels"), ColumnFunction(_factor, _levels, _unless_given)),
    **dict.fromkeys(("ordered", "as.ordered"), ColumnFunction(_ordered, _levels, _unless_given)),
    "C": ColumnFunction(_contrasted, _levels_of_object),
    "relevel": ColumnFunction(_relevel, _levels),
    "interaction": ColumnFunction(_interaction, lambda totals, *values, **named: Levels.of(*values)),
    "cut": ColumnFunction(_cut, lambda totals, x, *values, **named: Extremes.of(as_numbers(x, "cut")), _cut_passes),
}
"""Functions that make factors."""
