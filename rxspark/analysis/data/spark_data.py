"""Spark DataFrames as data of an analysis: open them, select columns by name, append a column that a model makes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql.types import StructType

from rxspark.analysis.data.sources import check_unique, is_spark
from rxspark.backends import backend_for
from rxspark.backends.spark.session import active_session
from rxspark.contexts import ComputeContext, RxSpark
from rxspark.errors import RxFileError, RxMissingError
from rxspark.extras import install
from rxspark.files.paths import default_file_system
from rxspark.serialize.payload import Requirements
from rxspark.user_paths import from_home
from rxspark.worker.threads import Threads

__all__ = ["batch_frame", "numbered_columns", "open_spark_data", "translate_missing_library", "with_column"]

_TABLE_NAME = re.compile(r"(?!.*\.parquet$)\w+(\.\w+){0,2}")


def open_spark_data(data: Any, context: ComputeContext, function: str, argument: str = "data") -> Any:
    """Open a Spark DataFrame, a table by its name, or Parquet files where Spark looks for them.

    Raises
    ------
    RxFileError
        When there is no such table or file.
    """
    assert isinstance(context, RxSpark), "only RxSpark works over a cluster"
    backend_for(context).check(Requirements())  # finds or makes the application, and gives rxspark to its executors
    if is_spark(data):
        return data
    text = from_home(os.fspath(data), default_file_system())
    session = active_session(context)
    is_table = _TABLE_NAME.fullmatch(text) is not None
    try:
        found = session.table(text) if is_table else session.read.parquet(text)
        found.schema  # noqa: B018 - Spark Connect looks for it only when it is asked
        return found
    except AnalysisException as error:
        kind = "table" if is_table else "Parquet file where Spark looks for it"
        raise RxFileError(
            f"{function}: {argument}={text!r}: there is no such {kind} ({str(error).splitlines()[0]})"
        ) from None


def numbered_columns(data: Any, names: list[str]) -> Any:
    """Select columns of a Spark DataFrame, named ``c0``, ``c1``, ...; decimal numbers become floats."""
    _positions(data, names)
    types = dict(data.dtypes)
    columns = [
        _column(data, name).cast("double") if types[name].startswith("decimal") else _column(data, name)
        for name in names
    ]
    return data.select([column.alias(f"c{number}") for number, column in enumerate(columns)])


def _column(data: Any, name: str) -> Any:
    return data[f"`{name}`"]  # a dot in a name would be a field of a structure


def _positions(data: Any, names: list[str]) -> list[int]:
    """The positions of columns; RxArgumentError for a name that Spark finds in several columns."""
    is_exact = data.sparkSession.conf.get("spark.sql.caseSensitive", "false") == "true"
    check_unique(names, data.columns, str if is_exact else str.casefold)
    return [data.columns.index(name) for name in names]


@contextmanager
def translate_missing_library() -> Iterator[None]:
    """Turn Spark's error about a library that the executors lack into RxMissingError."""
    try:
        yield
    except PySparkException as error:
        found = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", str(error))
        if found is None:
            raise
        raise RxMissingError(
            f"the executors lack {found.group(1)}: {install('analysis')} there too, or send an environment that has "
            f"these (python -m rxspark pack)"
        ) from error


def batch_frame(batch: pa.RecordBatch) -> pd.DataFrame:
    """Convert a batch to pandas, with one type of truth values whether or not some are missing."""
    return batch.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)


def with_column(data: Any, name: str, sql_type: str, needed: list[str], of: Callable[[pd.DataFrame], pd.Series]) -> Any:
    """Append a column to a Spark DataFrame, made by `of` from batches of the needed columns on the executors."""
    append = _AppendColumn(_positions(data, needed), needed, of)
    plain = data.toDF(*(f"c{number}" for number in range(len(data.columns))))
    schema = StructType(list(plain.schema)).add("made", sql_type)
    return plain.mapInArrow(append, schema).toDF(*data.columns, name)


@dataclass(frozen=True)
class _AppendColumn:
    """Append a column to batches of rows, on an executor."""

    positions: list[int]
    names: list[str]
    of: Callable[[pd.DataFrame], pd.Series]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with Threads(1, worker=True):
            for batch in batches:
                needed = pa.RecordBatch.from_arrays([batch.column(number) for number in self.positions], self.names)
                made = pa.Array.from_pandas(self.of(batch_frame(needed)))
                yield pa.RecordBatch.from_arrays([*batch.columns, made], [*batch.schema.names, "made"])
