"""RxSpark on the classic engine: one Spark job a call, one accumulator for what comes back.

Spark hands the driver an accumulator's updates partition by partition while the job still runs, each exactly once,
retried and speculative attempts included. So results come home that way: a job that is aborted or cancelled has
lost nothing that was finished, and the action itself, a bare count, returns no data.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import socket
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import Broadcast, InheritableThread, SparkContext, TaskContext
from pyspark.errors import PySparkException

from rxspark.backends.base import Attempt, caller_environment
from rxspark.backends.spark.base import SparkEngine, result_sink, slots_to_come, submit_lock
from rxspark.backends.spark.classic_session import classic_session
from rxspark.backends.spark.cluster import Located, run_on_each
from rxspark.backends.spark.connect_worker import joined
from rxspark.backends.spark.hadoop_tokens import PROPERTY, present_tokens, take_tokens
from rxspark.backends.spark.keepalive import UDF_SETTINGS, keepalive, keepalive_interval
from rxspark.backends.spark.session import Application, has_ended
from rxspark.backends.spark.worker_start import with_this_rxspark
from rxspark.contexts import RxSpark
from rxspark.data.bundle import Bundle
from rxspark.data.local_files import local_folder
from rxspark.data.refs import DataRef, LocalFileRef
from rxspark.data.stores import FILE_THRESHOLD, DataStore, LocalStore, SharedFolderStore, inline
from rxspark.files.paths import FsPath, open_path
from rxspark.results import node_name
from rxspark.serialize.payload import Requirements
from rxspark.user_paths import share_folder
from rxspark.worker.delivery import ResultSink
from rxspark.worker.gc_freeze import freeze_loaded_modules
from rxspark.worker.retirement import is_retiring
from rxspark.worker.runner import PartitionRunner

__all__ = ["ClassicBackend"]


# A batch of no values, as PySpark writes the values of an RDD.
_SIGN = (lambda batch: len(batch).to_bytes(4, "big") + batch)(pickle.dumps([]))


class _RunPartition:
    """The function that Spark runs for each of its partitions."""

    def __init__(
        self, call_id: str, runner: PartitionRunner, accumulator: Any, keepalive_interval: float | None
    ) -> None:
        self._call_id = call_id
        self._runner = runner
        self._accumulator = accumulator
        self._sign_interval = keepalive_interval

    def __call__(self, partitions: Iterable[DataRef]) -> Iterator[Any]:
        freeze_loaded_modules()
        _acknowledge_quickly()
        task: Any = TaskContext.get()
        take_tokens(task.getLocalProperty(PROPERTY))
        attempt = self._runner.attempt + task.attemptNumber()
        run = replace(self._runner, attempt=attempt)
        for partition in partitions:  # read to its end, or PySpark throws the worker away
            with keepalive(_SIGN, self._sign_interval):
                message = run(partition)
            self._accumulator.add([(self._call_id, message)])
            if is_retiring():
                break
        return iter(())


class _TakeMessages:
    """The function that Spark runs on the messages of partitions that it has run by a DataFrame."""

    def __init__(self, call_id: str, accumulator: Any) -> None:
        self._call_id = call_id
        self._accumulator = accumulator

    def __call__(self, rows: Iterable[Any]) -> Iterator[Any]:
        for message in joined(rows):
            self._accumulator.add([(self._call_id, message)])
        return iter(())


class ClassicBackend(SparkEngine):
    """Runs calls as jobs of one Spark application."""

    _foreign = (Py4JJavaError, PySparkException)

    def __init__(self, application: Application, context: RxSpark) -> None:
        self._context = application.context
        self._session = classic_session(application)
        self._local = self.same_host = application.local
        self._share_dir, self._share_folder = context.share_dir, share_folder(context)
        self._here = local_folder(context.share_dir) if application.local else None
        self.journals = str(self._here) if self._here else None
        self.process_environment = caller_environment() if application.local else None
        self.draws_bar = self._session.settings.get("spark.ui.showConsoleProgress") == "true"  # as in PySpark's shell

    def check(self, requirements: Requirements) -> None:
        self._session.preflight.check(requirements, self._probed_folder())

    def _probed_folder(self) -> FsPath | None:
        here_only = open_path(self._share_dir) if self._share_dir and self._local else None
        return self._share_folder or here_only

    def slots(self, tasks: int, options: Mapping[str, Any]) -> int:
        to_come = 0 if self._local else slots_to_come(self._session.settings.get)
        return max(1, self._session.slots_now(), to_come)

    def nodes(self) -> list[str]:
        if self._local:
            return [socket.gethostname()]
        self._session.preflight.survey(self._probed_folder())  # its job tells the names, too, and waits for executors
        return sorted(set(self._session.names().values()))

    def cancel(self, attempt: Attempt) -> None:
        if attempt.call_id not in self._session.running:  # Spark would log a warning
            return
        with contextlib.suppress(Py4JError, AttributeError):  # the application has been stopped: nothing runs
            self._context.cancelJobGroup(attempt.call_id)

    def _setting(self, name: str, default: str) -> str:
        return self._session.settings.get(name, default)

    def _has_ended(self) -> bool:
        return has_ended(self._context)

    def _thread(self, run: Callable[[], None], name: str) -> threading.Thread:
        return InheritableThread(target=run, name=name, daemon=True)  # it has a thread of the JVM to itself

    def _listening(self, attempt: Attempt) -> AbstractContextManager[None]:
        return self._session.receiving(attempt.call_id, attempt.deliver)

    def new_thread(self, run: Callable[[], None], name: str) -> threading.Thread:
        return InheritableThread(target=self._in_a_pool(run), name=name, daemon=True)

    def at_exit(self, end: Callable[[], None]) -> None:
        atexit.register(end)

    def _in_a_pool(self, run: Callable[[], None]) -> Callable[[], None]:
        """Run in a FAIR pool of its own, unless the user has named one: jobs in one pool go one after another."""

        def run_so() -> None:
            if not self._session.fair or self._context.getLocalProperty("spark.scheduler.pool") is not None:
                run()
                return
            with self._session.pool() as name:
                self._context.setLocalProperty("spark.scheduler.pool", name)
                run()

        return run_so

    def _submit(self, attempt: Attempt) -> str:
        self._context.setJobGroup(attempt.call_id, attempt.description, interruptOnCancel=True)
        with self._store() as store, self._result_sink(attempt.call_id) as sink:
            with submit_lock:
                program = store.put(attempt.program, attempt.stored_program)
            runner = PartitionRunner(
                program=program, sink=sink, attempt=attempt.number, process_environment=self.process_environment
            )
            self._session.running.add(attempt.call_id)
            try:
                return self._run_windows(attempt, lambda window: self._run_job(window, runner))
            finally:
                self._session.running.discard(attempt.call_id)

    def _run_job(self, attempt: Attempt, runner: PartitionRunner) -> str:
        if "spark.kerberos.keytab" in self._session.settings:
            self._context.setLocalProperty(PROPERTY, present_tokens(self._context._jvm))
        with self._store() as store:
            with submit_lock:
                partitions = [store.put_partition(data) for _, data in attempt.partitions]
            if self.table is not None:
                interval = keepalive_interval(UDF_SETTINGS, self._setting)
                self._deliver(attempt, self.table.results(attempt, runner, partitions, interval))
                return ""
            interval = keepalive_interval("spark.python.worker", self._setting)
            run = _RunPartition(attempt.call_id, runner, self._session.accumulator, interval)
            if attempt.nodes and not self._local:
                return self._run_on_nodes(attempt, partitions, run)
            self._run_anywhere(attempt, partitions, run)
            return ""

    def _run_anywhere(self, attempt: Attempt, partitions: list[DataRef], run: _RunPartition) -> None:
        with submit_lock:
            # Taking the JVM's side of the RDD pickles the command. Counting there returns one number by the gateway;
            # PySpark's own actions open one more socket, for data that we do not have (about 10 ms).
            job = self._context.parallelize(partitions, len(partitions)).mapPartitions(with_this_rxspark(run))._jrdd
        if not attempt.cancelled.is_set():
            job.count()

    def _deliver(self, attempt: Attempt, messages: Any) -> None:
        """Run a DataFrame that gives messages in pieces, and take them by the accumulator."""
        with submit_lock:
            take = with_this_rxspark(_TakeMessages(attempt.call_id, self._session.accumulator))
            job = messages.rdd.mapPartitions(take)._jrdd
        if not attempt.cancelled.is_set():
            job.count()

    def _run_on_nodes(self, attempt: Attempt, partitions: list[DataRef], run: _RunPartition) -> str:
        """Send each partition to the node of its task; return which nodes are gone."""
        hosts = {node_name(name): host for host, name in self._session.names().items()}
        nodes = attempt.partition_nodes
        both = zip(nodes, partitions, strict=True)
        elements = [Located(hosts[node], partition) for node, partition in both if node in hosts]
        _, gone = run_on_each(
            self._context, elements, lambda partition: run([partition]), lambda: not attempt.cancelled.is_set()
        )
        lost = [node for node in nodes if node not in hosts or hosts[node] in gone]
        return f"no executor is left on {', '.join(lost)}" if lost else ""

    def _result_sink(self, call_id: str) -> AbstractContextManager[ResultSink]:
        return result_sink(call_id, self._share_folder, self._here, self._session.most, self._session.limit)

    def _store(self) -> DataStore:
        if self._local:
            return LocalStore(self._share_dir)
        if self._share_folder:
            return SharedFolderStore(self._share_folder)
        return BroadcastStore(self._context, self._session.settings)


class _Broadcast(Broadcast[Any]):
    """A broadcast whose file is a bundle, to be mapped, and no pickle."""

    def dump(self, value: Bundle, f: BinaryIO) -> None:
        value.write(f)
        f.close()


@dataclass(frozen=True)
class _BroadcastRef:
    """A bundle that Spark carries once to each executor."""

    broadcast: Broadcast[Any]

    def open(self) -> Bundle:
        """Return the bundle, on an executor; that of an encrypted broadcast comes as bytes."""
        path = getattr(self.broadcast, "_path", None)
        ref: DataRef = self.broadcast.value if path is None else LocalFileRef(path)
        return ref.open()


class BroadcastStore(DataStore):
    """Carries the program as Spark carries large things, once to each executor.

    Elements, each for one task, stay in the description of their tasks: a broadcast goes to every executor.
    """

    least = FILE_THRESHOLD

    def __init__(self, context: SparkContext, settings: Mapping[str, str]) -> None:
        super().__init__()
        self._context = context
        self._encrypted = settings.get("spark.io.encryption.enabled", "false") == "true"

    def put_partition(self, bundle: Bundle) -> DataRef:
        return inline(bundle)

    def _store(self, bundle: Bundle) -> DataRef:
        # Encrypted ones come out of a pipe on the executor, so there is nothing to map: as any other broadcast.
        sent = (
            self._context.broadcast(inline(bundle))
            if self._encrypted
            else _Broadcast(self._context, bundle, self._context._pickled_broadcast_vars)
        )
        self._removals.callback(_destroy, sent)
        return _BroadcastRef(sent)


def _destroy(sent: Broadcast[Any]) -> None:
    with contextlib.suppress(Py4JError, AttributeError):  # the application has been stopped: nothing is left
        sent.destroy()


def _acknowledge_quickly() -> None:
    """Spare each read of a task's input the 40 ms that TCP may wait before it acknowledges.

    In sessions with the default TCP sockets the JVM holds back its small second write until the first one was
    acknowledged (Nagle), and the kernel delays that. The setting does not last, hence once a task; Linux only.
    """
    if not hasattr(socket, "TCP_QUICKACK") or os.environ.get("PYTHON_UNIX_DOMAIN_ENABLED", "").lower() == "true":
        return
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                if connection.family in (socket.AF_INET, socket.AF_INET6):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
