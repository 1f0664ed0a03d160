"""Open data as a table here or on Spark, and make one value for each of their rows; PySpark is loaded when needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rxspark.analysis.data.sources import runs_on_spark
from rxspark.analysis.data.tables import LocalTable, Table
from rxspark.contexts import rxGetComputeContext

__all__ = ["RowFunction", "open_table"]


def open_table(data: Any, function: str) -> Table:
    """Open data as a table: on Spark if they are there and the compute context is RxSpark, else in this process."""
    context = rxGetComputeContext()
    if not runs_on_spark(data, context, function):
        return LocalTable(data, function)
    from rxspark.analysis.data.spark_data import open_spark_data
    from rxspark.analysis.data.spark_tables import SparkTable

    return SparkTable(open_spark_data(data, context, function))


@dataclass(frozen=True)
class RowFunction:
    """A function that makes one value for each row of data, such as the prediction of a model."""

    function: str
    """The method that asks, for errors."""
    column: str
    """The name of the values."""
    sql_type: str
    needed: Callable[[list[str]], list[str]]
    """The columns that it needs of those that there are; RxArgumentError for one that is missing."""
    of: Callable[[pd.DataFrame], pd.Series]
    """The values of rows with the needed columns."""

    def apply(self, data: Any) -> Any:
        """Make a Series of local data; append a column to a Spark DataFrame."""
        context = rxGetComputeContext()
        if runs_on_spark(data, context, self.function):
            from rxspark.analysis.data.spark_data import open_spark_data, with_column

            frame = open_spark_data(data, context, self.function)
            return with_column(frame, self.column, self.sql_type, self.needed(frame.columns), self.of)
        table = LocalTable(data, self.function)
        return self.of(table.frame(self.needed(table.columns)))
