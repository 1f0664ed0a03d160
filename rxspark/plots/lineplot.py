"""rxLinePlot: lines and points by a formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rxspark.analysis.data.sources import check_selection, require_libraries
from rxspark.errors import RxArgumentError, closest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["rxLinePlot"]

TYPES = {
    "l": "lines",
    "p": "points",
    "b": "both",
    "s": "steps",
    "r": "a regression line",
    "smooth": "a local regression curve",
}


def rxLinePlot(
    formula: str,
    data: Any,
    groups: Any = None,
    type: str | Sequence[str] = "l",  # noqa: A002 - RevoScaleR's name
    rowSelection: str | None = None,
    transforms: Mapping[str, str] | None = None,
    title: str | None = None,
    subtitle: str | None = None,
    xTitle: str | None = None,
    yTitle: str | None = None,
    xlim: Any = None,
    ylim: Any = None,
    legend: bool = True,
    lineColor: Any = None,
    lineWidth: float = 2.0,
    symbolColor: Any = None,
    symbolSize: float | None = None,
    ax: Any = None,
) -> Axes | list[Axes]:
    """Plot y against x, as lines, points or both, with a colour for each group.

    Lines join the points in the order of the rows, as in R; those of Spark data, which have no order, in that of x, and
    of more than 10,000 rows of these a random sample is shown, with a note below the plot.

    Parameters
    ----------
    formula : str
        ``"y ~ x"``; both sides can be expressions (``"log(y) ~ sqrt(x)"``). ``"y1 + y2 ~ x"`` draws two curves, and
        ``"y ~ x | g"`` a panel for each level of g. x is numbers, times or text.
    data : pandas.DataFrame, dict of columns, Arrow table, path of a Parquet file, or Spark DataFrame
        The data; points that lack a value are left out.
    groups : str or a value for each row, optional
        The column (or a list, an array, a Series) that tells which curve a row belongs to; 30 curves at most.
    type : str or list of str, default "l"
        "l" lines, "p" points, "b" both, "s" steps, "r" a regression line, "smooth" a local regression curve (straight
        lines through the nearest two thirds of the points). Several are drawn over each other: ``["p", "smooth"]``.
    rowSelection : str, optional
        An expression over columns that is true for the rows to use: ``"age > 30 & state == 'NY'"``.
    transforms : dict of str, optional
        Columns to make first, by expressions over the others: ``{"z": "log(x)"}``.
    title, subtitle : str, optional
        The text above the plot, and the one below it.
    xTitle, yTitle : str, optional
        The texts at the axes; default: the two sides of the formula.
    xlim, ylim : pair, optional
        The least and the largest value to show; default: those of the data.
    legend : bool, default True
        Whether to name the groups, beside the plot.
    lineColor : colour or list of colours, optional
        One for all groups, or one for each; default: ten that colour-blind people tell apart.
    lineWidth : float, default 2.0
        In points (1/72 inch).
    symbolColor : colour or list of colours, optional
        As `lineColor`.
    symbolSize : float, optional
        In points; default 5, with more than 2,000 points 2.5.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default: a new figure of pyplot, which a notebook shows. A figure with ``layout="constrained"``
        keeps room for the legend.

    Returns
    -------
    matplotlib.axes.Axes
        To change or save the plot by: ``rxLinePlot(...).figure.savefig("plot.png")``. A list of them for panels.

    Raises
    ------
    RxArgumentError
        For a formula that is none, a column that is not there or holds no numbers, data without rows, too many groups.
    RxMissingError
        When matplotlib is not installed: the extra ``plots``.

    References
    ----------
    Cleveland, W. S. (1979). Robust locally weighted regression and smoothing scatterplots. Journal of the American
    Statistical Association 74, 829-836.

    Okabe, M. and Ito, K. (2008). Color universal design. https://jfly.uni-koeln.de/color/

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from rxspark import rxLinePlot
    >>> data = {"people": [10, 20, 30], "p": [0.12, 0.41, 0.71]}
    >>> axes = rxLinePlot("p ~ people", data, type="b", yTitle="probability of a shared birthday")
    >>> axes.get_xlabel(), axes.lines[0].get_ydata().tolist()
    ('people', [0.12, 0.41, 0.71])
    """
    with require_libraries("rxLinePlot", "plots"):
        from rxspark.plots.chart import chart_of
        from rxspark.plots.drawing import check_axes, draw_chart
        from rxspark.plots.style import Style, check_style
    kinds = _types(type)
    selection = check_selection(rowSelection, transforms)
    style = Style(
        types=kinds,
        title=title,
        subtitle=subtitle,
        x_title=xTitle,
        y_title=yTitle,
        x_limits=xlim,
        y_limits=ylim,
        legend=legend,
        line_colors=lineColor,
        line_width=lineWidth,
        symbol_colors=symbolColor,
        symbol_size=symbolSize,
    )
    check_style(style)
    check_axes(ax)
    chart = chart_of(formula, data, groups, selection, sort=kinds != ("p",))
    return draw_chart(chart, style, ax)


def _types(given: Any) -> tuple[str, ...]:
    """Check the ways to draw; RxArgumentError for an unknown one."""
    kinds = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Sequence) else ()
    for kind in kinds or (given,):
        if not isinstance(kind, str) or kind not in TYPES:
            guess = closest(str(kind), TYPES)
            hint = f"did you mean {guess!r}?" if guess else "there are "
            known = "" if guess else ", ".join(f"{name!r} ({what})" for name, what in TYPES.items())
            raise RxArgumentError(f"type={kind!r}: no way to draw that rxLinePlot knows; {hint}{known}")
    return kinds
