"""Curves on matplotlib's axes: the only file that names matplotlib."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib.dates
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import is_color_like
from matplotlib.legend import Legend

from rxspark.errors import RxArgumentError
from rxspark.plots.curves import Chart, Curve

__all__ = ["PALETTE", "Style", "check_axes", "check_style", "draw"]

# Okabe and Ito's colours, which colour-blind people tell apart too; instead of their yellow, three darker ones.
PALETTE = [
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000"),
    *("#999933", "#332288", "#999999"),
]
# Groups beyond the colours begin anew with another symbol and another line.
_SYMBOLS, _LINES = ("o", "s", "^"), ("-", "--", ":")
# Times as numbers and back; matplotlib gives no types for these two.
_to_number: Callable[[Any], Any] = matplotlib.dates.date2num
_to_time: Callable[[Any], Any] = matplotlib.dates.num2date
# Above so many points symbols are small and let others show through.
_MANY = 2_000


@dataclass(frozen=True)
class Style:
    """Look of the curves, and the texts around them; None leaves it to the data."""

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


def check_style(style: Style) -> None:
    """Refuse colours and sizes that matplotlib would not take, by an RxArgumentError."""
    for name, colors in (("lineColor", style.line_colors), ("symbolColor", style.symbol_colors)):
        wrong = [color for color in _listed(colors) if not is_color_like(color)]
        if wrong:
            raise RxArgumentError(f'{name}={wrong[0]!r}: no colour that matplotlib knows, such as "red" or "#0072B2"')
    for name, limits in (("xlim", style.x_limits), ("ylim", style.y_limits)):
        if limits is not None and (not isinstance(limits, (tuple, list, np.ndarray)) or len(limits) != 2):
            raise RxArgumentError(f"{name}={limits!r}: {name} is a pair, the least and the largest value to show")


def check_axes(axes: Any) -> None:
    """Refuse an `ax` that is no axes of matplotlib, by an RxArgumentError."""
    if axes is not None and not isinstance(axes, Axes):
        raise RxArgumentError(f"ax={axes!r}: ax is an Axes of matplotlib, such as plt.subplots()[1]")


def draw(chart: Chart, style: Style, axes: Axes | None) -> Axes | list[Axes]:
    """Draw the curves: on the axes given, else on those of a figure of their own; one for each panel."""
    looks = _looks(chart, style)
    if len(chart.panels) > 1 or chart.panels[0]:
        if axes is not None:
            raise RxArgumentError("ax: a formula with panels makes axes of its own, one for each; leave ax out")
        return _draw_panels(chart, style, looks)
    if axes is None:
        _, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for curve in chart.curves:
        _draw_curve(axes, curve, style, looks[curve.label])
    _dress(axes, chart, style)
    axes.set(xlabel=_or(style.x_title, chart.x), ylabel=_or(style.y_title, chart.y))
    if style.title is not None:
        axes.set_title(style.title)
    below = "\n".join(filter(None, (style.subtitle, chart.note)))
    if below:
        place: dict[str, Any] = {"xycoords": axes.xaxis.label, "textcoords": "offset points"}
        axes.annotate(below, (0.5, 0), (0, -4), ha="center", va="top", fontsize="small", color="0.3", **place)
    if style.legend and chart.labels:
        _make_plain(
            axes.legend(title=chart.legend or None, loc="upper left", bbox_to_anchor=(1.01, 1), **_legend_look(style))
        )
    return axes


def _draw_panels(chart: Chart, style: Style, looks: dict[str, dict[str, Any]]) -> list[Axes]:
    """Small multiples: a grid of axes with the same scales."""
    count = len(chart.panels)
    across = _across(count)
    down = math.ceil(count / across)
    beside = 1.5 if style.legend and chart.labels else 0.5
    size = (max(6.0, 2.6 * across + beside), max(3.5, 2.3 * down + 1))
    figure, grid = plt.subplots(
        down, across, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    shown = list(grid.flat)[:count]
    for axes in list(grid.flat)[count:]:
        axes.set_visible(False)
    for axes in shown[-across:]:
        axes.tick_params(labelbottom=True)  # the axes below may be one that is not shown
    handles = {}
    for axes, panel in zip(shown, chart.panels, strict=True):
        for curve in chart.curves:
            if curve.panel == panel:
                _draw_curve(axes, curve, style, looks[curve.label])
        _dress(axes, chart, style)
        axes.set_title(panel, fontsize="medium")
        handles.update(dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True)))
    below = (_or(style.x_title, chart.x), style.subtitle, chart.note)
    figure.supxlabel("\n".join(filter(None, below)), fontsize="medium")
    figure.supylabel(_or(style.y_title, chart.y), fontsize="medium")
    if style.title is not None:
        figure.suptitle(style.title)
    if style.legend and chart.labels:
        drawn = [label for label in chart.labels if label in handles]
        title, named = chart.legend or None, [handles[label] for label in drawn]
        _make_plain(figure.legend(named, drawn, title=title, loc="outside right upper", **_legend_look(style)))
    return shown


def _legend_look(style: Style) -> dict[str, Any]:
    """No frame, the title above the names, and room for as much of a line as is drawn."""
    return {"frameon": False, "alignment": "left", "handlelength": 0.8 if style.types == ("p",) else 1.8}


def _across(count: int) -> int:
    """Number of panels in a row: that of a square or one more, whichever leaves fewer places empty."""
    least = math.ceil(math.sqrt(count))
    return min((least, least + 1), key=lambda across: -count % across)


def _make_plain(legend: Legend) -> None:
    """Draw the legend's symbols large and opaque: small and transparent ones are hard to tell apart."""
    for handle in legend.get_lines():
        handle.set_alpha(1)
        handle.set_markersize(max(handle.get_markersize(), 5))


def _dress(axes: Axes, chart: Chart, style: Style) -> None:
    """A quiet frame and grid, the levels of x as ticks, the limits."""
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if chart.ticks:
        every = math.ceil(len(chart.ticks) / 30)
        slanted = sum(map(len, chart.ticks[::every])) > 60
        look: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
        axes.set_xticks(range(0, len(chart.ticks), every), chart.ticks[::every], **look)
    if style.x_limits is not None:
        axes.set_xlim(*style.x_limits)
    if style.y_limits is not None:
        axes.set_ylim(*style.y_limits)


def _looks(chart: Chart, style: Style) -> dict[str, dict[str, Any]]:
    """Colours, symbol and line of each group."""
    labels = chart.labels or [""]
    lines = _colors(style.line_colors, labels, "lineColor")
    symbols = _colors(style.symbol_colors, labels, "symbolColor")
    many = sum(len(curve.x) for curve in chart.curves) > _MANY
    looks = {}
    for number, label in enumerate(labels):
        turn = number // len(PALETTE) % len(_SYMBOLS)
        looks[label] = {
            "line": {"color": lines[number], "linestyle": _LINES[turn], "linewidth": style.line_width},
            "symbol": {
                "color": symbols[number],
                "marker": _SYMBOLS[turn],
                "markersize": style.symbol_size or (2.5 if many else 5),
                "alpha": 0.5 if many else 1,
                "markeredgecolor": "white",  # parts symbols that lie over each other
                "markeredgewidth": 0 if many else 0.5,
            },
        }
    return looks


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


def _or(text: str | None, otherwise: str) -> str:
    return otherwise if text is None else text


def _draw_curve(axes: Axes, curve: Curve, style: Style, look: dict[str, Any]) -> None:
    """Draw one curve in each of the ways that are asked for; the first one names it in the legend."""
    label = curve.label or None
    for kind in style.types:
        x, y, options = _WAYS[kind](curve, look)
        axes.plot(x, y, label=label, **options)
        label = None


def _points(curve: Curve, look: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    return curve.x, curve.y, {**look["symbol"], "linestyle": "none"}


def _line(curve: Curve, look: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    return curve.x, curve.y, look["line"]


def _both(curve: Curve, look: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    faces = {"markerfacecolor": look["symbol"]["color"]}
    return curve.x, curve.y, {**look["symbol"], **look["line"], **faces}


def _steps(curve: Curve, look: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    return curve.x, curve.y, {**look["line"], "drawstyle": "steps-post"}


def _fitted(fit: Callable[[Any, Any], tuple[Any, Any]]) -> Callable[..., tuple[Any, Any, dict[str, Any]]]:
    """A way to draw a curve that `fit` makes of the points."""

    def way(curve: Curve, look: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
        times = curve.x.dtype.kind == "M"
        x = _to_number(curve.x) if times else curve.x
        there = np.isfinite(x) & np.isfinite(curve.y)
        at, y = fit(x[there], curve.y[there])
        return _to_time(at) if times else at, y, look["line"]

    return way


def _regression(x: Any, y: Any) -> tuple[Any, Any]:
    """The ends of the least squares line; nothing of points with one x."""
    if len(np.unique(x)) < 2:
        return np.empty(0), np.empty(0)
    ends = np.array([x.min(), x.max()])
    slope = np.cov(x, y, bias=True)[0, 1] / x.var()
    return ends, y.mean() + slope * (ends - x.mean())


def _loess(x: Any, y: Any) -> tuple[Any, Any]:
    """Local regression at 50 places: straight lines through the nearest two thirds of the points, by their nearness."""
    if len(np.unique(x)) < 2:
        return np.empty(0), np.empty(0)
    near = max(2, math.ceil(len(x) * 2 / 3))
    places = np.linspace(x.min(), x.max(), 50)
    heights = []
    for place in places:
        distance = abs(x - place)
        reach = max(np.partition(distance, near - 1)[near - 1], np.finfo(float).tiny)
        weights = (1 - np.minimum(distance / reach, 1) ** 3) ** 3
        heights.append(_height(x - place, y, weights if weights.any() else distance <= reach))
    return places, np.array(heights)


def _height(x: Any, y: Any, weights: Any) -> float:
    """At 0, the height of the weighted least squares line."""
    mean_x, mean_y = np.average(x, weights=weights), np.average(y, weights=weights)
    spread = np.average((x - mean_x) ** 2, weights=weights)
    slope = np.average((x - mean_x) * (y - mean_y), weights=weights) / spread if spread > 0 else 0.0
    return float(mean_y - slope * mean_x)


_WAYS = {
    "p": _points,
    "l": _line,
    "b": _both,
    "s": _steps,
    "r": _fitted(_regression),
    "smooth": _fitted(_loess),
}
