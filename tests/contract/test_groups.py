"""rxExecBy: one task a group of rows, with the same groups, numbers and errors in every context."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from rxspark import (
    ComputeContext,
    RxArgumentError,
    RxGroupResults,
    RxJobError,
    RxLocalSeq,
    RxLostTaskError,
    RxSpark,
    RxTaskError,
    RxTaskWarning,
    rxElemArg,
    rxExec,
    rxExecBy,
)

ROWS = 60


def flights() -> pd.DataFrame:
    """Make a table whose rows are in no order; some keys are missing."""
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "carrier": rng.choice(np.array(["UA", "AA", None, "DL"], object), ROWS),
            "month": rng.choice([12, 1, 6], ROWS),
            "delay": rng.normal(size=ROWS).round(3),
            "row": np.arange(ROWS),
        }
    )


def describe(keys: dict[str, Any], data: pd.DataFrame) -> tuple[Any, ...]:
    """All that a task gets."""
    return keys, list(data.columns), sorted(data["row"].tolist()), round(float(data["delay"].sum()), 6)


def expected(keys: list[str]) -> list[tuple[Any, ...]]:
    """The same by pandas, group by group."""
    table = flights()
    return [
        describe({name: None if value != value else value for name, value in zip(keys, group, strict=True)}, rows)
        for group, rows in table.groupby(keys, dropna=False)
    ]


@pytest.fixture
def table(context: ComputeContext) -> Any:
    """The table, as the context takes it."""
    if not isinstance(context, RxSpark):
        return flights()
    from rxspark.backends.spark.session import active_session

    rxExec(abs, -1)  # makes the session, where that is rxspark's
    return active_session(context).createDataFrame(flights())


@pytest.mark.parametrize("keys", [["carrier"], ["month", "carrier"]], ids=["one key", "two keys"])
def test_each_group_of_rows_is_a_task(table: Any, keys: list[str]) -> None:
    """FUN gets the keys and all columns of the group's rows; entries are in the order of the keys, missing last."""
    z = rxExecBy(table, keys, describe)
    assert isinstance(z, RxGroupResults)
    assert list(z) == expected(keys)
    assert z.keys["rows"].tolist() == [len(rows) for _, _, rows, _ in z]
    assert [None if v != v else v for v in z.keys[keys[-1]]] == [task_keys[keys[-1]] for task_keys, *_ in z]


def test_numbers_belong_to_the_place_among_all_keys(table: Any) -> None:
    """The random numbers of a group are those of the sequential context, also when other groups are left out."""
    draw = lambda keys, data: float(np.random.random())  # noqa: E731
    with RxLocalSeq():
        reference = rxExecBy(flights(), "carrier", draw, RNGseed=3)
    assert rxExecBy(table, "carrier", draw, RNGseed=3) == reference
    few = rxExecBy(table, "carrier", draw, filterFunc=lambda keys: keys["carrier"].isin(["DL", "UA"]), RNGseed=3)
    assert few == reference[1:3]
    assert few.keys["carrier"].tolist() == ["DL", "UA"]


def test_a_task_meets_no_traces_of_others(table: Any) -> None:
    """Changes that a task makes to its rows and keys are its own: no other task and no later call finds them."""

    def spoil(keys: dict[str, Any], data: pd.DataFrame) -> float:
        found = float(data["delay"].sum())
        data["delay"] *= 0
        data.loc[data.index[0], "row"] = -1
        keys["month"] = None
        return round(found, 6)

    sums = [total for *_, total in expected(["month"])]
    assert list(rxExecBy(table, "month", spoil)) == sums
    assert list(rxExecBy(table, "month", spoil)) == sums


def test_what_belongs_to_the_frame_as_a_whole_is_its_own_too(table: Any) -> None:
    """Names of columns and rows, attributes and flags: of a table of numbers, which is cut from one frame, as well."""

    def spoil(keys: dict[str, Any], data: pd.DataFrame) -> tuple[Any, ...]:
        found = list(data.columns), data.columns.name, list(data.index), data.index.name, dict(data.attrs)
        data.columns.values[0] = "written"
        data.columns.name = data.index.name = "named"
        data.attrs["left"] = True
        data["added"] = 1
        return found

    numbers = table[["month", "delay", "row"]]
    for rows in (table, numbers):
        columns = list(rows.columns)
        untouched: list[Any] = [(columns, None, list(range(len(z))), None, {}) for _, z in flights().groupby("month")]
        assert list(rxExecBy(rows, "month", spoil)) == untouched
        assert list(rxExecBy(rows, "month", spoil)) == untouched


def test_rows_are_sorted_within_their_group(table: Any) -> None:
    """`sortBy` orders the rows of each group."""
    z = rxExecBy(table, "month", lambda keys, data: data["delay"].tolist(), sortBy="delay")
    assert z == [sorted(rows["delay"]) for _, rows in flights().groupby("month")]


def test_missing_values_change_no_number_and_only_the_types_of_their_group(tmp_path: Path) -> None:
    """Whole numbers and truth values of a Parquet file: large keys stay apart, other groups have plain types."""
    large = 2**53
    columns = {
        "key": pyarrow.array([large + 1, None, large, large]),
        "whole": pyarrow.array([large + 1, 1, None, 2]),
        "flag": pyarrow.array([True, False, None, True]),
        "small": pyarrow.array([None, 1, 2, 3], pyarrow.int16()),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "table.parquet")

    def types(keys: dict[str, Any], data: pd.DataFrame) -> tuple[Any, ...]:
        values = data.astype(object).where(data.notna(), None)
        return keys, data.dtypes.astype(str).tolist(), sorted(values.drop(columns="key").values.tolist(), key=repr)

    z = rxExecBy(str(tmp_path / "table.parquet"), "key", types)
    assert list(z) == [
        ({"key": large}, ["int64", "float64", "object", "int16"], [[2, True, 3], [None, None, 2]]),
        ({"key": large + 1}, ["int64", "int64", "bool", "float64"], [[large + 1, True, None]]),
        ({"key": None}, ["float64", "int64", "bool", "int16"], [[1, False, 1]]),
    ]
    assert z.keys["key"].dtype == "Int64"
    assert z.keys["key"].tolist()[:2] == [large, large + 1]
    (first,) = rxExecBy(str(tmp_path / "table.parquet"), "key", types, filterFunc=lambda keys: keys["rows"] == 2)
    assert first == z[0]


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place where clocks are put back in autumn."""
    with monkeypatch.context() as changes:
        changes.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_times_of_the_hour_that_is_there_twice_are_groups_of_their_own(tmp_path: Path) -> None:
    """Half past two, in summer time and an hour later; keys are in the order of time, in the table of keys too."""
    second = datetime(2023, 10, 29, 1, 30, tzinfo=UTC)
    first, between = second - timedelta(hours=1), second - timedelta(minutes=45)
    columns = {
        "time": pyarrow.array([second, first, None, between, second], pyarrow.timestamp("us", "UTC")),
        "x": [1, 2, 3, 4, 5],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "times.parquet")
    z = rxExecBy(str(tmp_path / "times.parquet"), "time", lambda keys, data: (keys["time"], sorted(data["x"])))
    assert list(z) == [(first, [2]), (between, [4]), (second, [1, 5]), (None, [3])]
    assert z.keys["time"].tolist()[:3] == [first, between, second]


def test_parameters_and_objects_reach_the_function(table: Any) -> None:
    """`funcParams` are func's further arguments, `execObjects` are among its globals, and output is kept by group."""

    def count(keys: dict[str, Any], data: pd.DataFrame, unit: str, scale: int = 1) -> str:
        print(f"month {keys['month']}")
        return f"{len(data) * scale * FACTOR} {unit}"  # type: ignore[name-defined]  # noqa: F821

    z = rxExecBy(table, "month", count, {"unit": "rows", "scale": 2}, execObjects={"FACTOR": 10})
    assert z == [f"{n * 20} rows" for n in z.keys["rows"]]
    assert z.output == {0: "month 1\n", 1: "month 6\n", 2: "month 12\n"}


def test_an_error_is_that_of_its_group(table: Any) -> None:
    """A group that fails has its error, the user's own line first; all others their values."""

    def fail(keys: dict[str, Any], data: pd.DataFrame) -> Any:
        if keys["month"] == 6:
            raise ValueError("summer")
        return len(data)

    with pytest.warns(RxTaskWarning, match="1 of 3 tasks failed"):
        z = rxExecBy(table, "month", fail)
    assert (z[0], z[2]) == (z.keys["rows"][0], z.keys["rows"][2])
    assert isinstance(z[1], RxTaskError)
    assert "in fail" in z[1].traceback.splitlines()[1]
    assert z.frame()["error"].tolist() == [None, "ValueError: summer", None]
    with pytest.raises(RxTaskError, match="summer"):
        rxExecBy(table, "month", fail, continueOnFailure=False)


@pytest.mark.left_out(
    local="the tasks run in the process of pytest itself, which would die",
    dopar_threading="the tasks run in the process of pytest itself, which would die",
)
@pytest.mark.filterwarnings("ignore::UserWarning:joblib")
def test_a_death_costs_one_group(table: Any) -> None:
    """A group whose task kills its worker, be it by too many rows, is lost alone, and named."""

    def die(keys: dict[str, Any], data: pd.DataFrame) -> Any:
        if keys["month"] == 6:
            os._exit(3)
        return len(data)

    with pytest.warns(RxTaskWarning, match="1 of 3 tasks failed"):
        z = rxExecBy(table, "month", die)
    assert isinstance(z[1], RxLostTaskError)
    assert z[1].message.endswith(f". The group was month=6: {z.keys['rows'][1]} rows")
    assert (z[0], z[2]) == (z.keys["rows"][0], z.keys["rows"][2])


def test_a_job_gives_group_results(table: Any, context: ComputeContext) -> None:
    """In a context that does not wait the job's results have the keys, too."""
    with replace(context, wait=False):
        job = rxExecBy(table, "month", lambda keys, data: len(data))
    z = job.results() if job.wait() == "finished" else job.results(partial=True)
    assert isinstance(z, RxGroupResults)
    assert z.frame()["value"].tolist() == z.keys["rows"].tolist() == flights().groupby("month").size().tolist()


def test_bad_input_is_named_before_launch(table: Any) -> None:
    """The message names the argument and the value, and what to do."""

    def count(keys: dict[str, Any], data: pd.DataFrame) -> int:
        return len(data)

    def refused(match: str, **changes: Any) -> None:
        with pytest.raises(RxArgumentError, match=match):
            rxExecBy(**{"inData": table, "keys": "month", "func": count, **changes})

    refused("keys='mnth': there is no column 'mnth'; did you mean 'month'", keys="mnth")
    refused("sortBy='dely': there is no column 'dely'; did you mean 'delay'", sortBy="dely")
    refused(r"keys=\[\]: give at least one column", keys=[])
    refused(r"keys=\['month', 'month'\]: 'month' is there twice", keys=["month", "month"])
    refused("keys=None: keys is the name of a column", keys=None)
    refused("func=3: func is the function to run", func=3)
    refused(r"cannot be called as <lambda>\(keys, data\): too many positional", func=lambda keys: 1)
    refused(r"called as count\(keys, data, unit=...\): got an unexpected", funcParams={"unit": 1})
    refused("funcParams=7: funcParams is a dict", funcParams=7)
    refused(r"funcParams: 'unit' is rxElemArg\(.*the groups are the tasks", funcParams={"unit": rxElemArg([1])})
    refused("filterFunc=7: filterFunc is a function", filterFunc=7)
    refused("filterFunc: it keeps none of the 3 groups", filterFunc=lambda keys: keys[keys.rows > 1000])
    refused("filterFunc: it gave a table with rows that are not", filterFunc=lambda keys: keys.assign(month=2))
    refused("filterFunc: it gave 7, of type int", filterFunc=lambda keys: 7)


def test_a_table_of_the_other_kind_is_refused(where: str) -> None:
    """A table of this process does not go to Spark by itself."""
    if where.startswith("spark"):
        with pytest.raises(RxArgumentError, match=r"inData is DataFrame.*spark.createDataFrame\(inData\)"):
            rxExecBy(flights(), "month", describe)


@pytest.mark.left_out(
    dopar_loky="as in the parallel context",
    dopar_threading="as in the parallel context",
    spark="the rows are in a table of Spark",
    spark_cluster="the rows are in a table of Spark",
    spark_connect="the rows are in a table of Spark",
)
def test_a_job_is_resumed_with_the_same_numbers(table: Any, context: ComputeContext, tmp_path: Path) -> None:
    """The folder of a job has the rows of its groups: what failed runs again, on the same rows and numbers."""
    flag = tmp_path / "flag"

    def draw(keys: dict[str, Any], data: pd.DataFrame) -> tuple[float, float]:
        if keys["month"] == 6 and not flag.exists():
            raise ValueError("not yet")
        return float(np.random.random()), round(float(data["delay"].sum()), 6)

    with replace(context, wait=False, shareDir=str(tmp_path)):
        job = rxExecBy(table, "month", draw, RNGseed=4)
        assert job.wait() == "finished"
        flag.touch()
        job.resume(only="failed").wait()
        resumed = job.results()
    with RxLocalSeq():
        assert list(resumed) == list(rxExecBy(flights(), "month", draw, RNGseed=4))


@pytest.mark.left_out(
    local="the rows are in the job's folder",
    localpar="the rows are in the job's folder",
    dopar_loky="the rows are in the job's folder",
    dopar_threading="the rows are in the job's folder",
)
def test_a_job_on_a_table_of_spark_says_that_it_cannot_be_resumed(table: Any, context: ComputeContext) -> None:
    """Its rows are not in the job: the error says what gives the rest."""
    with replace(context, wait=False):
        job = rxExecBy(table, "month", lambda keys, data: len(data), autoCleanup=False)
        job.wait()
        with pytest.raises(RxJobError, match=r"the rows of its groups are in a table of Spark.*filterFunc"):
            job.resume()


@pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning")
def test_a_group_that_is_tried_again_keeps_numbers_and_rows(
    table: Any, context: ComputeContext, tmp_path: Path
) -> None:
    """A retry draws what the first try drew, on rows that the first try has not changed."""

    def draw(keys: dict[str, Any], data: pd.DataFrame) -> tuple[float, float]:
        number, delay = float(np.random.random()), round(float(data["delay"].sum()), 6)
        if keys["month"] == 12 and not (tmp_path / "failed").exists():
            (tmp_path / "failed").touch()
            data.loc[:, "delay"] = 0.0
            raise OSError("once")
        return number, delay

    with replace(context, taskRetries=1):
        last = rxExecBy(table, "month", draw, filterFunc=lambda keys: keys["month"] == 12, RNGseed=8)
    assert list(last) == list(rxExecBy(table, "month", draw, RNGseed=8))[2:]
