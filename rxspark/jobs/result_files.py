"""Files for the results of a job: a pickle of all that the results are, or a table."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from rxspark.errors import RxArgumentError, RxMissingError
from rxspark.results import RxGroupResults, RxResults
from rxspark.results.groups import frame_of
from rxspark.worker.results import dump_value

__all__ = ["FORMATS"]


def _pickled(results: RxResults[Any]) -> bytes:
    return dump_value(results, in_caller=True)


def _csv(results: RxResults[Any]) -> bytes:
    return str(_table(results).to_csv(index=False)).encode()


def _parquet(results: RxResults[Any]) -> bytes:
    file, table = io.BytesIO(), _table(results)
    try:
        table.to_parquet(file, index=False)
    except ImportError as error:
        raise RxMissingError(
            "tables are written as Parquet by a package that is not installed: pip install pyarrow"
        ) from error
    return file.getvalue()


FORMATS: dict[str, Callable[[RxResults[Any]], bytes]] = {
    ".pickle": _pickled,
    ".pkl": _pickled,
    ".csv": _csv,
    ".parquet": _parquet,
}
"""By the suffix of a file: what makes its bytes, or raises RxArgumentError if the results do not go into such a one."""


def _table(results: RxResults[Any]) -> Any:
    """Make one table of all results, with the numbers of the tasks or the keys of the groups in front."""
    import pandas

    keys = pandas.DataFrame({"task": range(len(results))})
    if isinstance(results, RxGroupResults):
        keys = results.keys.drop(columns="rows")
    try:
        table = frame_of(keys, results)
    except TypeError as error:
        raise RxArgumentError(f"the results do not make a table: {error}. Write them to a .pickle") from error
    for name in table.columns:
        for value in table[name] if table[name].dtype == object else ():
            if not pandas.api.types.is_scalar(value):
                raise RxArgumentError(
                    f"the results do not make a table: column {name!r} has a {type(value).__name__} in it. "
                    f"Write them to a .pickle"
                )
    return table
