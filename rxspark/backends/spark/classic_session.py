"""A classic session: all that is kept for one Spark application while this process uses it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkContext, TaskContext
from pyspark.errors import PySparkException

from rxspark.backends.engine_errors import cause_without_jvm, full_text, with_java
from rxspark.backends.spark.accumulator import ResultAccumulator
from rxspark.backends.spark.base import MAX_RESULT_SIZE, submit_lock
from rxspark.backends.spark.cluster import Located, executor_hosts, hosts_of_tasks, run_on_each, slots_of
from rxspark.backends.spark.preflight import HostAnswer, Preflight, start_problem
from rxspark.backends.spark.session import Application
from rxspark.backends.spark.worker_start import with_this_rxspark
from rxspark.worker.delivery import ResultMessage

__all__ = ["ClassicSession", "classic_session"]

_sessions: weakref.WeakKeyDictionary[SparkContext, ClassicSession] = weakref.WeakKeyDictionary()


def classic_session(application: Application) -> ClassicSession:
    """Return the session of an application, the same one to all its calls."""
    with submit_lock:
        if application.context not in _sessions:
            _sessions[application.context] = ClassicSession(application)
        return _sessions[application.context]


class ClassicSession:
    """Settings, hosts, preflight, FAIR pools, and the one accumulator, which PySpark's registry keeps for ever."""

    def __init__(self, application: Application) -> None:
        context = self._context = application.context
        self._names: dict[str, str] = {}
        self._asked: tuple[int, dict[int, str]] = 0, {}
        """The stage that has asked all slots last, and the name that each of its tasks has found for its host."""
        self._receivers: dict[str, Callable[[ResultMessage], None]] = {}
        self.slots_now = slots_of(context)
        """Asks how many tasks the present executors run at once."""
        self.preflight = Preflight(self._in_all_slots, application.has_our_environment())
        self.accumulator = context.accumulator([], ResultAccumulator(self._deliver))
        self.settings = application.settings
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
        (stage, tasks), self._asked = self._asked, (0, {})
        self._names.update(hosts_of_tasks(self._context, stage, tasks))
        new = [Located(host, host) for host in hosts if host not in self._names]
        self._names.update(run_on_each(self._context, new, _own_name)[0])
        return {host: self._names[host] for host in hosts if host in self._names}

    def _in_all_slots(self, run: Callable[[Any], Iterator[HostAnswer]]) -> list[HostAnswer]:
        slots = max(1, self.slots_now())
        try:
            asked = self._context.parallelize(range(slots), slots).mapPartitions(with_this_rxspark(_WithTask(run)))
            found: list[tuple[int, int, HostAnswer]] = asked.collect()
        except (Py4JJavaError, PySparkException) as error:
            raise with_java(start_problem(full_text(error)), error) from cause_without_jvm(error)
        self._asked = found[0][0], {task: name for _, task, (name, _) in found}
        return [answer for _, _, answer in found]

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


class _WithTask:
    """Runs a question, and tells by which stage and task, as Spark knows the host of each."""

    def __init__(self, run: Callable[[Any], Iterator[HostAnswer]]) -> None:
        self._run = run

    def __call__(self, slots: Any) -> Iterator[tuple[int, int, HostAnswer]]:
        task: Any = TaskContext.get()
        for answer in self._run(slots):
            yield task.stageId(), task.taskAttemptId(), answer


def _own_name(host: str) -> Iterator[tuple[str, str]]:
    """On an executor: its host, as Spark calls it, and as it names itself."""
    yield host, socket.gethostname()
