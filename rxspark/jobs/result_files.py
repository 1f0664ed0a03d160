"""Files for the results of a job: a pickle of all that the results are, or a table."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from rxspark.errors import RxArgumentError, RxMissingError
from rxspark.jobs.gathering import AnyResults
from rxspark.results import RxCombined, RxGroupResults
from rxspark.results.groups import frame_of
from rxspark.worker.results import dump_value

__all__ = ["FORMATS"]


def _pickled(results: AnyResults) -> bytes:
    return dump_value(results, in_caller=True)


def _csv(results: AnyResults) -> bytes:
    return str(_table(results).to_csv(index=False)).encode()


def _parquet(results: AnyResults) -> bytes:
    file, table = io.BytesIO(), _table(results)
    try:
        table.to_parquet(file, index=False)
    except ImportError as error:
        raise RxMissingError(
            "tables are written as Parquet by a package that is not installed: pip install pyarrow"
        ) from error
    return file.getvalue()


FORMATS: dict[str, Callable[[AnyResults], bytes]] = {
    ".pickle": _pickled,
    ".pkl": _pickled,
    ".csv": _csv,
    ".parquet": _parquet,
}
"""By the suffix of a file: what makes its bytes, or raises RxArgumentError if the results do not go into such a one."""


def _table(results: AnyResults) -> Any:
    """Make one table of all results, with the numbers of the tasks or the keys of the groups in front.

    Combined results make a table where they are combined to one.
    """
    import pandas

    if isinstance(results, RxCombined):
        if isinstance(results.value, pandas.DataFrame):
            return results.value
        kind = type(results.value).__name__
        raise RxArgumentError(
            f"the results are combined to one value, of type {kind}, which is no table. Write them to a .pickle"
        )
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
