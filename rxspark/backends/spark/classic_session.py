"""A classic session: all that is kept for one Spark application while this process uses it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkContext
from pyspark.errors import PySparkException

from rxspark.backends.engine_errors import cause_without_jvm, full_text, with_java
from rxspark.backends.spark.accumulator import ResultAccumulator
from rxspark.backends.spark.base import MAX_RESULT_SIZE, submit_lock
from rxspark.backends.spark.cluster import Located, executor_hosts, run_on_each, slots_now
from rxspark.backends.spark.preflight import HostAnswer, Preflight, start_problem
from rxspark.backends.spark.session import Application
from rxspark.backends.spark.worker_start import with_this_rxspark
from rxspark.worker.delivery import ResultMessage

__all__ = ["ClassicSession", "classic_session"]

_sessions: weakref.WeakKeyDictionary[SparkContext, ClassicSession] = weakref.WeakKeyDictionary()


def classic_session(application: Application) -> ClassicSession:
    """Give the session of an application, the same one to all its calls."""
    with submit_lock:
        if application.context not in _sessions:
            _sessions[application.context] = ClassicSession(application)
        return _sessions[application.context]


class ClassicSession:
    """Settings, hosts, preflight, FAIR pools, and the one accumulator, which PySpark's registry keeps for ever."""

    def __init__(self, application: Application) -> None:
        context = self._context = application.context
        self._names: dict[str, str] = {}
        self._receivers: dict[str, Callable[[ResultMessage], None]] = {}
        self.preflight = Preflight(partial(_in_all_slots, context), application.has_our_environment())
        self.accumulator = context.accumulator([], ResultAccumulator(self._deliver))
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

    def _deliver(self, call_id: str, message: ResultMessage) -> None:
        receive = self._receivers.get(call_id)
        if receive is not None:  # else the call has been given up meanwhile
            receive(message)

    def names(self) -> dict[str, str]:
        """The hosts of the executors that are there, as Spark calls them, and as they name themselves."""
        hosts = executor_hosts(self._context)
        new = [Located(host, host) for host in hosts if host not in self._names]
        self._names.update(run_on_each(self._context, new, _own_name)[0])
        return {host: self._names[host] for host in hosts if host in self._names}

    @contextlib.contextmanager
    def pool(self) -> Iterator[str]:
        """The name of a FAIR pool that no other job uses now; used again, as Spark keeps pools for ever."""
        with submit_lock:
            name = next(name for name in map("rxspark-{}".format, itertools.count(1)) if name not in self._pools)
            self._pools.add(name)
        try:
            yield name
        finally:
            self._pools.discard(name)

    @contextlib.contextmanager
    def receiving(self, call_id: str, receive: Callable[[ResultMessage], None]) -> Iterator[None]:
        """Hand the results of a call to `receive` in this time."""
        self._receivers[call_id] = receive
        try:
            yield
        finally:
            del self._receivers[call_id]


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
