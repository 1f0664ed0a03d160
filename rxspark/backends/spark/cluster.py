"""The machines of a classic Spark application: how many tasks they run at once, and how to run one on each of them.

A barrier stage would reach each machine too, but Spark refuses it under dynamic allocation, and lets it wait for ever
where it asks for more slots than there are. So each element names the host that it prefers, and one that Spark has
given to another host after all, because its own was busy, is left to the next round.
"""

from __future__ import annotations

import pickle
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from pyspark import RDD, SparkContext
from pyspark.serializers import CPickleSerializer

from rxspark.backends.spark.base import submit_lock
from rxspark.backends.spark.worker_start import with_this_rxspark

__all__ = ["Located", "executor_hosts", "hosts_of_tasks", "run_on_each", "slots_of"]

# Seconds until the next look at hosts that were busy, or at executors that Spark has not told of yet.
_PAUSE_S = 1.0

# Seconds in which Spark's own table of executors knows of one that has just run a job.
_TABLE_TIMEOUT_S = 10.0

# The same of its table of tasks, in whose place another job can ask.
_TASKS_TIMEOUT_S = 1.0

_ALL = (1 << 31) - 1  # Java's largest number


class Located(NamedTuple):
    """An element, and the host that shall get it, as Spark calls it."""

    host: str
    value: Any


def slots_of(context: SparkContext) -> Callable[[], int]:
    """Return a function that asks how many tasks the present executors run at once, by one call of the JVM.

    `spark.default.parallelism` says nothing of that.
    """
    scala: Any = context._jsc.sc()
    profile = scala.resourceProfileManager().defaultResourceProfile()
    return lambda: int(scala.maxNumConcurrentTasks(profile))


def executor_hosts(context: SparkContext) -> list[str]:
    """The hosts of the executors that are there, as Spark calls them, sorted; at least one."""
    deadline = time.monotonic() + _TABLE_TIMEOUT_S
    while True:
        hosts = _listed(context)
        if hosts or time.monotonic() > deadline:
            return hosts
        context.parallelize([0], 1).count()  # waits until there is an executor
        time.sleep(_PAUSE_S / 10)


def _listed(context: SparkContext) -> list[str]:
    hosts = [str(executor.host()) for executor in context._jsc.sc().statusTracker().getExecutorInfos()]
    driver = context._jsc.sc().conf().get("spark.driver.host")
    if driver in hosts:
        hosts.remove(driver)  # once: executors may be on its host, too
    return sorted(set(hosts))


def hosts_of_tasks(context: SparkContext, stage: int, names: Mapping[int, str]) -> dict[str, str]:
    """The hosts of tasks that have run, as Spark calls them, and by the names that these tasks have found.

    As far as Spark's table of tasks tells, in which those that ended last come some milliseconds late.
    """
    deadline = time.monotonic() + _TASKS_TIMEOUT_S
    while True:
        found = _hosts_in_table(context, stage, names)
        if len(found) == len({*names.values()}) or time.monotonic() > deadline:
            return found
        time.sleep(_PAUSE_S / 100)


def _hosts_in_table(context: SparkContext, stage: int, names: Mapping[int, str]) -> dict[str, str]:
    """The hosts by name: one task for each name, as each look costs calls of the JVM."""
    found: dict[str, str] = {}
    left = {*names.values()}
    scala: Any = context._jsc.sc()
    tasks = scala.statusStore().taskList(stage, 0, _ALL)
    for number in range(tasks.size()):
        if not left:
            break
        task = tasks.apply(number)
        name = names.get(int(task.taskId()))
        if name in left:
            found[str(task.host())] = name
            left.remove(name)
    return found


def _preferring(context: SparkContext, elements: Iterable[Located]) -> RDD[Located]:
    """An RDD with a partition for each element, which Spark runs on the element's host if it can."""
    jvm: Any = context._jvm
    sequence = jvm.PythonUtils.toSeq
    pairs = [jvm.scala.Tuple2(bytearray(pickle.dumps(element, 5)), sequence([element.host])) for element in elements]
    bytes_of_java = jvm.scala.reflect.ClassTag.apply(jvm.java.lang.Class.forName("[B"))
    made = context._jsc.sc().makeRDD(sequence(pairs), bytes_of_java)
    return RDD(made.toJavaRDD(), context, CPickleSerializer())


def run_on_each(
    context: SparkContext,
    elements: list[Located],
    run: Callable[[Any], Iterator[Any]],
    wanted: Callable[[], bool] = lambda: True,
) -> tuple[list[Any], list[str]]:
    """Run a function on each element where its host is, busy ones when they are free; what it gives, and hosts gone."""
    found: list[Any] = []
    gone: list[str] = []
    while elements and wanted():
        with submit_lock:
            rdd = _preferring(context, elements).mapPartitions(with_this_rxspark(_OnItsHost(run)))
            rdd._jrdd  # noqa: B018 - pickles the command
        answers = rdd.collect()
        missed = {answer.host for answer in answers if isinstance(answer, _WrongHost)}
        found += [answer for answer in answers if not isinstance(answer, _WrongHost)]
        there = set(_listed(context)) if missed else set()
        gone += sorted(missed - there)
        elements = [element for element in elements if element.host in missed & there]
        if elements:
            time.sleep(_PAUSE_S)
    return found, gone


class _WrongHost(NamedTuple):
    """Tells that the element of a host has come to another one."""

    host: str


class _OnItsHost:
    """Runs a function on the elements that have come to their hosts."""

    def __init__(self, run: Callable[[Any], Iterator[Any]]) -> None:
        self._run = run

    def __call__(self, elements: Iterable[Located]) -> Iterator[Any]:
        for host, value in list(elements):  # read to its end, or PySpark throws the worker away
            yield from self._run(value) if _is_here(host) else [_WrongHost(host)]


def _is_here(host: str) -> bool:
    """Tell whether this machine has the address: then, and only then, a socket can be bound to it."""
    for family, kind, protocol, _, address in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM):
        with closing(socket.socket(family, kind, protocol)) as probe:
            try:
                probe.bind(address)
            except OSError:
                continue
            return True
    return False
