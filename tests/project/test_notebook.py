"""The notebook runs from top to bottom, and what its cells show is right."""

from __future__ import annotations

import copy
import os
import re
from functools import cache
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from project import ROOT

NOTEBOOK = nbformat.read(ROOT / "examples" / "tour.ipynb", as_version=4)


@cache
def ran(context: str = "localpar") -> nbformat.NotebookNode:
    """The notebook after a run in a compute context, by default on the cores of this machine."""
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "RX_CONTEXT": context}
    return NotebookClient(copy.deepcopy(NOTEBOOK), timeout=250, kernel_name="python3").execute(env=environment, cwd="/")


def executed(context: str = "localpar") -> dict[str, list[Any]]:
    """The outputs of each cell that has code, by its source."""
    return {cell.source: cell.outputs for cell in ran(context).cells if cell.cell_type == "code"}


def shown(beginning: str, kind: str = "text/plain", context: str = "localpar") -> str:
    """Output of the cell with this in its source, in one of the forms that it offers."""
    (outputs,) = [outputs for source, outputs in executed(context).items() if beginning in source]
    return "\n".join(output["data"][kind] for output in outputs if kind in output.get("data", {}))


def test_it_is_kept_without_outputs() -> None:
    """Outputs differ between machines: the file has none, so that its history shows what was changed."""
    cells = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]
    assert len(cells) > 10
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_dice_and_results() -> None:
    """About 4,929 games are won, and 10,000 results show themselves in short, as a table."""
    wins = int(re.findall(r"Win +(\d+)", shown("value_counts"))[0])
    assert abs(wins - 4_929) < 250
    html = next(output["data"]["text/html"] for source, (output, *_) in executed().items() if source == "games")
    assert html.startswith("<p>RxResults: 10000 results")
    assert html.count("<tr>") == 22
    assert "9,980 more" in html


@pytest.mark.parametrize("cell", ["Our Rockin Soiree", "The Mandelbrot set", "The best of 10 runs", "estimate - truth"])
def test_plots_are_shown(cell: str) -> None:
    """Each plot is in the notebook as a picture."""
    assert len(shown(cell, "image/png")) > 10_000


def test_groups_of_rows_give_the_sums_of_the_filtered_table() -> None:
    """A row for each tag, in order, whose sum is that of the cell that filters the whole table; no row is lost."""
    sums = dict(re.findall(r"^([A-G]) +(\S+)$", shown("pd.Series(sums"), re.MULTILINE))
    rows = re.findall(r"^\d +([A-G]) +(\d+) +(\S+)$", shown("by_tag.frame()"), re.MULTILINE)
    assert [tag for tag, _, _ in rows] == list("ABCDEFG") == list(sums)
    assert sum(int(count) for _, count, _ in rows) == 200_000
    for tag, _, total in rows:
        assert float(total) == pytest.approx(float(sums[tag]), rel=1e-6)


def test_a_call_that_lasts_shows_a_bar() -> None:
    """The bar of the notebook's own kind is there, and has come to the last task."""
    assert re.search(r"\d+/50 ", shown("time.sleep"))
    widgets = ran().metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    bars = [widget["state"] for widget in widgets if widget["model_name"] == "FloatProgressModel"]
    assert [(bar["value"], bar["bar_style"]) for bar in bars if bar["max"] == 50] == [(50, "success")]


def test_failures_and_jobs() -> None:
    """A failed task is warned of and shown; a job is listed, and gives what the waiting call gave."""
    assert "ZeroDivisionError: division by zero" in shown("inverses = ", "text/html")
    (outputs,) = [outputs for source, outputs in executed().items() if "inverses = " in source]
    assert "RxTaskWarning: 1 of 3 tasks failed" in "".join(o["text"] for o in outputs if o.output_type == "stream")
    assert re.search(r"<td[^>]*>rxJob_\S+</td>", shown("rxGetJobs()", "text/html"))
    (outputs,) = [outputs for source, outputs in executed().items() if source.startswith("rxWaitForJob")]
    assert [output["text"] for output in outputs if output.output_type == "stream"] == ["finished\n"]
    assert outputs[-1]["data"]["text/plain"] == "True"


def test_models() -> None:
    """The mean of 100 estimates lies near the true coefficients, and the summary is R's."""
    mean = [float(value) for value in re.search(r"mean +(\S+) +(\S+) +(\S+)", shown("estimates.describe")).groups()]
    assert mean == pytest.approx([0, 1, 2], abs=0.05)
    assert "Coefficients:" in shown(".summary()")


def test_nothing_else_is_said() -> None:
    """No cell warns, but for the one whose task fails."""
    said = [(source, o["text"]) for source, outputs in executed().items() for o in outputs if o.get("name") == "stderr"]
    assert [source.split(" ")[0] for source, _ in said] == ["inverses"]


@pytest.mark.spark
@pytest.mark.slow
def test_its_numbers_are_the_same_on_spark() -> None:
    """As its first lines say: those of the games, the estimates and the job; and its pictures are there, too."""
    for cell in ("value_counts", "estimates.describe", "pd.Series(sums", "by_tag.frame()"):
        *_, there = shown(cell, context="spark").rpartition("task/s]\n")  # calls that last have shown a bar before
        assert there == shown(cell), cell
    (outputs,) = [outputs for source, outputs in executed("spark").items() if source.startswith("rxWaitForJob")]
    assert outputs[-1]["data"]["text/plain"] == "True"
    for cell in ("Our Rockin Soiree", "The Mandelbrot set", "The best of 10 runs", "estimate - truth"):
        assert len(shown(cell, "image/png", "spark")) > 10_000
