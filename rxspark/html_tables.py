"""Tables for notebooks, which look alike in JupyterLab, VS Code and Databricks, in light and in dark themes."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["html_code", "html_table"]

_CELL = "vertical-align:top;padding:.25em 1em .25em .5em;"
# Notebooks give code a ground of its own, and cut lines that are long.
_CODE = "background:none;color:inherit;padding:0;white-space:pre-wrap;overflow-wrap:anywhere"


def html_code(text: str) -> str:
    """Text in a fixed pitch, with its line breaks.

    >>> html_code("<x>").partition(">")[2]
    '&lt;x&gt;</code>'
    """
    return f'<code style="{_CODE}">{html.escape(text)}</code>'


def html_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = (), wide: Sequence[str] = ()
) -> str:
    """Make a table of HTML cells: numbers to the right, others to the left; only wide columns break lines."""
    styles = [
        f"{_CELL}text-align:{'right' if title in numbers else 'left'};"
        + ("white-space:normal;min-width:9em" if title in wide else "white-space:nowrap")
        for title in titles
    ]
    head = "".join(
        f'<th style="{style}">{html.escape(title)}</th>' for title, style in zip(titles, styles, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f'<td style="{style}">{cell}</td>' for cell, style in zip(row, styles, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<table style="margin-left:0"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
