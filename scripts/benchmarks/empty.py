"""The processor time of a task that does nothing, in the sequential context: `scripts/bench --empty [CHECKOUT ...]`.

All that it takes is what rxspark does around a task. Each checkout named is measured too, in turn with this one and in
processes of its own, so that two versions are compared in one run of one machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from benchmarks.tasks import noop, say

HERE = Path(__file__).parents[2]

# Tasks of a call, and calls a process after one that warms it up, of which the cheapest counts.
TASKS, CALLS = 20_000, 5

PARTS: dict[str, tuple[Callable[[], None], dict[str, Any]]] = {
    "one stream": (noop, {"taskChunkSize": TASKS}),
    "a PHILOX stream each": (noop, {"RNGkind": "PHILOX", "RNGseed": 1}),
    "an MT2203 stream each": (noop, {"RNGkind": "MT2203", "RNGseed": 1}),
    "one stream, a line of output each": (say, {"taskChunkSize": TASKS}),
}

CHECKS = "checks of process settings, of the first"


def measure() -> dict[str, float]:
    """Microseconds a task of each part, in this process."""
    from rxspark import RxLocalSeq, rxExec, rxOptions

    rxOptions(reportProgress=0)
    figures = {}
    with RxLocalSeq():
        for part, (task, arguments) in PARTS.items():
            spent = []
            for _ in range(CALLS + 1):
                began = time.process_time()
                results = rxExec(task, timesToRun=TASKS, **arguments)
                spent.append(time.process_time() - began)
                if results != [None] * TASKS or len(results.output) != (TASKS if task is say else 0):
                    raise ValueError(f"{part}: {len(results)} results and {len(results.output)} texts of {TASKS} tasks")
            figures[part] = min(spent[1:]) / TASKS * 1e6
        figures[CHECKS] = _checks()
    return figures


def _checks() -> float:
    """Microseconds a task of the checks: calls with the table of settings, and with an empty one, in turn."""
    from rxspark import rxExec
    from rxspark.worker import process_state, watch

    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(CALLS + 1):
        for checked, times in spent.items():
            with ExitStack() as stack:
                for module in () if checked else (process_state, watch):
                    stack.enter_context(patch.object(module, "SETTINGS", ()))
                began = time.process_time()
                rxExec(noop, timesToRun=TASKS, taskChunkSize=TASKS)
                times.append(time.process_time() - began)
    return (min(spent[True]) - min(spent[False])) / TASKS * 1e6


def table(checkouts: Sequence[Path], repeats: int) -> str:
    """All parts and checkouts, as Markdown."""
    measured: dict[Path, list[dict[str, float]]] = {checkout: [] for checkout in (*checkouts, HERE)}
    for _ in range(repeats):
        for checkout, told in measured.items():
            path = os.pathsep.join([str(checkout), str(HERE / "scripts")])
            command = [sys.executable, "-m", "benchmarks.empty"]
            ran = subprocess.run(
                command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True
            )
            told.append(json.loads(ran.stdout))
    lines = ["### an empty task, processor time in µs: least and median", ""]
    lines += [f"| | {' | '.join(checkout.name for checkout in measured)} |", "|--" + "|--:" * len(measured) + "|"]
    for part in (*PARTS, CHECKS):
        columns = [[figures[part] for figures in told] for told in measured.values()]
        lines.append(f"| {part} | {' | '.join(f'{min(column):.2f}, {median(column):.2f}' for column in columns)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(measure()))
