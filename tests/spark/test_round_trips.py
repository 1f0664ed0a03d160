"""Round trips of a call: its own job of Spark, one before it in a new session, and few calls of the driver's JVM."""

from __future__ import annotations

import ast
from pathlib import Path

from spark_programs import STEP, said

# Calls of the JVM, of which PySpark's part in a job makes some twenty, by its version.
_MOST_ROUND_TRIPS = 40

COSTS = """
import sys
from py4j.java_gateway import GatewayClient
trips, send = [], GatewayClient.send_command
def counted(self, command, *more, **named):
    if not command.startswith("m"):  # else memory that is let go, now or later
        trips.append(command)
    return send(self, command, *more, **named)
GatewayClient.send_command = counted

# To read all settings takes nine calls of the JVM for each of them.
config = {f"spark.mine.number{i}": i for i in range(60)} | {"spark.ui.enabled": False}
context = RxSpark(master="local-cluster[1,2,1024]", hdfsShareDir="file://" + sys.argv[1], extraSparkConfig=config)

def jobs_so_far():
    # Spark numbers them; this makes one more.
    from pyspark import SparkContext
    spark = SparkContext._active_spark_context
    spark.setJobGroup("counting", "")
    spark.parallelize([1], 1).count()
    return max(spark.statusTracker().getJobIdsForGroup("counting"))

def on_each_node():
    import socket
    names = rxExec(socket.gethostname, oncePerElem=True).names
    assert names == [socket.gethostname().upper()], names

def call():
    assert list(rxExec(pow, rxElemArg([2, 3]), 2)) == [4, 9]

"""

CALLS = """
with context:
    @step
    def first():
        call()
        return jobs_so_far()

    @step
    def warm():
        before = jobs_so_far()
        call()
        return jobs_so_far() - before - 1

    @step
    def round_trips():
        trips.clear()
        call()
        return len(trips)
"""


NODES = """
with context:
    @step
    def first():
        on_each_node()
        return jobs_so_far()

    @step
    def warm():
        before = jobs_so_far()
        on_each_node()
        return jobs_so_far() - before - 1
"""


def test_a_first_call_is_two_jobs_and_a_later_one_is_one_with_few_calls_of_the_jvm(tmp_path: Path) -> None:
    """Executors are looked at once, and settings are read once, however many there are; with a share folder as well."""
    told = _told(COSTS + CALLS, tmp_path)
    assert (told["first"], told["warm"]) == (2, 1)
    assert told["round_trips"] <= _MOST_ROUND_TRIPS


def test_a_first_call_on_each_node_is_two_jobs_too_and_a_later_one_is_one(tmp_path: Path) -> None:
    """The job that looks at executors also tells the nodes' names; nothing else is asked of nodes that are known."""
    assert _told(COSTS + NODES, tmp_path) == {"first": 2, "warm": 1}


def _told(code: str, folder: Path) -> dict[str, int]:
    lines = said(STEP + code, str(folder))
    return {name: ast.literal_eval(value) for name, value in (line.split("=") for line in lines)}
