"""The processor time of a task that does nothing, in the sequential context: `scripts/bench --empty [CHECKOUT ...]`.

All that it takes is what rxspark does around a task. Each checkout named is measured too, in turn with this one and in
processes of its own, so that two versions are compared in one run of one machine. What single parts of it take is told
by leaving them out, one at a time, in this checkout.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from pkgutil import resolve_name
from statistics import median
from types import SimpleNamespace
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

_NO_COPY = SimpleNamespace(run=lambda function, *arguments: function(*arguments))


def _look_no_more(state: Any, everything: bool = False) -> None:
    state._rounds.due = math.inf


def _put_nothing_back(*_: Any) -> tuple[list[Any], list[Any]]:
    return [], []


# Parts of an empty task on one stream that can be left out: modules or classes, names, and what stands in for these.
LEFT_OUT: dict[str, list[tuple[str, str, Any]]] = {
    "looks at process settings": [
        ("rxspark.worker.process_state:ProcessState", "_look", _look_no_more),
        ("rxspark.worker.process_state", "put_back", _put_nothing_back),
        ("rxspark.worker.watch", "put_back", _put_nothing_back),
    ],
    "settings compared after each task": [("rxspark.worker.process_state:ProcessState", "untouched", lambda *_: True)],
    "console compared": [("rxspark.worker.console:Console", "untouched", lambda *_: True)],
    "streams taken back": [("rxspark.rng.streams:Streams", "restore", lambda *_: None)],
    "context copied": [("rxspark.worker.program", "copy_context", lambda: _NO_COPY)],
}


def measure() -> dict[str, float]:
    """Microseconds a task of each part, in this process."""
    from rxspark import RxLocalSeq, rxOptions

    rxOptions(reportProgress=0)
    with RxLocalSeq():
        return {part: _spent(task, arguments) for part, (task, arguments) in PARTS.items()}


def parts() -> dict[str, float]:
    """Microseconds that an empty task on one stream takes, and that it takes less without each part."""
    from rxspark import RxLocalSeq, rxOptions

    rxOptions(reportProgress=0)
    task, arguments = PARTS["one stream"]
    left: dict[str, list[float]] = {"all": [], **{part: [] for part in LEFT_OUT}}
    with RxLocalSeq():
        for _ in range(CALLS):  # in turn
            left["all"].append(_spent(task, arguments))
            for part, replaced in LEFT_OUT.items():
                with ExitStack() as stack:  # what is not put back of the import system would make imports slow
                    stack.enter_context(patch.object(sys, "meta_path", sys.meta_path[:]))
                    for owner, name, instead in replaced:
                        stack.enter_context(patch.object(resolve_name(owner), name, instead))
                    left[part].append(_spent(task, arguments))
    whole = min(left["all"])
    return {part: whole if part == "all" else whole - min(figures) for part, figures in left.items()}


def _spent(task: Callable[[], None], arguments: dict[str, Any]) -> float:
    from rxspark import rxExec

    spent = []
    for _ in range(CALLS + 1):
        began = time.process_time()
        results = rxExec(task, timesToRun=TASKS, **arguments)
        spent.append(time.process_time() - began)
        if results != [None] * TASKS or len(results.output) != (TASKS if task is say else 0):
            raise ValueError(f"{len(results)} results and {len(results.output)} texts of {TASKS} tasks")
    return min(spent[1:]) / TASKS * 1e6


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
    for part in PARTS:
        columns = [[figures[part] for figures in told] for told in measured.values()]
        lines.append(f"| {part} | {' | '.join(f'{min(column):.1f}, {median(column):.1f}' for column in columns)} |")
    lines += ["", "| of an empty task on one stream | µs |", "|--|--:|"]
    lines += [f"| {part} | {figure:.2f} |" for part, figure in parts().items()]
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(measure()))
