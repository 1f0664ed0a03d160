"""A function of each group of rows of a table: how rxspark and its peers do it, and the table."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import starmap
from typing import Any

# Groups, and rows of each.
GROUPS, ROWS_A_GROUP = 10_000, 100

Task = Callable[[Any, Any], float]


def mean(keys: Any, rows: Any) -> float:
    """The mean of a column."""
    return float(rows["x"].mean())


def total(keys: Any, rows: Any) -> float:
    """The article's filterTest once the rows of a tag are there, which on Spark come in another order."""
    return round(float(rows["a"].sum()), 6)


@cache
def make_groups() -> Any:
    """A table with its rows in no order: a key and two numbers."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(1)
    keys = rng.permutation(np.repeat(np.arange(GROUPS), ROWS_A_GROUP))
    return pd.DataFrame({"key": keys, "x": rng.random(len(keys)), "y": rng.random(len(keys))})


def check_means(results: list[Any]) -> None:
    """Means of a hundred numbers from 0 to 1: six of their standard deviations around a half."""
    if len(results) != GROUPS or any(abs(one - 0.5) > 6 / (12 * ROWS_A_GROUP) ** 0.5 for one in results):
        raise ValueError(f"{len(results)} means, not {GROUPS} near 0.5")


def by_pandas(table: Any, key: str, task: Task) -> list[float]:
    """One group after another."""
    return list(starmap(task, table.groupby(key, observed=True)))


def by_rxspark(table: Any, key: str, task: Task) -> list[float]:
    """RxExecBy."""
    from rxspark import rxExecBy

    return list(rxExecBy(table, key, task))


def by_dask(table: Any, key: str, task: Task) -> list[float]:
    """groupby.apply of a Dask frame, whose rows are shuffled so that a group is together."""
    import dask.dataframe as dd

    frame = dd.from_pandas(table, npartitions=4, sort=False)  # type: ignore[no-untyped-call]
    found = frame.groupby(key, observed=True).apply(lambda rows: task(None, rows), meta=(None, "f8")).compute()
    return found.sort_index().tolist()  # type: ignore[no-any-return]


def by_pyspark(frame: Any, key: str, task: Task) -> list[float]:
    """groupBy.applyInPandas."""
    import pandas as pd

    def one(keys: Any, rows: Any) -> Any:
        return pd.DataFrame({"key": [str(keys[0]).zfill(9)], "value": [task(keys, rows)]})

    found = frame.groupBy(key).applyInPandas(one, "key string, value double").collect()
    return [row.value for row in sorted(found)]


def spark_table(session: Any, table: Any) -> Any:
    """A Spark DataFrame that lies in the executors' memory."""
    session.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
    plain = table.astype({name: str for name, kind in table.dtypes.items() if kind == "category"})
    frame = session.createDataFrame(plain).persist()
    frame.count()
    return frame
