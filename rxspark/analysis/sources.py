"""Where the data of an analysis are: in this process, or in a Parquet file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rxspark.contexts import ComputeContext, RxSpark
from rxspark.errors import RxArgumentError, RxFileError, RxMissingError, closest
from rxspark.filesystem import resolve
from rxspark.places import URL

__all__ = ["Selection", "check_known", "is_spark", "libraries", "local_columns", "local_frame", "on_spark", "selection"]


@contextmanager
def libraries(function: str, extra: str = "analysis") -> Iterator[None]:
    """Turn a missing library into the line that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise RxMissingError(f"{function} needs {error.name}: pip install 'rxspark[{extra}]'") from error


@dataclass(frozen=True)
class Selection:
    """Which rows to use, and which columns to make first."""

    rows: str | None
    transforms: Mapping[str, str]


def selection(rows: Any, transforms: Any) -> Selection:
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
    """Whether the data are a Spark DataFrame."""
    return type(data).__module__.startswith("pyspark.") and hasattr(data, "sparkSession")


def on_spark(data: Any, context: ComputeContext, function: str) -> bool:
    """Whether an analysis of the data runs over the cluster: a Spark DataFrame, a table or Parquet under RxSpark.

    Raises
    ------
    RxArgumentError
        For a Spark DataFrame in another compute context.
    """
    if isinstance(context, RxSpark):
        return is_spark(data) or isinstance(data, (str, os.PathLike))
    if is_spark(data):
        raise RxArgumentError(
            f"{function}: data is a Spark DataFrame, but the compute context is {context!r}, which works in this "
            f'process; rxSetComputeContext("spark") works over the cluster, data.toPandas() brings small data here'
        )
    return False


def local_columns(data: Any, function: str) -> list[str]:
    """The names of the columns of local data."""
    if isinstance(data, (str, os.PathLike)):
        return [str(name) for name in _dataset(data).schema.names]
    if hasattr(data, "column_names"):
        return [str(name) for name in data.column_names]
    columns = data.keys() if isinstance(data, Mapping) else getattr(data, "columns", None)
    if columns is None:
        raise RxArgumentError(
            f"{function}: data is {type(data).__name__}; give a pandas DataFrame, a dict of columns, a pyarrow Table, "
            f"or the path of a Parquet file"
        )
    return [str(name) for name in columns]


def local_frame(data: Any, columns: Iterable[str]) -> Any:
    """Those columns of local data, as a pandas DataFrame."""
    import pandas as pd

    names = list(dict.fromkeys(columns))
    if isinstance(data, (str, os.PathLike)):
        return _dataset(data).to_table(columns=names).to_pandas()
    if hasattr(data, "column_names"):
        return data.select(names).to_pandas()
    try:
        frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
    except ValueError as error:  # columns of different lengths
        raise RxArgumentError(f"data: {error}") from None
    return frame[names]


def _dataset(path: Any) -> Any:
    """A Parquet file, or a folder of them; URLs go to fsspec's file systems."""
    with libraries("Parquet"):
        import pyarrow
        import pyarrow.dataset
    text = os.fspath(path)
    try:
        if URL.match(text):
            place = resolve(text, "data")
            return pyarrow.dataset.dataset(place.path, filesystem=place.fs, format="parquet")
        return pyarrow.dataset.dataset(text, format="parquet")
    except FileNotFoundError:
        raise RxFileError(f"data={text!r}: no such Parquet file") from None
    except pyarrow.ArrowInvalid as error:
        raise RxFileError(f"data={text!r}: not Parquet ({str(error).splitlines()[0]})") from error


def check_known(name: str, columns: Any, where: str) -> None:
    """RxArgumentError for a column that is not there, with those that are near."""
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
    """The columns that arguments name, such as pweights; RxArgumentError for one that is not there."""
    known = list(columns)
    for argument, name in names.items():
        if name is not None and not isinstance(name, str):
            raise RxArgumentError(f"{argument}={name!r}: {argument} is the name of a column")
        if name is not None:
            check_known(name, known, f"{argument}={name!r}")
    return [name for name in names.values() if name is not None]
