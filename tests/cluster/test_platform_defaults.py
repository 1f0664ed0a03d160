"""rxExec under the default settings of EMR and Dataproc, on a real YARN: executors come with the work and go when idle.

The settings are those that the services document and their clusters show, but for sizes, which fit nodes of 3 GB and
four cores, and for the time after which idle executors go, a minute there.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from yarn import SETTINGS, run

from rxspark import RxLocalSeq, rxElemArg, rxExec

pytestmark = pytest.mark.timeout(900)

DYNAMIC = {
    "spark.dynamicAllocation.enabled": "true",
    "spark.shuffle.service.enabled": "true",
    "spark.dynamicAllocation.executorIdleTimeout": "3s",
}
# An executor a node.
EMR = {
    **DYNAMIC,
    "spark.executor.cores": "2",
    "spark.executor.memory": "2000m",
    "spark.executor.memoryOverheadFactor": "0.1875",
    "spark.files.fetchFailure.unRegisterOutputOnHost": "true",
    "spark.hadoop.yarn.timeline-service.enabled": "false",
    "spark.stage.attempt.ignoreOnDecommissionFetchFailure": "true",
}
# An executor a node, as large as the node; twice as many partitions as cores.
EMR_MAXIMIZED = {
    **EMR,
    "spark.dynamicAllocation.enabled": "false",
    "spark.executor.cores": "4",
    "spark.executor.memory": "2560m",
    "spark.executor.instances": "3",
    "spark.default.parallelism": "24",
}
# Two executors a node; the application's master runs in the driver's JVM.
DATAPROC = {
    **DYNAMIC,
    "spark.dynamicAllocation.minExecutors": "1",
    "spark.dynamicAllocation.maxExecutors": "10000",
    "spark.executor.instances": "2",
    "spark.executor.cores": "2",
    "spark.executor.memory": "1100m",
    "spark.yarn.am.memory": "640m",
    "spark.yarn.unmanagedAM.enabled": "true",
    "spark.scheduler.mode": "FAIR",
    "spark.scheduler.minRegisteredResourcesRatio": "0.0",
    "spark.rpc.message.maxSize": "512",
    "spark.sql.cbo.enabled": "true",
    "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
}
PLATFORMS = {
    "emr": (EMR, {"left": 0, "partitions": 300}),
    "dataproc": (DATAPROC, {"left": 1, "partitions": 300}),
    "emr-maximized": (EMR_MAXIMIZED, {"left": 2, "partitions": 36}),
}

PROGRAM = """
import os, sys, time
import numpy as np
import pandas as pd
from rxspark import *
settings, share = eval(sys.argv[1]), sys.argv[2]
show = lambda name, value: print(name, repr(value), sep="=", flush=True)
rxSetComputeContext(RxSpark(master="yarn", hdfsShareDir=share, extraSparkConfig=settings))

def draws(number):
    import random
    return number, random.random(), float(np.random.normal())

def where(folder, number):
    import time
    from pyspark import TaskContext
    with open(f"{folder}/{number}", "a") as file:  # the nodes are on this machine
        file.write("x")
    time.sleep(8 if number == 7 else 0.01)
    return TaskContext.get().partitionId()

def executors():
    from pyspark import SparkContext
    return len(SparkContext.getOrCreate()._jsc.sc().statusTracker().getExecutorInfos()) - 1  # the driver is among them

def idle():  # waits until as many are left as stay; says how many
    until = time.monotonic() + 60
    while executors() != least and time.monotonic() < until:
        time.sleep(0.1)
    return executors()

least = int(sys.argv[3])

def timed(name, call):
    began = time.monotonic()
    show(name, (call(), time.monotonic() - began))

timed("first", lambda: list(rxExec(draws, rxElemArg(range(40)), RNGseed=11)))
show("idle", idle())
timed("second", lambda: list(rxExec(draws, rxElemArg(range(40)), RNGseed=11)))
show("idle_again", idle())
timed("pinged", lambda: [node["status"] for node in rxPingNodes().values()])
idle()
timed("once", lambda: list(rxExec(abs, -1, oncePerElem=True)))
shared = rxShare(np.arange(400_000.0))
idle()
timed("shared", lambda: list(rxExec(lambda x, k: float(x[k]), shared, rxElemArg(range(6)))))
idle()
timed("shared_again", lambda: list(rxExec(lambda x, k: float(x[k]), shared, rxElemArg(range(6)))))
shared.remove()
os.mkdir("ran")
timed("partitions", lambda: len(set(rxExec(where, os.path.abspath("ran"), rxElemArg(range(300))))))
show("ran_twice", [name for name in os.listdir("ran") if os.path.getsize(f"ran/{name}") > 1])
idle()
from pyspark.sql import SparkSession
table = SparkSession.builder.getOrCreate().createDataFrame(
    pd.DataFrame({"key": np.arange(3000) % 5, "x": np.arange(3000.0)}))
timed("groups", lambda: list(rxExecBy(table, "key", lambda keys, rows: float(rows["x"].sum()))))
"""


@pytest.fixture(
    scope="module",
    params=["emr", *(pytest.param(name, marks=pytest.mark.slow) for name in ("dataproc", "emr-maximized"))],
)
def platform(request: pytest.FixtureRequest) -> str:
    """The name of a platform."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def told(platform: str, cluster: Path, share: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Output of the program above, by name."""
    settings, expected = PLATFORMS[platform]
    arguments = [repr({**SETTINGS, **settings}), share, str(expected["left"])]
    lines = run(PROGRAM, tmp_path_factory.mktemp(platform), cluster, *arguments, PYSPARK_PYTHON=sys.executable)
    return {name: ast.literal_eval(value) for name, value in (line.split("=", 1) for line in lines if "=" in line)}


def _draws(number: int) -> tuple[int, float, float]:
    import random

    return number, random.random(), float(np.random.normal())


def test_the_numbers_are_those_of_one_machine_whether_or_not_executors_are_there(
    told: dict[str, Any], platform: str
) -> None:
    """In a first call, before which there are none, and in a second one, before which all have gone that may."""
    with RxLocalSeq():
        expected = list(rxExec(_draws, rxElemArg(range(40)), RNGseed=11))
    assert told["first"][0] == told["second"][0] == expected
    assert told["idle"] == told["idle_again"] == PLATFORMS[platform][1]["left"]


def test_nodes_answer_when_executors_have_gone(told: dict[str, Any]) -> None:
    """RxPingNodes and oncePerElem wait for an executor, and reach the hosts that there are then: one, this machine."""
    assert told["pinged"][0] == ["success"]
    assert told["once"][0] == [1]


def test_what_was_shared_reaches_executors_that_come_later(told: dict[str, Any]) -> None:
    """Nothing of rxShare is kept by an executor that has gone."""
    assert told["shared"][0] == told["shared_again"][0] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_work_is_cut_for_the_executors_that_may_come(told: dict[str, Any], platform: str) -> None:
    """A task a partition where there is no limit but 256 slots; three partitions for each slot of those that stay."""
    assert told["partitions"][0] == PLATFORMS[platform][1]["partitions"]


def test_no_task_runs_twice_as_idle_executors_go_under_a_call(told: dict[str, Any]) -> None:
    """One task of eight seconds keeps its executor; the others, which are idle for three, are released meanwhile."""
    assert told["ran_twice"] == []


def test_groups_of_a_table_are_shuffled_under_it(told: dict[str, Any]) -> None:
    """rxExecBy, whose groups are rows of a table: their sums."""
    assert told["groups"][0] == [float(np.arange(3000.0)[np.arange(3000) % 5 == key].sum()) for key in range(5)]


def test_no_call_waits_for_a_time_out(told: dict[str, Any]) -> None:
    """An executor takes seconds to come; Spark's own limits are of two minutes."""
    seconds = {name: value[1] for name, value in told.items() if isinstance(value, tuple)}
    assert len(seconds) == 8
    assert max(seconds.values()) < 100, seconds
