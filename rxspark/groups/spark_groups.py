"""The groups of a Spark table: counted by Spark in one job, numbered here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

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
    counted = frame.groupBy(*(f"c{position}" for position in positions)).count().collect()
    found = pd.DataFrame({name: _series([row[i] for row in counted]) for i, name in enumerate(keys)})
    order = sort_rows(found, keys, []).order
    all_keys = found.iloc[order].reset_index(drop=True)
    all_keys["rows"] = [counted[position][-1] for position in order]
    places = wanted_groups(all_keys, filter_func)
    grouped = GroupedTable(
        frame=frame,
        names=columns,
        keys=positions,
        sort_by=[columns.index(name) for name in sort_by],
        groups=[tuple(counted[order[place]][:-1]) for place in places],
        sizes=[counted[order[place]][-1] for place in places],
    )

    def make_backend(context: ComputeContext, background: bool) -> Backend:
        backend = backend_for(context, background)
        assert isinstance(backend, SparkEngine)
        backend.table = grouped
        return backend

    return Groups(keys=all_keys.iloc[places].reset_index(drop=True), places=places, table=None), make_backend


def _series(values: list[Any]) -> pd.Series:
    """Make a column of keys; whole numbers stay whole where some are missing."""
    plain = [bytes(value) if isinstance(value, bytearray) else value for value in values]
    present = {type(value) for value in plain if value is not None}
    return pd.Series(plain, dtype="Int64" if present == {int} and None in plain else None)
