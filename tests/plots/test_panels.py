"""Panels stand in rows that leave few places empty, and legends show symbols that can be told apart."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex

from rxspark import rxLinePlot

line_plot: Any = rxLinePlot  # axes, or a list of them for panels

mpl.use("agg")


@pytest.mark.parametrize(
    ("count", "across", "down"),
    [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 2, 2), (5, 3, 2), (7, 4, 2), (10, 5, 2), (12, 4, 3)],
)
def test_few_places_of_the_grid_are_empty(count: int, across: int, down: int) -> None:
    """Three panels are a row, ten are two rows of five."""
    data = {"x": np.tile([1.0, 2.0], count), "y": np.arange(2.0 * count), "g": np.repeat(np.arange(count), 2)}
    panels = line_plot("y ~ x | g", data)
    grid = panels[0].get_gridspec()
    assert (grid.ncols, grid.nrows) == (across, down)
    assert len(panels) == count


def test_symbols_that_lie_over_each_other_are_parted() -> None:
    """Each has a white edge, which costs none of its colour; of thousands it would hide them."""
    few = line_plot("y ~ x", {"x": [1.0, 1.01, 2.0], "y": [1.0, 1.0, 2.0]}, type="p").lines[0]
    assert to_hex(few.get_markeredgecolor()) == "#ffffff"
    assert few.get_markeredgewidth() > 0
    many = line_plot("y ~ x", {"x": np.arange(3000.0), "y": np.arange(3000.0)}, type="p").lines[0]
    assert many.get_markeredgewidth() == 0
