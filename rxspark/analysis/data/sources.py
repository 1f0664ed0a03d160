"""Arguments that name data, rows and columns: check them, and open data of this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rxspark.contexts import ComputeContext, RxSpark
from rxspark.errors import RxArgumentError, RxFileError, RxMissingError, closest
from rxspark.extras import install
from rxspark.files.paths import URL
from rxspark.user_paths import resolve

__all__ = [
    "Selection",
    "check_column",
    "check_columns",
    "check_selection",
    "check_unique",
    "is_spark",
    "open_data",
    "require_libraries",
    "runs_on_spark",
]


@contextmanager
def require_libraries(function: str, extra: str = "analysis") -> Iterator[None]:
    """Turn a missing library into RxMissingError with the line that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise RxMissingError(f"{function} needs {error.name}: {install(extra)}") from error


@dataclass(frozen=True)
class Selection:
    """The arguments `rowSelection` and `transforms`."""

    rows: str | None
    """An expression that is true for the rows to use; None for all rows."""
    transforms: Mapping[str, str]
    """Columns to make first, by expressions."""


def check_selection(rows: Any, transforms: Any) -> Selection:
    """Check `rowSelection` and `transforms`."""
    if rows is not None and not isinstance(rows, str):
        raise RxArgumentError(f'rowSelection={rows!r}: rowSelection is an expression as text, such as "age > 30"')
    made = {} if transforms is None else transforms
    if not isinstance(made, Mapping) or not all(isinstance(text, str) for pair in made.items() for text in pair):
        raise RxArgumentError(
            f'transforms={transforms!r}: transforms is a dict of column to expression, such as {{"z": "log(x)"}}'
        )
    return Selection(rows, dict(made))


def is_spark(data: Any) -> bool:
    """Tell whether the data are a Spark DataFrame."""
    return type(data).__module__.startswith("pyspark.") and hasattr(data, "sparkSession")


def runs_on_spark(data: Any, context: ComputeContext, function: str, argument: str = "data") -> bool:
    """Decide whether an analysis runs on the cluster: under RxSpark, for a Spark DataFrame, a table or Parquet files.

    Raises
    ------
    RxArgumentError
        For a Spark DataFrame in another compute context.
    """
    if isinstance(context, RxSpark):
        return is_spark(data) or isinstance(data, (str, os.PathLike))
    if is_spark(data):
        raise RxArgumentError(
            f"{function}: {argument} is a Spark DataFrame, but the compute context is {context!r}, which works in this "
            f'process; rxSetComputeContext("spark") works over the cluster, and {argument}.toPandas() brings '
            f"small data here"
        )
    return False


def open_data(data: Any, function: str, argument: str = "data") -> Any:
    """Open local data as a pandas DataFrame, a pyarrow Table, or a dataset of Parquet files, which is read later.

    Raises
    ------
    RxArgumentError
        When the data have no columns by their names.
    """
    import numpy as np
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, (str, os.PathLike)):
        return _dataset(data, argument)
    if isinstance(data, Mapping) or (isinstance(data, np.ndarray) and data.dtype.names):
        try:
            return pd.DataFrame(data)
        except ValueError as error:  # columns of different lengths
            raise RxArgumentError(f"{argument}: {error}") from None
    found = _from_arrow(data)
    if found is None:
        is_matrix = np.ndim(data) == 2
        made = f"{argument}.collect()" if hasattr(data, "collect") else f"pd.DataFrame({argument})" if is_matrix else ""
        hint = f"; {made} makes one" if made else ""
        raise RxArgumentError(
            f"{function}: {argument} is {type(data).__name__}; give a pandas DataFrame, a dict of columns, the path of "
            f"a Parquet file, or a table that Arrow can read, such as those of pyarrow, polars and duckdb{hint}"
        )
    return found


def _from_arrow(data: Any) -> Any | None:
    """Make a pyarrow Table by the Arrow C interface or dataframe interchange; None of data that have neither."""
    kinds = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")
    kind = next((name for name in kinds if hasattr(data, name)), None)
    if kind is None:
        return None
    with require_libraries("Arrow"):
        import pyarrow
        import pyarrow.interchange
    try:
        if kind == "__dataframe__":
            return pyarrow.interchange.from_dataframe(data)
        return (
            pyarrow.table(data)
            if kind == "__arrow_c_stream__"
            else pyarrow.Table.from_batches([pyarrow.record_batch(data)])
        )
    except (pyarrow.ArrowException, TypeError, ValueError):  # one array, which has no columns
        return None


def check_unique(
    needed: Iterable[str], columns: Iterable[str], key: Callable[[str], str] = str, argument: str = "data"
) -> None:
    """Raise RxArgumentError when several columns have a needed name; names with the same `key` count as equal."""
    named: dict[str, list[str]] = {}
    for name in columns:
        named.setdefault(key(name), []).append(name)
    for name in needed:
        twins = named[key(name)]
        if len(twins) > 1:
            listed = ", ".join(map(repr, twins))
            alike = "one name" if len(set(twins)) == 1 else "names that Spark takes for one"
            raise RxArgumentError(
                f"{argument}: {len(twins)} columns have {alike}: {listed}; rename or drop all but one"
            )


def _dataset(path: Any, argument: str) -> Any:
    """Open a Parquet file or a folder of them; URLs go to fsspec's file systems."""
    with require_libraries("Parquet"):
        import pyarrow
        import pyarrow.dataset
    text = os.fspath(path)
    try:
        if URL.match(text):
            place = resolve(text, argument)
            return pyarrow.dataset.dataset(place.path, filesystem=place.fs, format="parquet")
        return pyarrow.dataset.dataset(os.path.expanduser(text), format="parquet")
    except FileNotFoundError:
        raise RxFileError(f"{argument}={text!r}: no such Parquet file") from None
    except pyarrow.ArrowInvalid as error:
        raise RxFileError(f"{argument}={text!r}: not Parquet ({str(error).splitlines()[0]})") from error


def check_column(name: str, columns: Any, where: str) -> None:
    """Raise RxArgumentError for a column that is not there, and name the nearest."""
    known = [str(column) for column in columns]
    if name not in known:
        guess = closest(name, known)
        hint = (
            f"did you mean {guess!r}?"
            if guess
            else f"the columns are {', '.join(known[:20])}"
            + (f" and {len(known) - 20} more" if len(known) > 20 else "")
        )
        raise RxArgumentError(f"{where}: there is no column {name!r}; {hint}")


def check_columns(names: Mapping[str, Any], columns: Iterable[str]) -> list[str]:
    """List the columns that arguments such as pweights name; RxArgumentError for one that is not there."""
    known = list(columns)
    for argument, name in names.items():
        if name is not None and not isinstance(name, str):
            raise RxArgumentError(f"{argument}={name!r}: {argument} is the name of a column")
        if name is not None:
            check_column(name, known, f"{argument}={name!r}")
    return [name for name in names.values() if name is not None]
