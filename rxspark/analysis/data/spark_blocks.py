"""Rows of a model in the workers of a cluster: made there once, kept by Spark, and asked for sums.

Each batch of rows becomes a part, such as glm_rows.Part, pickled into one cell of a DataFrame that Spark keeps; a
question goes to all parts as one Spark job, whose partitions each answer with one sum. Rows are chosen and columns made
by the code that does it for local data (recipe.py), batch by batch, so that both mean the same in every corner.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from rxspark.analysis.data.spark_tables import numbered, spark_errors
from rxspark.errors import RxError
from rxspark.worker.threads import Threads

__all__ = ["SparkParts", "SparkTable"]

T = TypeVar("T")


@dataclass(frozen=True)
class SparkParts:
    """Parts in a DataFrame."""

    frame: Any

    def total(self, of: Callable[[Any], T], add: Callable[[T, T], T]) -> T:
        """What the parts give, added up."""
        found = _sum(self.frame.mapInArrow(_Fold(of, add), "cell binary"), add)
        assert found is not None, "data without rows have been refused"
        return found

    def release(self) -> None:
        """Let Spark forget the parts."""
        self.frame.unpersist()


class SparkTable:
    """A Spark DataFrame, as `recipe.Table` has it."""

    spread = True

    def __init__(self, data: Any) -> None:
        self.columns = list(data.columns)
        self._data = data

    def total(self, needed: list[str], of: Callable[[pd.DataFrame], T], add: Callable[[T, T], T]) -> T | None:
        """What batches of rows give, added up by one pass over the data; None where there are no rows."""
        return _sum(self._cells(needed, of), add)

    def parts(self, needed: list[str], make: Callable[[pd.DataFrame], Any]) -> SparkParts:
        """Make parts from batches of rows; Spark keeps them until `release`."""
        return SparkParts(self._cells(needed, make).persist())

    def _cells(self, needed: list[str], of: Callable[[pd.DataFrame], Any]) -> Any:
        names = needed or self.columns[:1]  # rows are counted, even if no column is needed
        return numbered(self._data, names).mapInArrow(_Make(names, of), "cell binary")


def _sum(frame: Any, add: Callable[[T, T], T]) -> T | None:
    with spark_errors():
        found = [pickle.loads(row[0]) for row in frame.collect()]
    for one in found:
        if isinstance(one, RxError):
            raise one
    return reduce(add, found) if found else None


@dataclass(frozen=True)
class _Make:
    """In a worker: batches of rows into cells, each what `make` gives for a batch; or its error."""

    names: list[str]
    make: Callable[[pd.DataFrame], Any]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with Threads(1, worker=True):
            for batch in batches:
                # Truth values must be of one type, whether some are missing or not.
                frame = batch.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
                try:
                    cell = self.make(frame.set_axis(self.names, axis=1))
                except RxError as error:
                    cell = error
                yield _row(cell)


@dataclass(frozen=True)
class _Fold:
    """In a worker: the parts of a partition into one sum; or the first error of those that made them."""

    of: Callable[[Any], Any]
    add: Callable[[Any, Any], Any]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with Threads(1, worker=True):
            parts = [pickle.loads(cell.as_py()) for batch in batches for cell in batch.column(0)]
            errors = [part for part in parts if isinstance(part, RxError)]
            if errors:
                yield _row(errors[0])
            elif parts:
                yield _row(reduce(self.add, map(self.of, parts)))


def _row(value: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"cell": pa.array([pickle.dumps(value, protocol=5)], pa.binary())})
