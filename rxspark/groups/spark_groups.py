"""The groups of a Spark table: counted by Spark in one job, numbered here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow

from rxspark.analysis.data.spark_data import open_spark_data
from rxspark.backends import backend_for
from rxspark.backends.base import Backend
from rxspark.backends.spark.base import SparkEngine
from rxspark.backends.spark.grouped import GroupedTable, numbered
from rxspark.calls.groups import Groups
from rxspark.contexts import ComputeContext
from rxspark.groups.arguments import check_names, wanted_groups
from rxspark.groups.sorting import sort_rows

__all__ = ["spark_groups"]


def spark_groups(
    data: Any, context: ComputeContext, keys: list[Any], sort_by: list[Any], filter_func: Any
) -> tuple[Groups, Callable[[ComputeContext, bool], Backend]]:
    """Find the groups of a Spark table, and give them with what makes the backend that runs on them."""
    table = open_spark_data(data, context, "rxExecBy", "inData")
    columns = list(table.columns)
    check_names(keys, sort_by, columns)
    positions = [columns.index(name) for name in keys]
    frame = numbered(table, positions)
    counted = frame.groupBy(*(f"k{position}" for position in positions)).count().collect()
    kinds = dict(frame.dtypes)
    zones = [_zone(frame) if kinds[f"c{position}"] == "timestamp" else None for position in positions]
    found = pd.DataFrame({name: _series([row[i] for row in counted], zones[i]) for i, name in enumerate(keys)})
    order = sort_rows(found, keys, []).order
    all_keys = found.iloc[order].reset_index(drop=True)
    all_keys["rows"] = [counted[position][-1] for position in order]
    places = wanted_groups(all_keys, filter_func)
    wanted = all_keys.iloc[places].reset_index(drop=True)
    grouped = GroupedTable(
        frame=frame,
        names=columns,
        keys=positions,
        sort_by=[columns.index(name) for name in sort_by],
        groups=[tuple(counted[order[place]][:-1]) for place in places],
        shown=wanted,
    )

    def make_backend(context: ComputeContext, background: bool) -> Backend:
        backend = backend_for(context, background)
        assert isinstance(backend, SparkEngine)
        backend.table = grouped
        return backend

    return Groups(keys=wanted, places=places, table=None), make_backend


def _zone(frame: Any) -> str:
    """Return the time zone in which tasks see the times of a table."""
    zone: str = frame.sparkSession.conf.get("spark.sql.session.timeZone")
    return zone


def _series(values: list[Any], zone: str | None) -> pd.Series:
    """Make a column of keys: whole numbers stay whole where some are missing; of a time `zone`, they are times."""
    if zone is not None:
        return pyarrow.array(values, pyarrow.timestamp("us", zone)).to_pandas()
    plain = [bytes(value) if isinstance(value, bytearray) else value for value in values]
    present = {type(value) for value in plain if value is not None}
    return pd.Series(plain, dtype="Int64" if present == {int} and None in plain else None)
