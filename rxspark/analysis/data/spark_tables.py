"""Spark DataFrames as tables whose rows stay on the executors and answer with sums.

Each batch of rows becomes a block, pickled into one cell of a DataFrame that Spark keeps. A question goes to all blocks
as one Spark job, in which each partition answers with one sum. The code that chooses rows and makes columns is that of
local data (formula/recipe.py), so that both treat every corner case alike.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from rxspark.analysis.data.spark_data import batch_frame, numbered_columns, translate_missing_library
from rxspark.errors import RxError
from rxspark.worker.threads import Threads

__all__ = ["SparkBlocks", "SparkTable"]

T = TypeVar("T")


@dataclass(frozen=True)
class SparkBlocks:
    """Blocks in the cells of a DataFrame that Spark keeps."""

    frame: Any

    def aggregate(self, of: Callable[[Any], T], add: Callable[[T, T], T]) -> T:
        """Apply `of` to each block on the executors, and combine the results by `add`."""
        found = _combine_cells(self.frame.mapInArrow(_AggregateBlocks(of, add), "cell binary"), add)
        assert found is not None, "data without rows have been refused"
        return found

    def release(self) -> None:
        """Let Spark drop the blocks."""
        self.frame.unpersist()


class SparkTable:
    """A Spark DataFrame as a `Table`."""

    is_distributed = True

    def __init__(self, data: Any) -> None:
        self.columns = list(data.columns)
        self._data = data

    def aggregate(self, needed: list[str], of: Callable[[pd.DataFrame], T], add: Callable[[T, T], T]) -> T | None:
        """Apply `of` to batches of rows in one pass over the data, and combine by `add`; None if there is no row."""
        return _combine_cells(self._cells(needed, of), add)

    def blocks(self, needed: list[str], make: Callable[[pd.DataFrame], Any]) -> SparkBlocks:
        """Make blocks from batches of rows; Spark keeps them until `release`."""
        return SparkBlocks(self._cells(needed, make).persist())

    def _cells(self, needed: list[str], of: Callable[[pd.DataFrame], Any]) -> Any:
        names = needed or self.columns[:1]  # rows are counted, even if no column is needed
        return numbered_columns(self._data, names).mapInArrow(_MakeCells(names, of), "cell binary")


def _combine_cells(frame: Any, add: Callable[[T, T], T]) -> T | None:
    """Collect the cells and combine them; raise the first error that one of them holds."""
    with translate_missing_library():
        found = [pickle.loads(row[0]) for row in frame.collect()]
    for one in found:
        if isinstance(one, RxError):
            raise one
    return reduce(add, found) if found else None


@dataclass(frozen=True)
class _MakeCells:
    """Turn each batch of rows into a cell that holds the result of `make` or its error, on an executor."""

    names: list[str]
    make: Callable[[pd.DataFrame], Any]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with Threads(1, worker=True):
            for batch in batches:
                try:
                    cell = self.make(batch_frame(batch).set_axis(self.names, axis=1))
                except RxError as error:
                    cell = error
                yield _cell(cell)


@dataclass(frozen=True)
class _AggregateBlocks:
    """Combine the blocks of a partition into one cell, or give the first error among them, on an executor."""

    of: Callable[[Any], Any]
    add: Callable[[Any, Any], Any]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with Threads(1, worker=True):
            blocks = [pickle.loads(cell.as_py()) for batch in batches for cell in batch.column(0)]
            errors = [block for block in blocks if isinstance(block, RxError)]
            if errors:
                yield _cell(errors[0])
            elif blocks:
                yield _cell(reduce(self.add, map(self.of, blocks)))


def _cell(value: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"cell": pa.array([pickle.dumps(value, protocol=5)], pa.binary())})
