"""Tables on Spark: the rows and columns that are needed, and a sample that fits into this process."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pyspark.sql import functions

from rxspark.analysis.expressions import evaluate
from rxspark.analysis.sources import Selection

__all__ = ["SPARK_FUNCTIONS", "sampled", "spark_selected"]

SPARK_FUNCTIONS: dict[str, Any] = {
    **{name: getattr(functions, name) for name in ("log2", "log10", "log1p", "exp", "expm1", "sqrt")},
    **{name: getattr(functions, name) for name in ("log", "sin", "cos", "tan", "abs", "pow")},
    "ifelse": lambda test, yes, no: functions.when(test, yes).otherwise(no),
    "I": lambda column: column,
    "factor": lambda column: column.cast("string"),
}
"""What may be called in expressions over columns of Spark: the names of `frames.FUNCTIONS`."""


def spark_selected(data: Any, needed: list[str], picked: Selection) -> Any:
    """The rows and columns of a Spark DataFrame that are needed, those of `transforms` made."""
    columns = {name: _column(data, name) for name in data.columns}
    picked.needs(columns)
    for name, text in picked.transforms.items():
        columns[name] = evaluate(text, columns, SPARK_FUNCTIONS, f"transforms[{name!r}]")
    if picked.rows is not None:
        data = data.where(evaluate(picked.rows, columns, SPARK_FUNCTIONS, "rowSelection"))
    return data.select([columns[name].alias(name) for name in dict.fromkeys(needed)])


def _column(data: Any, name: str) -> Any:
    return data[f"`{name}`"]  # a dot in a name would be a field of a structure


def sampled(data: Any, most: int) -> tuple[pd.DataFrame, int]:
    """At most so many rows of a Spark DataFrame, chosen at random where there are more, and how many there are.

    The same data have the same sample.
    """
    count = data.count()
    if count > most:
        # Rows are drawn one by one, so their number varies: with four standard deviations less no row is cut off.
        data = data.sample(fraction=(most - 4 * most**0.5) / count, seed=1)
    return data.limit(most).toPandas(), count
