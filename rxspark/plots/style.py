"""The group_style of curves: arguments of rxLinePlot, checked; colours, symbols and lines of groups."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import is_color_like

from rxspark.errors import RxArgumentError
from rxspark.plots.chart import Chart

__all__ = ["PALETTE", "GroupStyle", "Style", "check_style", "group_styles"]

# Okabe and Ito's colours, which colour-blind people tell apart too; instead of their yellow, three darker ones.
PALETTE = [
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000"),
    *("#999933", "#332288", "#999999"),
]
# Groups beyond the colours begin anew with another symbol and another line.
_SYMBOLS, _LINES = ("o", "s", "^"), ("-", "--", ":")
# Above so many points symbols are small and let others show through.
_MANY_POINTS = 2_000
_LINE_TYPES = ("l", "s", "r", "smooth")


@dataclass(frozen=True)
class Style:
    """The arguments of rxLinePlot that say how curves group_style; None for what follows from the data."""

    types: tuple[str, ...]
    title: str | None
    subtitle: str | None
    x_title: str | None
    y_title: str | None
    x_limits: Any
    y_limits: Any
    legend: bool
    line_colors: Any
    line_width: float
    symbol_colors: Any
    symbol_size: float | None


@dataclass(frozen=True)
class GroupStyle:
    """Properties of the line and the symbols of one group, as matplotlib takes them."""

    line: dict[str, Any]
    symbol: dict[str, Any]


def check_style(style: Style) -> None:
    """Raise RxArgumentError for colours and limits that matplotlib would not take."""
    for name, colors in (("lineColor", style.line_colors), ("symbolColor", style.symbol_colors)):
        wrong = [color for color in _listed(colors) if not is_color_like(color)]
        if wrong:
            raise RxArgumentError(f'{name}={wrong[0]!r}: no colour that matplotlib knows, such as "red" or "#0072B2"')
    for name, limits in (("xlim", style.x_limits), ("ylim", style.y_limits)):
        if limits is not None and (not isinstance(limits, (tuple, list, np.ndarray)) or len(limits) != 2):
            raise RxArgumentError(f"{name}={limits!r}: {name} is a pair, the least and the largest value to show")


def group_styles(chart: Chart, style: Style) -> dict[str, GroupStyle]:
    """Choose the colours, the symbol and the line of each group."""
    labels = chart.labels or [""]
    lines = _colors(style.line_colors, labels, "lineColor")
    symbols = _colors(style.symbol_colors, labels, "symbolColor")
    has_many = sum(len(curve.x) for curve in chart.curves) > _MANY_POINTS
    has_lines = any(kind in _LINE_TYPES for kind in style.types)
    styles = {}
    for number, label in enumerate(labels):
        turn = number // len(PALETTE) % len(_SYMBOLS)
        styles[label] = GroupStyle(
            line={"color": lines[number], "linestyle": _LINES[turn], "linewidth": style.line_width},
            symbol={
                "color": symbols[number],
                "marker": _SYMBOLS[turn],
                "markersize": style.symbol_size or (2.5 if has_many else 5),
                "alpha": 0.5 if has_many or has_lines else 1,  # a curve stands out from the points that it fits
                "markeredgecolor": "white",  # parts symbols that lie over each other
                "markeredgewidth": 0 if has_many else 0.5,
            },
        )
    return styles


def _colors(given: Any, labels: list[str], name: str) -> list[Any]:
    colors = _listed(given)
    if not colors:
        return list(itertools.islice(itertools.cycle(PALETTE), len(labels)))
    if len(colors) not in (1, len(labels)):
        raise RxArgumentError(f"{name}: {len(colors)} colours for {len(labels)} groups; give one, or one for each")
    return colors * len(labels) if len(colors) == 1 else colors


def _listed(colors: Any) -> list[Any]:
    if colors is None:
        return []
    return list(colors) if isinstance(colors, list) else [colors]
