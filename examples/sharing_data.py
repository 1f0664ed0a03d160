"""Sharing data across tasks: a table of five million rows as an argument, by rxShare, and by a file.

    python examples/sharing_data.py --context local|localpar|dopar|spark

What to see: the same sums each way. As an argument the table is written once a call, and all tasks of a machine map
that one copy; with rxShare it is written once for any number of calls, so that the next ones take less. Reading a file
in the tasks, as one does elsewhere, gains nothing here, and on a cluster the file must lie where all nodes see it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from common import OUTPUT, read_options

from rxspark import RxResults, rxElemArg, rxExec, rxSetComputeContext, rxShare


def filter_test(table: np.ndarray, tag: str) -> float:
    """The sum of column a over the rows that have the tag."""
    return float(table["a"][table["tag"] == tag].sum())


def filter_test_file(path: str, tag: str) -> float:
    """The same for a table in a file: mapped into memory, it is read only where it is used."""
    return filter_test(np.load(path, mmap_mode="r"), tag)


def main() -> None:
    """Compute the sums each way, twice, and compare."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)
    table = make_table(100_000 if options.quick else 5_000_000)
    tags = np.unique(table["tag"]).tolist()
    rxExec(os.getpid, timesToRun=len(tags))  # the workers start now, so that their start is in none of the times
    path = OUTPUT / "table.npy"

    print("milliseconds     to write  first call  next call")
    by_argument = measure("as an argument", filter_test, lambda: table, tags)
    by_share = measure("by rxShare", filter_test, lambda: rxShare(table), tags)
    by_file = measure("by a file", filter_test_file, lambda: save(path, table), tags)
    path.unlink()
    print(f"the same results: {by_argument == by_share == by_file}\n")
    for tag, total in zip(tags, by_argument, strict=True):
        print(f"{tag}  {total:14,.2f}")


def measure(way: str, function: Callable[..., float], prepare: Callable[[], object], tags: list[str]) -> RxResults:
    """Print how long it takes to prepare the data and to run two calls on it; give the sums."""
    times = [time.perf_counter()]
    data = prepare()
    times.append(time.perf_counter())
    for _ in range(2):
        sums = rxExec(function, data, rxElemArg(tags))
        times.append(time.perf_counter())
    written, first, then = (f"{(end - began) * 1000:.0f}" for began, end in pairwise(times))
    print(f"{way:<16} {written:>8}  {first:>10}  {then:>9}")
    return sums


def save(path: Path, table: np.ndarray) -> str:
    """Write the table to a file."""
    np.save(path, table)
    return str(path)


def make_table(rows: int) -> np.ndarray:
    """The article's table: a tag from A to G and two columns of uniform numbers."""
    rng = np.random.default_rng(1)
    table = np.empty(rows, dtype=[("tag", "U1"), ("a", float), ("b", float)])
    table["tag"] = rng.choice(list("ABCDEFG"), size=rows)
    table["a"], table["b"] = rng.random(rows), rng.random(rows)
    return table


if __name__ == "__main__":
    main()
