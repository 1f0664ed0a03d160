"""A Spark with many small executors on this machine (local-cluster), and what calls on it take of its driver."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.processes import children, command, memory_mb, parent, processor
from benchmarks.tasks import noop
from rxspark import RxSpark, rxExec

__all__ = ["Cluster", "Spent", "many_executors", "memory_of", "own_executor"]

# Megabytes of an executor's heap at most; what it takes is less, and measured.
HEAP_MB = 512

START_LIMIT_S = 1200.0

JAVA_OPTIONS = (
    "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:CICompilerCount=1 -Xss512k -Xms24m "
    "-XX:ReservedCodeCacheSize=32m -XX:MinHeapFreeRatio=10 -XX:MaxHeapFreeRatio=20"
)

SETTINGS = {
    "spark.executor.memory": f"{HEAP_MB}m",
    "spark.ui.enabled": "false",
    "spark.log.level": "OFF",
    "spark.network.timeout": "600s",  # where all start at once on few cores, one may be silent for minutes
    **dict.fromkeys(
        (
            "spark.rpc.io.serverThreads",
            "spark.rpc.io.clientThreads",
            "spark.rpc.netty.dispatcher.numThreads",
            "spark.shuffle.io.serverThreads",
            "spark.shuffle.io.clientThreads",
        ),
        "2",
    ),
}


def many_executors(count: int, java_options: str) -> RxSpark:
    """Return a context with so many executors, each with one slot."""
    settings = SETTINGS | {"spark.executor.extraJavaOptions": f"{JAVA_OPTIONS} {java_options}"}
    return RxSpark(master=f"local-cluster[{count},1,{HEAP_MB}]", driverMem="2g", extraSparkConfig=settings)


class Spent(NamedTuple):
    """Time, processor time and memory of a call."""

    seconds: float
    python: float
    """Processor time of the driver's Python, in seconds as that of its JVM."""
    jvm: float
    python_mb: float
    """Megabytes that the driver's Python has grown by, in megabytes as the heap of its JVM."""
    jvm_mb: float


class Cluster:
    """A session with so many executors, all of them there."""

    def __init__(self, executors: int) -> None:
        began = time.perf_counter()
        rxExec(noop)
        from pyspark import SparkContext

        self.count = executors
        self.spark: Any = SparkContext.getOrCreate()
        gateway: Any = self.spark._gateway
        self.jvm: int = gateway.proc.pid
        tracker = self.spark._jsc.sc().statusTracker()
        while len(tracker.getExecutorInfos()) <= executors:  # the driver is one of them
            if time.perf_counter() - began > START_LIMIT_S:
                raise RuntimeError(f"{len(self.executors())} of {executors} executors have started")
            time.sleep(0.1)
        self.seconds = time.perf_counter() - began

    def executors(self) -> list[int]:
        """The processes of the executors."""
        return [pid for pid in children(self.jvm) if is_executor(pid)]

    def heap_mb(self) -> float:
        """Megabytes that the driver's JVM holds and needs."""
        java: Any = self.spark._jvm.java.lang
        java.System.gc()
        runtime = java.Runtime.getRuntime()
        return float(runtime.totalMemory() - runtime.freeMemory()) / 1e6

    def spent(self, call: Callable[[], object]) -> Spent:
        """Run a call and keep its results until its memory is measured."""
        resident, heap = memory_mb(os.getpid(), "Rss"), self.heap_mb()
        began, python, java = time.perf_counter(), time.process_time(), processor(self.jvm)
        results = call()
        took = (
            time.perf_counter() - began,
            time.process_time() - python,
            processor(self.jvm) - java,
        )
        grown = memory_mb(os.getpid(), "Rss") - resident, self.heap_mb() - heap
        del results
        return Spent(*took, *grown)


def is_executor(pid: int) -> bool:
    """Tell whether a process is the JVM of an executor."""
    return b"CoarseGrainedExecutorBackend" in command(pid)


def own_executor() -> int:
    """In a task: the process of its executor."""
    pid = os.getpid()
    while pid > 1 and not is_executor(pid):
        pid = parent(pid)
    return pid


def memory_of(cluster: Cluster) -> dict[str, float]:
    """Megabytes of the driver's Python and JVM, and of one executor of all, as JVM and as Python."""
    executors = cluster.executors()
    daemons = [pid for executor in executors for pid in children(executor)]
    workers = [pid for daemon in daemons for pid in children(daemon)]
    return {
        "python": memory_mb(os.getpid(), "Rss"),
        "jvm": memory_mb(cluster.jvm, "Rss"),
        "executor jvm": sum(memory_mb(pid, "Pss") for pid in executors) / cluster.count,
        "executor python": sum(memory_mb(pid, "Pss") for pid in daemons + workers) / cluster.count,
    }
