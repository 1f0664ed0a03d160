"""rxExecBy: run a function on each group of rows of a table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from rxspark.analysis.data.sources import open_data, runs_on_spark
from rxspark.backends import backend_for
from rxspark.backends.base import Backend
from rxspark.calls.groups import Groups
from rxspark.calls.spec import CallSpec
from rxspark.contexts import ComputeContext, RxSpark
from rxspark.errors import RxArgumentError
from rxspark.execute import call_context, run_call
from rxspark.groups.arguments import check_function, check_names, column_names, wanted_groups
from rxspark.rng.kinds import Seed

if TYPE_CHECKING:
    from rxspark.jobs.rxjob import RxGroupResultsOrJob

__all__ = ["rxExecBy"]

T = TypeVar("T")


def rxExecBy(
    inData: Any,
    keys: str | Sequence[str],
    func: Callable[..., T],
    funcParams: Mapping[str, Any] | None = None,
    filterFunc: Callable[[Any], Any] | None = None,
    *,
    sortBy: str | Sequence[str] | None = None,
    packagesToLoad: str | Sequence[str] | None = None,
    execObjects: str | Sequence[str] | Mapping[str, Any] | None = None,
    consoleOutput: bool | None = None,
    autoCleanup: bool | None = None,
    continueOnFailure: bool = True,
    RNGseed: Seed = None,
    RNGkind: str | None = None,
) -> RxGroupResultsOrJob[T]:
    """Run a function on each group of rows of a table, in parallel, where the compute context says.

    A group is the rows with equal keys. Each group is a task of one call, with all that `rxExec` does for tasks. On one
    machine the table is sorted by its keys once, and tasks map the rows of their group from that one copy. On Spark
    the executors bring the rows of a group together; no row passes through this process.

    Parameters
    ----------
    inData : DataFrame, dict of columns, Arrow table, path, or Spark DataFrame
        The table: pandas, a dict of columns, whatever Arrow reads (pyarrow, polars, duckdb), or the path or URL of a
        Parquet file or of a folder of them. Labels of rows (an index) are not passed on. Under `RxSpark`: a Spark
        DataFrame, the name of a table, or Parquet files where Spark looks for them. Of Arrow, Parquet and Spark a
        group's whole numbers are floats, and its truth values objects, if some of that group are missing.
    keys : str or list of str
        The columns whose values make the groups. A missing value is a key like any other.
    func : callable
        Called as ``func(keys, data, **funcParams)``: `keys` is a dict of column to value, None where it is missing;
        `data` is a pandas DataFrame with the rows of the group and all columns, in the order of the table;
        rows of a Spark table have no order but that of `sortBy`.
    funcParams : dict, optional
        Further arguments of func, by name: the same for all groups.
    filterFunc : callable, optional
        Chooses groups: it gets the table of keys, one row a group with its number of ``rows``, and gives the rows to
        keep, or a True or False for each. Groups that are not wanted reach no task.
    sortBy : str or list of str, optional
        Columns by which the rows of each group are sorted; missing values come last.
    packagesToLoad, execObjects, consoleOutput, autoCleanup, continueOnFailure
        As for `rxExec`; a group that fails has its `RxTaskError` in its entry.
    RNGseed, RNGkind
        As for `rxExec`. The random stream of a group belongs to its place among all sorted keys of the table, so that
        neither the compute context nor `filterFunc` changes a group's numbers.

    Returns
    -------
    RxGroupResults
        A list with the value of each group, in the order of the sorted keys, missing values last; `.keys` has the keys
        and the number of rows, `.frame()` puts the keys beside the values.
    RxJob
        In a context with ``wait=False``, at once; `rxGetJobResults` gives the RxGroupResults once they are there.

    Raises
    ------
    RxArgumentError
        For arguments that are wrong or do not fit together; nothing has been launched then.
    RxFileError
        When there is no such file.
    RxShippingError, RxMissingError, RxContextError, RxTaskError
        As for `rxExec`.

    Examples
    --------
    >>> from rxspark import rxExecBy
    >>> table = {"city": ["Oslo", "Bergen", "Oslo"], "x": [1, 2, 5]}
    >>> rxExecBy(table, "city", lambda keys, data, power: int((data["x"] ** power).sum()), {"power": 2})
    [4, 26]
    >>> rxExecBy(table, "city", lambda keys, data: keys, filterFunc=lambda keys: keys[keys["rows"] > 1])
    [{'city': 'Oslo'}]
    """
    context, began = call_context(), time.perf_counter()
    params = check_function(func, funcParams)
    names = column_names("keys", keys)
    if not names:
        raise RxArgumentError(f"keys={keys!r}: give at least one column; rxExec(func, data) runs once on all rows")
    sort_by = [] if sortBy is None else column_names("sortBy", sortBy)
    options = {
        "packagesToLoad": packagesToLoad,
        "execObjects": execObjects,
        "consoleOutput": consoleOutput,
        "autoCleanup": autoCleanup,
        "continueOnFailure": continueOnFailure,
        "RNGseed": RNGseed,
        "RNGkind": RNGkind,
    }
    spec = _checked(context, func, params, sys._getframe(1), options)
    if runs_on_spark(inData, context, "rxExecBy", "inData"):
        groups, make_backend = _spark_groups(inData, context, names, sort_by, filterFunc)
    else:
        _refuse_local_data(inData, context)
        groups, make_backend = _local_groups(inData, names, sort_by, filterFunc), backend_for
    found = run_call(spec.for_groups(groups), context, began, stacklevel=2, make_backend=make_backend)
    return cast("RxGroupResultsOrJob[T]", found)


def _checked(
    context: ComputeContext, func: Any, params: dict[str, Any], caller: FrameType, options: dict[str, Any]
) -> CallSpec:
    """Check a call whose groups are not known yet: its two first arguments stand for the keys and the rows."""
    return CallSpec.checked(
        context,
        func,
        (None, None),
        params,
        caller,
        elemArgs=None,
        oncePerElem=False,
        timesToRun=1,
        taskChunkSize=None,
        RNGscope="task",
        combine=None,
        foreachOpts=None,
        **options,
    )


def _refuse_local_data(data: Any, context: ComputeContext) -> None:
    if isinstance(context, RxSpark):
        raise RxArgumentError(
            f"inData is {type(data).__name__}, which lies in this process, but the compute context is {context!r}: "
            f"spark.createDataFrame(inData) makes a table of Spark's, `with RxLocalParallel():` runs on this machine"
        )


def _spark_groups(
    data: Any, context: ComputeContext, keys: list[Any], sort_by: list[Any], filter_func: Any
) -> tuple[Groups, Callable[[ComputeContext, bool], Backend]]:
    from rxspark.groups.spark_groups import spark_groups  # with PySpark

    return spark_groups(data, context, keys, sort_by, filter_func)


def _local_groups(data: Any, keys: list[Any], sort_by: list[Any], filter_func: Any) -> Groups:
    from rxspark.groups.sorting import sort_rows  # with pandas, which `import rxspark` shall not load

    opened = open_data(data, "rxExecBy", "inData")
    is_frame = type(opened).__name__ == "DataFrame"
    check_names(keys, sort_by, list(opened.columns) if is_frame else opened.schema.names)
    table = opened.to_table() if hasattr(opened, "to_table") else opened
    frame, in_arrow = (table, {}) if is_frame else _frame_of(table)
    rows = sort_rows(frame, keys, sort_by)
    places = wanted_groups(rows.keys, filter_func)
    return Groups(keys=rows.keys.iloc[places].reset_index(drop=True), places=places, table=rows.share(places, in_arrow))


def _frame_of(table: Any) -> tuple[Any, dict[str, Any]]:
    from rxspark.groups.arrow_tables import frame_of  # with Arrow, which data frames do not need

    return frame_of(table)
