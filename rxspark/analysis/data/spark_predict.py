"""Columns that a model adds to a Spark DataFrame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from rxspark.analysis.data.spark_tables import made_column, places
from rxspark.worker.threads import Threads

__all__ = ["with_column"]


def with_column(data: Any, name: str, kind: str, needed: list[str], of: Callable[[pd.DataFrame], pd.Series]) -> Any:
    """A Spark DataFrame with one column more, made from some of its columns batch by batch in the workers."""
    return made_column(data, name, kind, _Column(places(data, needed), needed, of))


@dataclass(frozen=True)
class _Column:
    """In a worker: append a column to batches of rows."""

    numbers: list[int]
    names: list[str]
    of: Callable[[pd.DataFrame], pd.Series]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with Threads(1, worker=True):
            for batch in batches:
                taken = pa.RecordBatch.from_arrays([batch.column(number) for number in self.numbers], self.names)
                # Truth values must be of one type, whether some are missing or not.
                values = self.of(taken.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get))
                made = pa.Array.from_pandas(values)
                yield pa.RecordBatch.from_arrays([*batch.columns, made], [*batch.schema.names, "made"])
