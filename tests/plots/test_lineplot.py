"""rxLinePlot draws the points that the formula names, in colours that can be told apart, and refuses what it cannot."""

from __future__ import annotations

import datetime
import decimal
import itertools
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from rxspark import RxArgumentError, RxFileError, rxLinePlot

line_plot: Any = rxLinePlot  # axes, or a list of them for panels

matplotlib.use("agg")

NODES = ["Node 1", "Node 2", "Node 3"]
PARTY = pd.DataFrame(
    {
        "probSameBD": [0.1, 0.2, 0.4, 0.5, 0.8, 0.9],
        "partySize": [10, 14, 20, 23, 36, 41],
        "nodes": [node for node in NODES for _ in range(2)],
    }
)


@pytest.fixture(autouse=True)
def _figures_closed() -> Iterator[None]:
    """No figure stays open in pyplot."""
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def points(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """The points of each line on the axes, by its label."""
    return {str(line.get_label()): [tuple(xy) for xy in np.asarray(line.get_xydata()).tolist()] for line in axes.lines}


def legend(axes: Axes) -> list[str]:
    """The names in the legend."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_birthday_plot_of_the_article() -> None:
    """Points without lines, a colour for each node, the titles given, and the legend beside the plot."""
    axes = line_plot(
        "probSameBD ~ partySize",
        data=PARTY,
        groups="nodes",
        type="p",
        xTitle="Party Size",
        yTitle="Probability of Same Birthday",
        title="Our Rockin Soiree!",
    )
    assert points(axes) == {
        "Node 1": [(10, 0.1), (14, 0.2)],
        "Node 2": [(20, 0.4), (23, 0.5)],
        "Node 3": [(36, 0.8), (41, 0.9)],
    }
    assert {(line.get_marker(), line.get_linestyle()) for line in axes.lines} == {("o", "None")}
    assert [to_hex(line.get_color()) for line in axes.lines] == ["#0072b2", "#e69f00", "#009e73"]
    texts = (axes.get_xlabel(), axes.get_ylabel(), axes.get_title())
    assert texts == ("Party Size", "Probability of Same Birthday", "Our Rockin Soiree!")
    assert legend(axes) == NODES
    axes.figure.draw_without_rendering()
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1
    assert axes.get_legend().get_window_extent().x1 <= axes.figure.bbox.x1


@pytest.mark.parametrize("values", [list(PARTY["nodes"]), PARTY["nodes"], PARTY["nodes"].to_numpy()], ids=type)
def test_groups_may_be_a_variable(values: object) -> None:
    """As in the article, groups may be values beside the data, which rowSelection selects with them."""
    axes = line_plot("probSameBD ~ partySize", PARTY, groups=values, rowSelection="partySize > 12")
    assert points(axes) == {
        "Node 1": [(14, 0.2)],
        "Node 2": [(20, 0.4), (23, 0.5)],
        "Node 3": [(36, 0.8), (41, 0.9)],
    }


def test_groups_are_in_the_order_of_levels_as_r_has_them() -> None:
    """Numbers are ordered as numbers, texts as texts, a factor by its levels, and levels that do not occur are out."""
    data = {"y": [1, 2, 3], "x": [1, 2, 3], "n": [10, 9, 2.5], "t": ["c", "a", "b"]}
    data["f"] = pd.Categorical(["low", "high", "low"], ["none", "low", "high"])
    assert legend(line_plot("y ~ x", data, groups="n")) == ["2.5", "9", "10"]
    assert legend(line_plot("y ~ x", data, groups="t")) == ["a", "b", "c"]
    assert legend(line_plot("y ~ x", data, groups="f")) == ["low", "high"]


def _parquet(folder: Path) -> Path:
    pyarrow.parquet.write_table(pyarrow.Table.from_pandas(PARTY), folder / "party.parquet")
    return folder / "party.parquet"


@pytest.mark.parametrize("kind", ["frame", "dict", "arrow", "parquet"])
def test_data_come_in_many_forms(kind: str, tmp_path: Path) -> None:
    """A frame, a dict of columns, an Arrow table and a Parquet file give the same plot."""
    forms = {
        "frame": lambda: PARTY,
        "dict": lambda: {name: PARTY[name].tolist() for name in PARTY},
        "arrow": lambda: pyarrow.Table.from_pandas(PARTY),
        "parquet": lambda: _parquet(tmp_path),
    }
    axes = line_plot("probSameBD ~ partySize", forms[kind](), rowSelection="nodes == 'Node 3'")
    assert list(points(axes).values()) == [[(36, 0.8), (41, 0.9)]]


def test_both_sides_may_be_expressions() -> None:
    """Functions, powers and columns of transforms are computed; the formula's text names the axes."""
    data = {"y": [1.0, math.e, math.e**2], "x": [1, 2, 3], "odd.name": [5, 6, 7], "two words": [1, 1, 2]}
    axes = line_plot("log(y) ~ x^2 + z", data, transforms={"z": "x * 100"})
    assert np.allclose(axes.lines[0].get_xydata(), [(101, 0), (204, 1), (309, 2)])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x^2 + z", "log(y)")
    axes = line_plot("`two words` ~ sqrt(odd.name - 5)", data)
    assert np.allclose(axes.lines[0].get_xydata(), [(0, 1), (1, 1), (2**0.5, 2)])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("sqrt(odd.name - 5)", "two words")


def test_several_responses_are_several_curves() -> None:
    """``y1 + y2 ~ x`` draws both, named in the order of the formula."""
    axes = line_plot("y2 + log(y1) ~ x", {"x": [1, 2], "y1": [1, 1], "y2": [3, 4]})
    assert points(axes) == {"y2": [(1, 3), (2, 4)], "log(y1)": [(1, 0), (2, 0)]}
    assert legend(axes) == ["y2", "log(y1)"]


def test_types_of_lines() -> None:
    """Lines, both, steps and a regression line: each as R draws it, in the order of the rows."""
    data = {"x": [3.0, 1.0, 2.0], "y": [7.0, 3.0, 5.0]}
    (line,) = line_plot("y ~ x", data).lines
    assert (line.get_linestyle(), line.get_marker()) == ("-", "None")
    assert line.get_xdata().tolist() == [3, 1, 2]
    (line,) = line_plot("y ~ x", data, type="b", lineColor="red", symbolColor="blue", lineWidth=3).lines
    assert (line.get_linestyle(), line.get_marker(), line.get_linewidth()) == ("-", "o", 3)
    assert (line.get_color(), line.get_markerfacecolor()) == ("red", "blue")
    (line,) = line_plot("y ~ x", data, type="s").lines
    assert line.get_drawstyle() == "steps-post"
    cloud, line = line_plot("y ~ x", {"x": [0, 1, 2, 3], "y": [1, 2, 2, 5]}, type=["p", "r"]).lines
    assert len(cloud.get_xdata()) == 4
    assert np.allclose(line.get_xydata(), [(0, 0.7), (3, 4.3)])


def test_a_smooth_curve_follows_straight_lines_and_bends() -> None:
    """Local regression is exact on a straight line, and near a parabola though one line is not."""
    x = np.linspace(0, 1, 60)
    curve = line_plot("y ~ x", {"x": x, "y": 2 - 3 * x}, type="smooth").lines[0].get_xydata()
    assert np.allclose(curve[:, 1], 2 - 3 * curve[:, 0])
    curve = line_plot("y ~ x", {"x": x, "y": (x - 0.5) ** 2}, type="smooth").lines[0].get_xydata()
    assert abs(curve[:, 1] - (curve[:, 0] - 0.5) ** 2).max() < 0.06
    curve = line_plot("y ~ x", {"x": [1, 1, 1, 2], "y": [0, 1, 2, 4]}, type="smooth").lines[0].get_xydata()
    assert np.allclose(curve[[0, -1], 1], [1, 4])


def test_times_and_texts_on_the_axis() -> None:
    """Times are times, texts are places with their names, in the order of the levels."""
    days = [datetime.date(2024, 1, day) for day in (1, 2, 3)]
    axes = line_plot("y ~ day", {"day": days, "y": [1, 2, 4]}, type=["p", "r"])
    assert axes.lines[0].get_xdata().astype("datetime64[D]").tolist() == days
    assert [time.date() for time in axes.lines[1].get_xdata()] == [days[0], days[2]]
    axes = line_plot("y ~ city", {"city": ["Rome", "Bern", "Oslo"], "y": [1, 2, 3]}, type="p")
    assert points(axes) == {"_child0": [(2, 1), (0, 2), (1, 3)]}
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["Bern", "Oslo", "Rome"]


def test_missing_and_infinite_values_are_no_points() -> None:
    """A line has a gap where a value is missing or infinite; decimals and truth values are numbers."""
    axes = line_plot("log(y) ~ x", {"x": [1, 2, 3, 4], "y": [1, 0, None, 1]})
    assert np.isnan(axes.lines[0].get_ydata()).tolist() == [False, True, True, False]
    axes = line_plot("y ~ x", {"x": [True, False], "y": [decimal.Decimal("1.5"), None]})
    assert axes.lines[0].get_xydata()[0].tolist() == [1, 1.5]


def test_panels_have_one_scale_and_one_legend() -> None:
    """``y ~ x | g`` gives axes for each level with its points alone, and each group its colour in all of them."""
    data = {"x": [1, 2, 3, 4, 5], "y": [1, 2, 3, 4, 50], "g": ["a", "b", "a", "c", "c"], "k": ["u", "v", "v", "v", "w"]}
    shown = line_plot("y ~ x | g", data, groups="k", type="p", title="three", xTitle="across", subtitle="below")
    assert [axes.get_title() for axes in shown] == ["g = a", "g = b", "g = c"]
    assert [points(axes) for axes in shown] == [
        {"u": [(1, 1)], "v": [(3, 3)]},
        {"v": [(2, 2)]},
        {"v": [(4, 4)], "w": [(5, 50)]},
    ]
    assert len({axes.get_ylim() for axes in shown}) == 1
    assert {line.get_color() for axes in shown for line in axes.lines if line.get_label() == "v"} == {"#E69F00"}
    figure = shown[0].figure
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["u", "v", "w"]
    assert (figure.get_suptitle(), figure.get_supxlabel(), figure.get_supylabel()) == ("three", "across\nbelow", "y")
    assert [axes.get_title() for axes in line_plot("y ~ x | g + k", data)][:2] == ["g = a, k = u", "g = a, k = v"]


def test_axes_of_the_caller_are_drawn_on() -> None:
    """``ax=`` adds to what is there, in a figure that pyplot does not know; limits and a legend can be chosen."""
    given = Figure(layout="constrained").subplots()
    axes = line_plot("probSameBD ~ partySize", PARTY, type="p", groups="nodes", legend=False, ax=given)
    line_plot("probSameBD ~ partySize", PARTY, ax=given, xlim=(0, 50), ylim=[0, 1], subtitle="a line too")
    assert axes is given
    assert [np.size(line.get_xdata()) for line in axes.lines] == [2, 2, 2, 6]
    assert axes.get_legend() is None
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 50), (0, 1))
    assert [text.get_text() for text in axes.texts] == ["a line too"]


def test_many_groups_differ_in_more_than_colour() -> None:
    """Groups beyond the ten colours have other symbols and lines, so that no two of 30 look alike."""
    data = pd.DataFrame({"x": np.tile([1, 2], 30), "y": 1, "g": np.repeat(range(30), 2)})
    lines = line_plot("y ~ x", data, groups="g", type="b").lines
    assert len({(to_hex(line.get_color()), line.get_marker(), line.get_linestyle()) for line in lines}) == 30


def test_many_points_are_small_but_not_in_the_legend() -> None:
    """Above 2,000 points symbols let others show through; those of the legend do not."""
    data = pd.DataFrame({"x": range(2_001), "y": 1, "g": "a"})
    axes = line_plot("y ~ x", data, groups="g", type="p")
    (named,) = axes.get_legend().get_lines()
    assert (axes.lines[0].get_alpha(), axes.lines[0].get_markersize()) == (0.5, 2.5)
    assert (named.get_alpha(), named.get_markersize()) == (1, 5)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"formula": "probSameBd ~ partySize"}, "no column 'probSameBd'; did you mean 'probSameBD'?"),
        ({"formula": "zz ~ partySize"}, "no column 'zz'; the columns are probSameBD, partySize, nodes"),
        ({"formula": "~ partySize"}, "formula='~ partySize': a formula of a plot has two sides"),
        ({"formula": "probSameBD ~"}, "two sides"),
        ({"formula": "probSameBD"}, "two sides"),
        ({"formula": "partySize ~ probSameBD | nodes | nodes"}, 'of the form "y ~ x" or "y ~ x | panels"'),
        ({"formula": ["y", "x"]}, 'a formula is text, such as "y ~ x"'),
        ({"formula": "1 ~ partySize"}, "'1' names no column"),
        ({"formula": "lgo(partySize) ~ probSameBD"}, "calls 'lgo'"),
        ({"formula": "nodes ~ partySize"}, "'nodes' has values such as 'Node 1', which are no numbers"),
        ({"data": PARTY[:0]}, "there are no rows to plot"),
        ({"rowSelection": "partySize > 100"}, "there are no rows to plot"),
        (
            {"rowSelection": "partysize > 100"},
            "rowSelection: there is no column 'partysize'; did you mean 'partySize'?",
        ),
        ({"rowSelection": "partySize + 1"}, "not true or false"),
        ({"data": {"probSameBD": [None], "partySize": [1]}}, "no point is left of 1 rows"),
        ({"data": {"probSameBD": [1], "partySize": [1, 2]}}, "data: "),
        ({"data": [1, 2]}, "data is list; give a pandas DataFrame"),
        ({"groups": "node"}, "groups='node': there is no column 'node'; did you mean 'nodes'?"),
        ({"groups": ["a", "b"]}, "groups: it has 2 values, and the data have 6 rows"),
        ({"groups": 7}, "groups=7: groups is the name of a column"),
        ({"groups": "nodes", "formula": "partySize + probSameBD ~ partySize"}, "with several responses"),
        ({"type": "smoth"}, "type='smoth': no way to draw that rxLinePlot knows; did you mean 'smooth'?"),
        ({"type": 3}, "type=3: no way to draw that rxLinePlot knows; there are 'l' (lines), 'p' (points)"),
        ({"lineColor": "blu"}, "lineColor='blu': no colour"),
        ({"symbolColor": ["red", "blue"]}, "symbolColor: 2 colours for 1 groups"),
        ({"xlim": 3}, "xlim=3: xlim is a pair"),
        ({"ax": "axes"}, "ax='axes': ax is an Axes of matplotlib"),
        ({"ax": Figure().subplots(), "formula": "partySize ~ probSameBD | nodes"}, "ax: a formula with panels"),
    ],
)
def test_bad_input_is_refused_with_the_fix(arguments: dict[str, object], told: str) -> None:
    """Each error names the argument, what was given and what would do; nothing is drawn."""
    import matplotlib.pyplot as plt

    with pytest.raises(RxArgumentError, match=re.escape(told)):
        line_plot(**{"formula": "probSameBD ~ partySize", "data": PARTY, **arguments})
    assert plt.get_fignums() == []


def test_too_many_groups_or_panels_are_refused() -> None:
    """31 of them cannot be told apart: the error says so and how to have fewer."""
    data = {"x": range(31), "y": range(31)}
    with pytest.raises(RxArgumentError, match=r"groups: 31 groups are more than a plot can show \(30\).*rowSelection"):
        line_plot("y ~ x", data, groups="x")
    with pytest.raises(RxArgumentError, match=r"31 panels are more than a plot can show"):
        line_plot("y ~ x | x", data)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The path of the missing Parquet file is in the error."""
    with pytest.raises(RxFileError, match=re.escape(str(tmp_path / "none.parquet"))):
        line_plot("y ~ x", tmp_path / "none.parquet")


def test_without_a_display_or_a_choice_of_backend() -> None:
    """A program without a display draws and saves, and a plot loads no library of models."""
    code = (
        "import io, sys; from rxspark import rxLinePlot; "
        "rxLinePlot('y ~ x', {'x': [1, 2], 'y': [3, 4]}).figure.savefig(picture := io.BytesIO()); "
        "print(picture.getvalue()[1:4], [name for name in ('formulaic', 'glum', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.stdout == "b'PNG' []\n", done.stderr


def test_times_at_the_axis_do_not_overlap() -> None:
    """The labels of a time axis stand apart, and name what they share, the year, once."""
    days = pd.date_range("2024-01-01", periods=120)
    axes = line_plot("v ~ day", pd.DataFrame({"day": days, "v": np.arange(120.0)}))
    axes.figure.draw_without_rendering()
    shown = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    assert len(shown) >= 3
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(shown))
    assert sum("2024" in label.get_text() for label in axes.get_xticklabels()) <= 1


def test_points_let_the_curve_that_fits_them_stand_out() -> None:
    """Points below a fitted curve are half transparent; alone they are not; in the legend they never are."""
    frame = pd.DataFrame({"x": np.arange(20.0), "y": np.arange(20.0) % 5, "g": ["a", "b"] * 10})
    axes = line_plot("y ~ x", frame, groups="g", type=["p", "r"])
    assert [line.get_alpha() for line in axes.lines] == [0.5, None, 0.5, None]
    assert [handle.get_alpha() for handle in axes.get_legend().get_lines()] == [1, 1]
    assert [line.get_alpha() for line in line_plot("y ~ x", frame, type="p").lines] == [1]
