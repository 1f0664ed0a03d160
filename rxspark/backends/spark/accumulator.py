"""Bring results home from Spark's executors by an accumulator, each partition as it finishes."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkContext
from pyspark.accumulators import AccumulatorParam
from pyspark.errors import PySparkException

from rxspark.backends.base import Work
from rxspark.backends.engine_errors import cause_without_jvm, full_text, with_java
from rxspark.backends.spark.base import MAX_RESULT_SIZE, submitting
from rxspark.backends.spark.cluster import Located, executor_hosts, run_on_each, slots_now
from rxspark.backends.spark.preflight import HostAnswer, Preflight, start_problem
from rxspark.backends.spark.session import Application
from rxspark.backends.spark.worker_start import with_this_rxspark
from rxspark.worker.delivery import ResultMessage

__all__ = ["Mailbox"]

Update = list[tuple[str, ResultMessage]]


class _Letters(AccumulatorParam[Update]):
    """Results on their way: gathered in the worker, handed to their owner in the driver."""

    def __init__(self, deliver: Callable[[str, ResultMessage], None] | None = None) -> None:
        self._deliver = deliver

    def zero(self, value: Update) -> Update:
        return []

    def addInPlace(self, value: Update, update: Update) -> Update:
        if self._deliver is None:
            value.extend(update)
        else:
            for work_id, letter in update:
                self._deliver(work_id, letter)
        return value

    def __reduce__(self) -> Any:
        return _Letters, ()


class Mailbox:
    """Cache of an application: above all its one accumulator, which PySpark's registry keeps for ever."""

    def __init__(self, application: Application) -> None:
        context = self._context = application.context
        self._names: dict[str, str] = {}
        self._works: dict[str, Work] = {}
        self.preflight = Preflight(partial(_in_all_slots, context), application.has_our_environment())
        self.letters = context.accumulator([], _Letters(self._deliver))
        self.settings = dict(context.getConf().getAll())
        """The application's, which stay as they are: to ask the JVM for them takes 25 ms."""
        self.most = int(context._jsc.sc().conf().getSizeAsBytes(MAX_RESULT_SIZE, "1g"))
        """Bytes that Spark brings in one job; 0: without limit."""
        self.limit = f"{MAX_RESULT_SIZE}={self.settings.get(MAX_RESULT_SIZE, '1g')}"
        self.fair = self.settings.get("spark.scheduler.mode", "FIFO").upper() == "FAIR"
        self._pools: set[str] = set()
        if self.fair and application.own:
            # Spark warns of each new pool that no file describes it.
            jvm: Any = context._jvm
            logging, builder = jvm.org.apache.logging.log4j, "org.apache.spark.scheduler.FairSchedulableBuilder"
            logging.core.config.Configurator.setLevel(builder, logging.Level.ERROR)
        self.running: set[str] = set()
        """The calls that Spark runs now, by id."""

    def _deliver(self, work_id: str, letter: ResultMessage) -> None:
        work = self._works.get(work_id)
        if work is not None:  # else the call has been given up meanwhile
            work.receive(letter)

    def names(self) -> dict[str, str]:
        """The hosts of the executors that are there, as Spark calls them, and as they name themselves."""
        hosts = executor_hosts(self._context)
        new = [Located(host, host) for host in hosts if host not in self._names]
        self._names.update(run_on_each(self._context, new, _own_name)[0])
        return {host: self._names[host] for host in hosts if host in self._names}

    @contextlib.contextmanager
    def pool(self) -> Iterator[str]:
        """The name of a FAIR pool that no other job uses now; used again, as Spark keeps pools for ever."""
        with submitting:
            name = next(name for name in map("rxspark-{}".format, itertools.count(1)) if name not in self._pools)
            self._pools.add(name)
        try:
            yield name
        finally:
            self._pools.discard(name)

    @contextlib.contextmanager
    def open(self, work: Work) -> Iterator[None]:
        self._works[work.id] = work
        try:
            yield
        finally:
            del self._works[work.id]


def _own_name(host: str) -> Iterator[tuple[str, str]]:
    """On an executor: its host, as Spark calls it, and as it names itself."""
    yield host, socket.gethostname()


def _in_all_slots(context: SparkContext, run: Callable[[Any], Iterator[HostAnswer]]) -> list[HostAnswer]:
    slots = max(1, slots_now(context))
    try:
        found: list[HostAnswer] = (
            context.parallelize(range(slots), slots).mapPartitions(with_this_rxspark(run)).collect()
        )
    except (Py4JJavaError, PySparkException) as error:
        raise with_java(start_problem(full_text(error)), error) from cause_without_jvm(error)
    return found
