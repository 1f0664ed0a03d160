"""Tables on Spark: the columns that are needed, and a column more."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql.types import StructType

from rxspark.analysis.data.sources import is_spark, refuse_repeated
from rxspark.backends import backend_for
from rxspark.backends.spark.session import active_session
from rxspark.contexts import ComputeContext, RxSpark
from rxspark.errors import RxFileError, RxMissingError
from rxspark.extras import install
from rxspark.files.paths import default_file_system
from rxspark.user_paths import from_home

__all__ = ["made_column", "numbered", "places", "spark_data", "spark_errors"]


def _column(data: Any, name: str) -> Any:
    return data[f"`{name}`"]  # a dot in a name would be a field of a structure


def spark_data(data: Any, context: ComputeContext, function: str) -> Any:
    """The Spark DataFrame that data name: itself, a table, or Parquet files where Spark looks for them.

    Raises
    ------
    RxFileError
        When there is no such table, or no such file.
    """
    assert isinstance(context, RxSpark), "only RxSpark works over a cluster"
    backend_for(context)  # finds or makes the application, and gives rxspark to its executors
    if is_spark(data):
        return data
    text = from_home(os.fspath(data), default_file_system())
    session = active_session(context)
    try:
        found = session.table(text) if _TABLE.fullmatch(text) else session.read.parquet(text)
        found.schema  # noqa: B018 - Spark Connect looks for it only when it is asked
        return found
    except AnalysisException as error:
        what = "table" if _TABLE.fullmatch(text) else "Parquet file where Spark looks for it"
        raise RxFileError(
            f"{function}: data={text!r}: there is no such {what} ({str(error).splitlines()[0]})"
        ) from None


_TABLE = re.compile(r"(?!.*\.parquet$)\w+(\.\w+){0,2}")


def places(data: Any, names: list[str]) -> list[int]:
    """Where those columns are in a Spark DataFrame; RxArgumentError for a name that Spark finds in several columns."""
    exact = data.sparkSession.conf.get("spark.sql.caseSensitive", "false") == "true"
    refuse_repeated(names, data.columns, str if exact else str.casefold)
    return [data.columns.index(name) for name in names]


def numbered(data: Any, names: list[str]) -> Any:
    """Those columns of a Spark DataFrame, named by their numbers; decimal numbers as floats."""
    places(data, names)
    kinds = dict(data.dtypes)
    columns = [
        _column(data, name).cast("double") if kinds[name].startswith("decimal") else _column(data, name)
        for name in names
    ]
    return data.select([column.alias(f"c{number}") for number, column in enumerate(columns)])


@contextmanager
def spark_errors() -> Iterator[None]:
    """Turn a library that the executors lack into an error that says so."""
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


def made_column(data: Any, name: str, kind: str, run: Any) -> Any:
    """A Spark DataFrame with one column more, which `run` appends to its batches of Arrow."""
    plain = data.toDF(*(f"c{number}" for number in range(len(data.columns))))
    schema = StructType(list(plain.schema)).add("made", kind)
    return plain.mapInArrow(run, schema).toDF(*data.columns, name)
