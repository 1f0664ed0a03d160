"""Tables of jobs, for terminals and notebooks."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from rxspark.html_tables import html_table

__all__ = ["aligned", "jobs_html", "text_table"]

_TITLES = ["job", "state", "tasks", "submitted", "seconds", "description", "context"]


def text_table(infos: Sequence[dict[str, Any]]) -> str:
    """Write jobs, as `rxGetJobInfo` describes them, as lines of text."""
    return "\n".join(aligned([_TITLES, *map(_cells, infos)]))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write rows of cells as lines with columns of equal width.

    >>> aligned([["job", "state"], ["rxJob_1", "running"]])
    ['job      state', 'rxJob_1  running']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def jobs_html(infos: Sequence[dict[str, Any]]) -> str:
    """Write the same as a table in HTML, with a bar for the tasks."""
    rows = []
    for info in infos:
        cells = [html.escape(cell) for cell in _cells(info)]
        most = max(info["tasks"], 1)
        cells[2] = f'<progress style="width:5em" max="{most}" value="{info["done"]}"></progress> {cells[2]}'
        rows.append(cells)
    return html_table(_TITLES, rows, numbers=("seconds",), wide=("description", "context"))


def _cells(info: dict[str, Any]) -> list[str]:
    return [
        info["id"],
        info["state"],
        f"{info['done']}/{info['tasks']}",
        f"{info['submitted']:%Y-%m-%d %H:%M:%S}",
        f"{info['seconds']:.1f}",
        info["description"],
        info["context"],
    ]
