"""The table in examples/state.md: what became of each trace in each context, as the tests have found."""

from __future__ import annotations

from project import EXAMPLES

from traces.table import TRACES

__all__ = [
    "BUT_INTERRUPTED",
    "CONTEXTS",
    "ENDED",
    "HELD",
    "IN_CALLERS_PROCESS",
    "TOLD",
    "expected",
    "read_table",
    "write_table",
]

GUIDE = EXAMPLES / "state.md"
_HEADING = "## What tasks have left, and what became of it"

IN_CALLERS_PROCESS = ("local", "dopar-alone", "dopar-sequential", "dopar-threading")
CONTEXTS = (*IN_CALLERS_PROCESS, "localpar", "dopar-loky", "spark", "spark-cluster", "spark-connect")

HELD, ENDED, TOLD = "held", "ended the worker", "stays, and is logged"
BUT_INTERRUPTED = "held, if Ctrl-C leaves no task running"


def expected(label: str, context: str) -> str:
    """Return what is to become of a trace in a context."""
    trace = TRACES[label]
    if trace.ends:
        return TOLD if context in IN_CALLERS_PROCESS else ENDED
    return BUT_INTERRUPTED if trace.alone and context == "dopar-threading" else HELD


def read_table() -> dict[str, dict[str, str]]:
    """Read what stands in the guide: outcomes by label and context."""
    _, found, text = GUIDE.read_text().partition(_HEADING)
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    if not found or not rows:
        return {}
    return {row[0]: dict(zip(rows[0][2:], row[2:], strict=True)) for row in rows[2:]}


def write_table(found: dict[str, dict[str, str]]) -> None:
    """Write outcomes into the guide: those that were found now, and of other contexts what stands there."""
    before = read_table()
    lines = [f"| a task leaves | put back by | {' | '.join(CONTEXTS)} |", "|---|---|" + "---|" * len(CONTEXTS)]
    for label, trace in TRACES.items():
        row = {**dict.fromkeys(CONTEXTS, "?"), **before.get(label, {}), **found.get(label, {})}
        cells = [row[name] for name in CONTEXTS]
        lines.append(f"| {label} | {trace.setting} | {' | '.join(cells)} |")
    text = GUIDE.read_text().partition(_HEADING)[0].rstrip()
    why = (
        "Written by `RXSPARK_WRITE_TABLE=1 scripts/test tests/contract -k test_settings`; a question mark was not "
        "tried."
    )
    GUIDE.write_text("\n".join([text, "", _HEADING, "", why, "", *lines, ""]))
