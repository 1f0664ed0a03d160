"""R's functions that make factors: factor, ordered, C, relevel, interaction, cut."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.formula.functions.arguments import (
    flag_argument,
    function_error,
    number_argument,
    text_argument,
)
from rxspark.analysis.formula.functions.totals import ColumnFunction, Levels, Range, Totals
from rxspark.analysis.formula.syntax import number_text
from rxspark.analysis.formula.values import (
    Value,
    as_factor,
    as_factor_or_missing,
    as_numbers,
    as_text,
    is_factor,
    is_logical,
    is_number,
)

__all__ = ["FACTOR_FUNCTIONS"]


@dataclass(frozen=True)
class _Factor(ColumnFunction):
    x: Value
    levels: Value = None
    labels: Value = None
    ordered: Value = None
    exclude: Value = None

    @property
    def passes(self) -> int:
        return int(self.levels is None)

    def collect(self, totals: Totals) -> Levels:
        return Levels.of(self.x)

    def value(self, totals: Totals) -> Value:
        known = totals[0].labels() if self.levels is None else list(as_text(self.levels))
        was_ordered = is_factor(self.x) and self.x.ordered
        is_ordered = flag_argument(self.ordered, "factor(ordered = )", default=was_ordered)
        found = (as_factor if self.levels is None else as_factor_or_missing)(self.x, known, is_ordered)
        if self.labels is None:
            return found
        labels = list(as_text(self.labels))
        if len(labels) != len(known):
            raise function_error(
                "factor", f"{len(labels)} labels do not fit {len(known)} levels, {', '.join(known[:20])}"
            )
        merged = list(dict.fromkeys(labels))
        codes = np.append([merged.index(label) for label in labels], -1)[found.codes]
        return pd.Categorical.from_codes(codes, merged, ordered=is_ordered)


def _ordered(x: Value, levels: Value = None, labels: Value = None) -> _Factor:
    return _Factor(x=x, levels=levels, labels=labels, ordered=pd.array([True], dtype="boolean"))


def _factor_of_contrasts(object: Value) -> _Factor:  # noqa: A002 - R's name
    return _Factor(x=object)


@dataclass(frozen=True)
class _Relevel(ColumnFunction):
    x: Value
    ref: Value

    def collect(self, totals: Totals) -> Levels:
        return Levels.of(self.x)

    def value(self, totals: Totals) -> Value:
        levels = totals[0].labels()
        first = self._reference(levels)
        if first not in levels:
            raise function_error("relevel", f"ref={first!r} is none of the levels, {', '.join(levels[:20])}")
        return as_factor(self.x, [first, *(level for level in levels if level != first)])

    def _reference(self, levels: list[str]) -> str:
        """Read `ref`: a level, or its number as in R."""
        if not is_number(self.ref):
            return text_argument(self.ref, "relevel(ref = )")
        number = int(number_argument(self.ref, "relevel(ref = )"))
        return levels[number - 1] if 1 <= number <= len(levels) else str(number)


class _Interaction(ColumnFunction):
    """Levels that do not occur are dropped by the formula, so that `drop` makes no difference."""

    def __init__(self, *values: Value, sep: Value = None, drop: Value = None, lex_order: Value = None) -> None:
        self.values = values
        self.sep = text_argument(sep, "interaction(sep = )", default=".")
        self.last_varies_first = flag_argument(lex_order, "interaction(lex.order = )", default=False)

    def collect(self, totals: Totals) -> Levels:
        return Levels.of(*self.values)

    def value(self, totals: Totals) -> Value:
        rows = len(self.values[0])
        codes, labels, gaps = np.zeros(rows, int), [""], np.zeros(rows, bool)
        for number, value in enumerate(self.values):
            levels = totals[0].labels(number)
            own = as_factor(value, levels).codes.astype(int)
            gaps |= own < 0
            sep = self.sep if number else ""
            if self.last_varies_first:
                codes = codes * len(levels) + own
                labels = [f"{label}{sep}{level}" for label in labels for level in levels]
            else:
                codes = codes + own * len(labels)
                labels = [f"{label}{sep}{level}" for level in levels for label in labels]
        return pd.Categorical.from_codes(np.where(gaps, -1, codes), labels)


@dataclass(frozen=True)
class _Cut(ColumnFunction):
    x: Value
    breaks: Value
    labels: Value = None
    include_lowest: Value = None
    right: Value = None
    dig_lab: Value = None
    ordered_result: Value = None

    @property
    def passes(self) -> int:
        return int(len(self.breaks) == 1)

    def collect(self, totals: Totals) -> Range:
        return Range.of(as_numbers(self.x, "cut"))

    def value(self, totals: Totals) -> Value:
        breaks = self._breaks(totals)
        x, intervals = as_numbers(self.x, "cut"), len(breaks) - 1
        is_right = flag_argument(self.right, "cut(right = )", default=True)
        has_lowest = flag_argument(self.include_lowest, "cut(include.lowest = )", default=False)
        codes = np.searchsorted(breaks, x, side="left" if is_right else "right") - 1
        if has_lowest:
            edge, code = (breaks[0], 0) if is_right else (breaks[-1], intervals - 1)
            codes = np.where(x == edge, code, codes)
        codes = np.where((codes < 0) | (codes >= intervals) | np.isnan(x), -1, codes)
        if is_logical(self.labels) and not self.labels[0]:
            return np.where(codes < 0, np.nan, codes + 1.0)
        labels = self._labels(breaks, is_right, has_lowest)
        is_ordered = flag_argument(self.ordered_result, "cut(ordered_result = )", default=False)
        return pd.Categorical.from_codes(codes, labels, ordered=is_ordered)

    def _breaks(self, totals: Totals) -> FloatArray:
        """The breaks that are given, or so many of equal width over the range."""
        breaks = np.sort(as_numbers(self.breaks, "cut(breaks = )"))
        if totals:
            low, high = totals[0].low, totals[0].high
            breaks = np.linspace(low, high, int(breaks[0]) + 1)
            # R moves the outer breaks by a thousandth of the range, so that both ends are within.
            breaks[[0, -1]] = low - (high - low) / 1000, high + (high - low) / 1000
        if len(np.unique(breaks)) < len(breaks) or np.isnan(breaks).any():
            raise function_error("cut", f"breaks are distinct numbers, and not {', '.join(map(number_text, breaks))}")
        return breaks

    def _labels(self, breaks: FloatArray, is_right: bool, has_lowest: bool) -> list[str]:
        """The labels that are given, or intervals such as ``(0,2]``."""
        intervals = len(breaks) - 1
        if self.labels is not None:
            labels = list(as_text(self.labels))
            if len(labels) != intervals:
                raise function_error("cut", f"{len(labels)} labels do not fit {intervals} intervals")
            return labels
        opening, closing = ("(", "]") if is_right else ("[", ")")
        labels = [f"{opening}{low},{high}{closing}" for low, high in itertools.pairwise(self._break_labels(breaks))]
        if has_lowest and is_right:
            labels[0] = f"[{labels[0][1:]}"
        elif has_lowest:
            labels[-1] = f"{labels[-1][:-1]}]"
        return labels

    def _break_labels(self, breaks: FloatArray) -> list[str]:
        """Write the breaks with the fewest digits, at least `dig.lab`, that tell them apart."""
        digits = int(number_argument(self.dig_lab, "cut(dig.lab = )", default=3))
        labels: list[str] = []
        for places in range(digits, max(12, digits) + 1):
            labels = [number_text(value) if np.isinf(value) else f"{value:.{places}g}" for value in breaks]
            if len(set(labels)) == len(labels):
                break
        return labels


FACTOR_FUNCTIONS: dict[str, Callable[..., ColumnFunction]] = {
    **dict.fromkeys(("factor", "as.factor", "droplevels"), _Factor),
    **dict.fromkeys(("ordered", "as.ordered"), _ordered),
    "C": _factor_of_contrasts,
    "relevel": _Relevel,
    "interaction": _Interaction,
    "cut": _Cut,
}
