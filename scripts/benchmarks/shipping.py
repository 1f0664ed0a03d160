"""The processor time of shipping elements and results of many kinds: `scripts/bench --shipping`.

It is that of the sequential context. Beside it stands what everybody has to pay: to pickle all values once, in one
list, and to unpickle them. What empty tasks with numbers for elements take is taken off, as it is no matter of
shipping.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["table"]

MANY = 100_000

KINDS: dict[str, Callable[[], Sequence[Any]]] = {
    "100,000 NumPy scalars": lambda: [np.float64(number) for number in range(MANY)],
    "100,000 Timestamps": lambda: list(pd.date_range("2000", periods=MANY, freq="min")),
    "100,000 strings": lambda: [f"text {number}" for number in range(MANY)],
    "100,000 tuples of a number and a string": lambda: [(number, f"text {number}") for number in range(MANY)],
    "100,000 dicts of two entries": lambda: [{"a": number, "b": f"text {number}"} for number in range(MANY)],
    "20,000 arrays of 10 numbers": lambda: [np.arange(10.0) + number for number in range(20_000)],
    "5,000 data frames": lambda: [pd.DataFrame({"a": [number, 2, 3]}) for number in range(5_000)],
}


def nothing(_: Any) -> None:
    """Take an element, give nothing."""


def same(element: Any) -> Any:
    """Return the element back."""
    return element


def table(repeats: int) -> str:
    """Milliseconds of processor time, as Markdown: medians of runs in turn."""
    from rxspark import RxLocalSeq, rxOptions

    rxOptions(reportProgress=0)
    lines = [
        "### shipping, processor time in ms; beside it the multiple of one pickle",
        "",
        "| | one pickle and back | elements | results |",
        "|--|--:|--:|--:|",
    ]
    with RxLocalSeq():
        for kind, make in KINDS.items():
            once, elements, results = _measure(make(), repeats)
            cells = [f"{took * 1e3:,.0f} ({took / once:.1f})" for took in (elements, results)]
            lines.append(f"| {kind} | {once * 1e3:,.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _measure(values: Sequence[Any], repeats: int) -> tuple[float, float, float]:
    """Seconds of one pickle and back, of elements, and of results."""
    from rxspark import rxElemArg, rxExec

    ways: list[Callable[[], object]] = [
        lambda: pickle.loads(pickle.dumps(values, 5)),
        lambda: rxExec(nothing, rxElemArg(range(len(values)))),
        lambda: rxExec(nothing, rxElemArg(values)),
        lambda: rxExec(same, rxElemArg(values)),
    ]
    took: list[list[float]] = [[] for _ in ways]
    for _ in range(max(repeats, 3)):
        for way, figures in zip(ways, took, strict=True):
            began = time.process_time()
            way()
            figures.append(time.process_time() - began)
    once, empty, there, both = map(median, took)
    return once, there - empty, both - there
