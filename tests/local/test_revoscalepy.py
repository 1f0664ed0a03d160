"""Scripts written for revoscalepy run with one changed import."""

from __future__ import annotations

import time

import pandas as pd
import pytest

import rxspark
from rxspark import RxArgumentError, RxTaskError
from rxspark.revoscalepy import (
    RxLocalParallel,
    RxLocalSeq,
    RxRemoteJobStatus,
    RxSpark,
    rx_cancel_job,
    rx_cleanup_jobs,
    rx_exec,
    rx_exec_by,
    rx_get_compute_context,
    rx_get_job_output,
    rx_get_job_results,
    rx_get_job_status,
    rx_get_jobs,
    rx_set_compute_context,
    rx_wait_for_job,
)


def multiply(x: int, y: int) -> int:
    """The function of the examples."""
    return x * y


def test_partitions_have_keys_results_and_status() -> None:
    """`rx_exec_by` gives a data frame under one key or several; the status of a failure is its exception."""

    def mean(keys: dict[str, str], data: pd.DataFrame, column: str) -> float:
        if keys["day"] == "Tue":
            raise ValueError("closed")
        return float(data[column].mean())

    table = pd.DataFrame({"day": ["Mon", "Tue", "Mon", "Tue"], "shop": ["a", "a", "b", "b"], "sold": [1, 2, 3, 4]})
    found = rx_exec_by(table, keys=["day"], function=mean, function_parameters={"column": "sold"})
    assert (found.loc["Mon", "result"], found.loc["Mon", "status"]) == (2.0, "OK")
    assert found.loc["Tue", "result"] is None
    assert isinstance(found.loc["Tue", "status"], RxTaskError)
    two = rx_exec_by(
        table, ["shop", "day"], mean, {"column": "sold"}, filter_function=lambda keys: keys[keys["day"] == "Mon"]
    )
    assert two.to_dataframe()["result"].to_dict() == {("a", "Mon"): 1.0, ("b", "Mon"): 3.0}


def test_the_example_of_two_keys() -> None:
    """The reference's first example: how many claims there are by age and type of car; `data` comes first there."""
    claims = pd.DataFrame(
        {
            "age": ["17-20", "21-24"] * 4,
            "car.age": pd.Categorical(["0-3", "4-7", "0-3", "10+"] * 2, categories=["0-3", "4-7", "8-9", "10+"]),
            "type": ["A", "B", "A", "A", "B", "B", "A", "A"],
        }
    )

    def count(data: pd.DataFrame, keys: dict[str, str]) -> int:
        assert set(data["type"]) == {keys["type"]}
        return len(data)

    found = rx_exec_by(claims, keys=["car.age", "type"], function=count, compute_context=RxLocalParallel())
    assert found["result"].to_dict() == {
        ("0-3", "A"): 3,
        ("0-3", "B"): 1,
        ("4-7", "B"): 2,
        ("10+", "A"): 2,
    }
    assert (found.index.names, found["status"].tolist()) == (["car.age", "type"], ["OK"] * 4)


def airline() -> pd.DataFrame:
    """A few flights, as in the examples' AirlineDemoSmall; some delays are missing."""
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    return pd.DataFrame({"DayOfWeek": days * 3, "ArrDelay": [*range(14), *[None] * 7], "CRSDepTime": 9.5})


def test_the_example_of_a_filter() -> None:
    """The second one: rows of the days that `filter_function` keeps; its table has the keys."""

    def count(keys: dict[str, str], data: pd.DataFrame) -> int:
        return len(data)

    def filter_weekend(partitioned_df: pd.DataFrame) -> pd.DataFrame:
        return partitioned_df.loc[(partitioned_df.DayOfWeek == "Saturday") | (partitioned_df.DayOfWeek == "Sunday")]

    found = rx_exec_by(airline(), keys=["DayOfWeek"], function=count, filter_function=filter_weekend)
    assert found["result"].to_dict() == {"Saturday": 3, "Sunday": 3}


def test_the_example_of_averages() -> None:
    """The third one: the average delay of each day, as a plain data frame that can be sorted by its keys."""

    def average_delay(keys: dict[str, str], data: pd.DataFrame) -> float:
        return float(data["ArrDelay"].mean(skipna=True))

    found = rx_exec_by(airline(), keys=["DayOfWeek"], function=average_delay)
    table = found.to_dataframe().sort_index()
    assert type(table) is pd.DataFrame
    assert list(table.columns) == ["result", "status"]
    assert table["result"].to_dict() == {
        "Friday": 7.5,
        "Monday": 3.5,
        "Saturday": 8.5,
        "Sunday": 9.5,
        "Thursday": 6.5,
        "Tuesday": 4.5,
        "Wednesday": 5.5,
    }


def test_lists_are_spread_and_other_values_are_for_all() -> None:
    """A list has an element for each execution; two lists go side by side; a list inside a list is one argument."""
    assert rx_exec(multiply, x=[1, 2, 3], y=6) == [6, 12, 18]
    assert rx_exec(multiply, x=[1, 2, 3], y=[4, 5, 6]) == [4, 10, 18]
    assert rx_exec(lambda the_list: the_list, the_list=[[0, 1, 2, 3]]) == [[0, 1, 2, 3]]
    assert rx_exec(lambda row, k: (row, k), row=[[0, 1]], k=[7, 8]) == [([0, 1], 7), ([0, 1], 8)]
    assert rx_exec(multiply, x=2, y=3, times_to_run=3) == [6, 6, 6]


def test_args_are_one_dict_for_all_or_one_for_each() -> None:
    """`args` as in revoscalepy's reference; further keyword arguments join them."""
    assert rx_exec(multiply, args={"x": 2, "y": 5}, times_to_run=2) == [10, 10]
    assert rx_exec(multiply, args=[{"x": 2, "y": 5}, {"x": 3, "y": 5}]) == [10, 15]
    assert rx_exec(multiply, args={"x": 2}, y=[1, 2, 3]) == [2, 4, 6]


def test_a_failure_stays_in_its_slot() -> None:
    """As in revoscalepy's Spark example: the execution that raises has its error in its own place."""

    def fail_at_13(k: int) -> int:
        if k == 13:
            raise ValueError("unlucky")
        return k

    with pytest.warns(rxspark.RxTaskWarning, match="1 of 20 tasks failed"):
        found = rx_exec(fail_at_13, k=list(range(20)))
    assert isinstance(found[13], RxTaskError)
    assert [k for k, value in enumerate(found) if value == k] == [k for k in range(20) if k != 13]
    with pytest.raises(RxTaskError, match="unlucky"):
        rx_exec(fail_at_13, k=list(range(20)), continue_on_failure=False)


def test_local_state_and_callback() -> None:
    """The function finds the objects of `local_state`; the callback gets each result in order."""
    heard: list[int] = []
    assert rx_exec(lambda x: x + offset, x=[1, 2], local_state={"offset": 10}, callback=heard.append) == [11, 12]  # type: ignore[name-defined] # noqa: F821
    assert heard == [11, 12]


def test_contexts_have_revoscalepys_arguments() -> None:
    """Underscores, a string of Spark settings, and machinery without effect, of which a warning tells."""
    with pytest.warns(RuntimeWarning, match="no use for idle_timeout, spark_reduce_method"):
        context = RxSpark(
            hdfs_share_dir="hdfs:///share",
            num_executors=4,
            executor_overhead_mem="1g",
            extra_spark_config="--conf spark.a=1 --conf spark.b=x=y",
            idle_timeout=3600,
            spark_reduce_method="auto",
            console_output=True,
        )
    assert context == rxspark.RxSpark(
        hdfsShareDir="hdfs:///share",
        numExecutors=4,
        executorOverheadMem="1g",
        extraSparkConfig={"spark.a": "1", "spark.b": "x=y"},
        consoleOutput=True,
    )
    before = rx_set_compute_context(RxLocalParallel())
    assert rx_get_compute_context() == rxspark.RxLocalParallel()
    rx_set_compute_context(before)
    with pytest.raises(RxArgumentError, match="did you mean numExecutors"):
        rxspark.rxSetComputeContext("spark", numExecutor=3)


def test_the_job_functions() -> None:
    """A job is waited for, told of, fetched once, and then undetermined; another one is canceled and removed."""
    heard: list[int] = []
    job = rx_exec(multiply, x=[1, 2], y=3, compute_context=RxLocalSeq(wait=False), callback=heard.append)
    rx_wait_for_job(job)
    assert rx_get_job_status(job) is RxRemoteJobStatus.FINISHED
    assert job in rx_get_jobs(states="finished", verbose=False)
    assert rx_get_job_output(job) == ""
    assert rx_get_job_results(job) == [3, 6]
    assert heard == [3, 6]
    assert rx_get_job_status(job) is RxRemoteJobStatus.UNDETERMINED

    job = rx_exec(lambda s: time.sleep(s), s=[60, 60], compute_context=RxLocalSeq(wait=False))
    assert rx_cancel_job(job)
    assert rx_get_job_status(job) is RxRemoteJobStatus.CANCELED
    rx_cleanup_jobs(job)
    assert rx_get_job_status(job) is RxRemoteJobStatus.UNDETERMINED


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"args": 3}, r"args=3: args is a dict of keyword arguments"),
        ({"args": [1]}, r"args=\[1\]: args is a dict"),
        ({"args": {"x": 1}, "x": 2, "y": 1}, r"x=2: args gives 'x' too"),
        ({"x": [1, 2], "y": [1, 2, 3]}, r"2.*3"),
        ({"x": 1, "y": 2, "local_state": 5}, r"local_state=5: local_state is a dict"),
        ({"x": 1, "y": 2, "callback": 5}, r"callback=5: callback is a function"),
    ],
)
def test_bad_input_is_named_before_anything_runs(arguments: dict[str, object], told: str) -> None:
    """Each wrong argument by its name and value."""
    with pytest.raises(RxArgumentError, match=told):
        rx_exec(multiply, **arguments)  # type: ignore[arg-type]
