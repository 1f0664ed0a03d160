"""Sharing data across tasks: a table of five million rows as an argument, by rxShare, and by a file.

    python examples/sharing_data.py --context local|localpar|dopar|spark

What to see: the same sums each way. As an argument the table is written once a call, and all tasks of a machine map
that one copy; with rxShare it is written once for any number of calls, so that the next ones take less. Reading a file
in the tasks, as one does elsewhere, gains nothing here, and on a cluster the file must lie where all nodes see it.
"""

from __future__ import annotations

import os
import time

import numpy as np
from common import OUTPUT, read_options

from rxspark import rxElemArg, rxExec, rxSetComputeContext, rxShare


def filter_test(table: np.ndarray, tag: str) -> float:
    """The sum of column a over the rows that have the tag."""
    return float(table["a"][table["tag"] == tag].sum())


def filter_test_file(path: str, tag: str) -> float:
    """The same for a table in a file: mapped into memory, it is read only where it is used."""
    return filter_test(np.load(path, mmap_mode="r"), tag)


def main() -> None:
    """Compute the sums each way and compare."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)
    table = make_table(100_000 if options.quick else 5_000_000)
    tags = np.unique(table["tag"]).tolist()
    rxExec(os.getpid, timesToRun=len(tags))  # the workers start now, so that their start is in neither time

    started = time.perf_counter()
    by_argument = rxExec(filter_test, table, rxElemArg(tags))
    argument_seconds = time.perf_counter() - started

    started = time.perf_counter()
    shared = rxShare(table)
    written_seconds = time.perf_counter() - started
    by_share = rxExec(filter_test, shared, rxElemArg(tags))
    share_seconds = time.perf_counter() - started
    shared.remove()

    started = time.perf_counter()
    path = OUTPUT / "table.npy"
    np.save(path, table)
    saved_seconds = time.perf_counter() - started
    by_file = rxExec(filter_test_file, str(path), rxElemArg(tags))
    file_seconds = time.perf_counter() - started
    path.unlink()

    for tag, total in zip(tags, by_file, strict=True):
        print(f"{tag}  {total:14,.2f}")
    print(f"\nas an argument: {argument_seconds:.2f} s")
    print(f"by rxShare:     {share_seconds:.2f} s, of which {written_seconds:.2f} s to write it, once for all calls")
    print(f"by a file:      {file_seconds:.2f} s, of which {saved_seconds:.2f} s to write it")
    print(f"the same results: {by_argument == by_share == by_file}")


def make_table(rows: int) -> np.ndarray:
    """The article's table: a tag from A to G and two columns of uniform numbers."""
    rng = np.random.default_rng(1)
    table = np.empty(rows, dtype=[("tag", "U1"), ("a", float), ("b", float)])
    table["tag"] = rng.choice(list("ABCDEFG"), size=rows)
    table["a"], table["b"] = rng.random(rows), rng.random(rows)
    return table


if __name__ == "__main__":
    main()
