"""Tables of jobs, for terminals and notebooks."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from rxspark.html_tables import html_table
from rxspark.jobs.states import ENDED

__all__ = ["aligned", "jobs_html", "progress_line", "progress_lines", "text_table", "watch_html"]

_TITLES = ["job", "state", "tasks", "submitted", "seconds", "description", "context"]
_WATCHED = ["job", "state", "tasks", "elapsed", "rate", "left", "description"]


def text_table(infos: Sequence[dict[str, Any]]) -> str:
    """Write jobs, as `rxGetJobInfo` describes them, as lines of text."""
    return "\n".join(aligned([_TITLES, *map(_cells, infos)]))


def progress_lines(infos: Sequence[dict[str, Any]]) -> list[str]:
    """Write how far jobs are, as `watch` describes them, as a head and a line for each."""
    return aligned([_WATCHED, *map(_watched_cells, infos)])


def progress_line(info: dict[str, Any]) -> str:
    """Write the same of one job as a line that stands for itself."""
    job, state, tasks, elapsed, rate, left, _ = _watched_cells(info)
    return "  ".join(filter(None, [job, state, tasks, f"after {elapsed}", rate, left and f"{left} left"]))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write rows of cells as lines with columns of equal width; a character that could steer a terminal as ``?``.

    >>> aligned([["job", "state"], ["rxJob_1", "running"]])
    ['job      state', 'rxJob_1  running']
    """
    shown = [["".join(one if one.isprintable() else "?" for one in cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in shown]


def jobs_html(infos: Sequence[dict[str, Any]]) -> str:
    """Write the same as `text_table` in HTML, with a bar for the tasks."""
    return html_table(_TITLES, _html_rows(infos, _cells), numbers=("seconds",), wide=("description", "context"))


def watch_html(infos: Sequence[dict[str, Any]]) -> str:
    """Write the same as `progress_lines` in HTML, with a bar for the tasks."""
    return html_table(_WATCHED, _html_rows(infos, _watched_cells), ("elapsed", "rate", "left"), ("description",))


def _html_rows(infos: Sequence[dict[str, Any]], cells_of: Callable[[dict[str, Any]], list[str]]) -> list[list[str]]:
    rows = []
    for info in infos:
        cells = [html.escape(cell) for cell in cells_of(info)]
        if info["tasks"] is not None:
            most = max(info["tasks"], 1)
            cells[2] = f'<progress style="width:5em" max="{most}" value="{info["done"]}"></progress> {cells[2]}'
        rows.append(cells)
    return rows


def _progress(info: dict[str, Any]) -> str:
    """Tell how many tasks have finished, and of how many, or that nobody knows."""
    if info["tasks"] is not None:
        return f"{info['done']}/{info['tasks']}"
    return f"{info['done']}" if info["state"] in ENDED else f"{info['done']}, more to come"


def _cells(info: dict[str, Any]) -> list[str]:
    return [
        info["id"],
        info["state"],
        _progress(info),
        f"{info['submitted']:%Y-%m-%d %H:%M:%S}",
        f"{info['seconds']:.1f}",
        info["description"],
        info["context"],
    ]


def _watched_cells(info: dict[str, Any]) -> list[str]:
    return [
        info["id"],
        info["state"],
        _progress(info),
        _duration(info["seconds"]),
        _rate(info["rate"]),
        _duration(info["left"]),
        info["description"],
    ]


def _duration(seconds: float | None) -> str:
    """Write seconds as on a clock.

    >>> _duration(59.7), _duration(93784), _duration(None)
    ('1:00', '26:03:04', '')
    """
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def _rate(rate: float | None) -> str:
    """Write tasks a second, or, where they are few, a minute or an hour.

    >>> _rate(1234.5), _rate(3.14), _rate(0.05), _rate(0.001), _rate(None)
    ('1,234/s', '3.1/s', '3.0/min', '3.6/h', '')
    """
    if rate is None:
        return ""
    seconds, unit = next((one for one in ((1, "s"), (60, "min")) if rate * one[0] >= 1), (3600, "h"))
    return f"{rate * seconds:,.{0 if rate >= 100 else 1}f}/{unit}"
