"""Charts on matplotlib's axes: curves, panels, legends, axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import matplotlib.dates
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend

from rxspark.errors import RxArgumentError
from rxspark.plots.chart import Chart, Curve
from rxspark.plots.smoothing import local_regression, regression_line
from rxspark.plots.style import GroupStyle, Style, group_styles

__all__ = ["check_axes", "draw_chart"]

Drawn: TypeAlias = tuple[Any, Any, dict[str, Any]]
"""Arguments of Axes.plot: x, y, and properties."""

_GRID_COLOR = "0.92"
_MOST_TICKS = 30
_SLANTED_FROM = 60  # characters of tick labels in all, from which they would overlap

# Times as numbers and back; matplotlib gives no types for these two.
_to_number: Callable[[Any], Any] = matplotlib.dates.date2num
_to_time: Callable[[Any], Any] = matplotlib.dates.num2date


def check_axes(axes: Any) -> None:
    """Raise RxArgumentError for anything but an Axes of matplotlib."""
    if axes is not None and not isinstance(axes, Axes):
        raise RxArgumentError(f"ax={axes!r}: ax is an Axes of matplotlib, such as plt.subplots()[1]")


def draw_chart(chart: Chart, style: Style, axes: Axes | None) -> Axes | list[Axes]:
    """Draw a chart on the given axes, or on those of a figure of its own; one for each panel."""
    styles = group_styles(chart, style)
    if len(chart.panels) > 1 or chart.panels[0]:
        if axes is not None:
            raise RxArgumentError("ax: a formula with panels makes axes of its own, one for each; leave ax out")
        return _draw_panels(chart, style, styles)
    if axes is None:
        axes = plt.subplots(figsize=(8, 5), layout="constrained")[1]
    _draw_curves(axes, chart, style, styles)
    axes.set(xlabel=_or(style.x_title, chart.x), ylabel=_or(style.y_title, chart.y))
    if style.title is not None:
        axes.set_title(style.title)
    below = "\n".join(filter(None, (style.subtitle, chart.note)))
    if below:
        place: dict[str, Any] = {"xycoords": axes.xaxis.label, "textcoords": "offset points"}
        axes.annotate(below, (0.5, 0), (0, -4), ha="center", va="top", fontsize="small", color="0.3", **place)
    if style.legend and chart.labels:
        legend = axes.legend(
            title=chart.legend or None, loc="upper left", bbox_to_anchor=(1.01, 1), **_legend_look(style)
        )
        _make_opaque(legend)
    return axes


def _draw_panels(chart: Chart, style: Style, styles: dict[str, GroupStyle]) -> list[Axes]:
    """Draw small multiples: a grid of axes with the same scales."""
    count = len(chart.panels)
    across = _panels_across(count)
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
        _draw_curves(axes, chart, style, styles, panel)
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
        _make_opaque(figure.legend(named, drawn, title=title, loc="outside right upper", **_legend_look(style)))
    return shown


def _draw_curves(
    axes: Axes, chart: Chart, style: Style, styles: dict[str, GroupStyle], panel: str | None = None
) -> None:
    """Draw the curves of a panel, or all; then set the grid, the ticks and the limits."""
    for curve in chart.curves:
        if panel is None or curve.panel == panel:
            _draw_curve(axes, curve, style, styles[curve.label])
    axes.grid(color=_GRID_COLOR)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if chart.ticks:
        _name_ticks(axes, chart.ticks)
    elif isinstance(axes.xaxis.get_major_formatter(), matplotlib.dates.AutoDateFormatter):
        _shorten_times(axes)
    if style.x_limits is not None:
        axes.set_xlim(*style.x_limits)
    if style.y_limits is not None:
        axes.set_ylim(*style.y_limits)


def _name_ticks(axes: Axes, levels: list[str]) -> None:
    """Write the levels of a factor at the axis, slanted if they are long."""
    every = math.ceil(len(levels) / _MOST_TICKS)
    shown = levels[::every]
    is_slanted = sum(map(len, shown)) > _SLANTED_FROM
    group_style: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if is_slanted else {}
    axes.set_xticks(range(0, len(levels), every), shown, **group_style)


def _shorten_times(axes: Axes) -> None:
    """Write few times at the axis, and the date or the year that they share once."""
    locator = matplotlib.dates.AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _legend_look(style: Style) -> dict[str, Any]:
    """Set a legend without a frame, with its title above the names and room for as much of a line as is drawn."""
    return {"frameon": False, "alignment": "left", "handlelength": 0.8 if style.types == ("p",) else 1.8}


def _panels_across(count: int) -> int:
    """Choose how many panels stand in a row: those of a square or one more, whichever leaves fewer places empty."""
    least = math.ceil(math.sqrt(count))
    return min((least, least + 1), key=lambda across: -count % across)


def _make_opaque(legend: Legend) -> None:
    """Make symbols that are small or let others show through easy to tell apart in a legend."""
    for handle in legend.get_lines():
        handle.set_alpha(1)
        handle.set_markersize(max(handle.get_markersize(), 5))


def _or(text: str | None, default: str) -> str:
    return default if text is None else text


def _draw_curve(axes: Axes, curve: Curve, style: Style, group_style: GroupStyle) -> None:
    """Draw one curve in each of the ways that are asked for; the first one names it in the legend."""
    label = curve.label or None
    for kind in style.types:
        x, y, properties = _WAYS[kind](curve, group_style)
        axes.plot(x, y, label=label, **properties)
        label = None


def _points(curve: Curve, group_style: GroupStyle) -> Drawn:
    return curve.x, curve.y, {**group_style.symbol, "linestyle": "none"}


def _line(curve: Curve, group_style: GroupStyle) -> Drawn:
    return curve.x, curve.y, group_style.line


def _both(curve: Curve, group_style: GroupStyle) -> Drawn:
    return curve.x, curve.y, {**group_style.symbol, **group_style.line, "markerfacecolor": group_style.symbol["color"]}


def _steps(curve: Curve, group_style: GroupStyle) -> Drawn:
    return curve.x, curve.y, {**group_style.line, "drawstyle": "steps-post"}


def _fitted(fit: Callable[[Any, Any], tuple[Any, Any]]) -> Callable[[Curve, GroupStyle], Drawn]:
    """Make a way to draw the curve that `fit` finds for the points."""

    def way(curve: Curve, group_style: GroupStyle) -> Drawn:
        is_time = curve.x.dtype.kind == "M"
        x = _to_number(curve.x) if is_time else curve.x
        finite = np.isfinite(x) & np.isfinite(curve.y)
        fitted_x, fitted_y = fit(x[finite], curve.y[finite])
        return _to_time(fitted_x) if is_time else fitted_x, fitted_y, group_style.line

    return way


_WAYS: dict[str, Callable[[Curve, GroupStyle], Drawn]] = {
    "p": _points,
    "l": _line,
    "b": _both,
    "s": _steps,
    "r": _fitted(regression_line),
    "smooth": _fitted(local_regression),
}
