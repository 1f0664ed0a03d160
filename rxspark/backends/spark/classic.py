"""RxSpark on the classic engine: one Spark job a call, one accumulator for what comes back.

Spark hands the driver an accumulator's updates partition by partition while the job still runs, each exactly once,
retried and speculative attempts included. So results come home that way: a job that is aborted or cancelled has
lost nothing that was finished, and the action itself, a bare count, returns no data.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import stat
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, BinaryIO

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import Broadcast, InheritableThread, SparkContext, TaskContext
from pyspark.errors import PySparkException

from rxspark.backends.base import Work, here
from rxspark.backends.spark.accumulator import Mailbox
from rxspark.backends.spark.base import SparkEngine, outbox, slots_to_come, submitting
from rxspark.backends.spark.cluster import Located, run_on_each, slots_now
from rxspark.backends.spark.session import Application, has_ended
from rxspark.backends.spark.worker_start import with_this_rxspark
from rxspark.contexts import RxSpark
from rxspark.data.bundle import Bundle
from rxspark.data.local_files import local_folder
from rxspark.data.refs import DataRef, LocalFileRef
from rxspark.data.stores import FILE_THRESHOLD, DataStore, LocalStore, SharedFolderStore, inline
from rxspark.files.paths import open_path
from rxspark.results import node_name
from rxspark.user_paths import share_folder
from rxspark.worker.delivery import ResultSink
from rxspark.worker.gc_freeze import freeze_loaded_modules
from rxspark.worker.leaving import must_leave
from rxspark.worker.runner import run_partition

__all__ = ["SparkBackend"]

_mailboxes: weakref.WeakKeyDictionary[SparkContext, Mailbox] = weakref.WeakKeyDictionary()


class _RunPartition:
    """Function that Spark runs for each of its partitions."""

    def __init__(
        self,
        work: Work,
        call: DataRef | Broadcast[Any],
        letters: Any,
        outbox: ResultSink,
        process_environment: bytes | None,
    ) -> None:
        self._work_id = work.id
        self._attempt = work.attempt
        self._call = call
        self._letters = letters
        self._outbox = outbox
        self._surroundings = process_environment

    def __call__(self, partitions: Iterable[DataRef]) -> Iterator[Any]:
        freeze_loaded_modules()
        _acknowledge_quickly()
        call = _arrived(self._call)
        attempt = self._attempt + TaskContext.get().attemptNumber()  # type: ignore[union-attr]
        for partition in partitions:  # read to its end, or PySpark throws the worker away
            packed = run_partition(call, partition, attempt, process_environment=self._surroundings)
            self._letters.add([(self._work_id, self._outbox.post(packed))])
            if must_leave():
                break
        return iter(())


class SparkBackend(SparkEngine):
    """Runs calls as jobs of one Spark application."""

    _foreign = (Py4JJavaError, PySparkException)

    def __init__(self, application: Application, context: RxSpark) -> None:
        self._context = application.context
        self._local = self.same_host = application.local
        self._share_dir, self._share_folder = context.share_dir, share_folder(context)
        self._here = local_folder(context.share_dir) if application.local else None
        self.journals = str(self._here) if self._here else None
        self.process_environment = here() if application.local else None
        with submitting:
            if self._context not in _mailboxes:
                _mailboxes[self._context] = Mailbox(application)
        self._mailbox = _mailboxes[self._context]
        self.draws_bar = self._mailbox.settings.get("spark.ui.showConsoleProgress") == "true"  # as in PySpark's shell
        self.preflight = self._mailbox.preflight
        self.preflight.executors()
        here_only = open_path(context.share_dir) if context.share_dir and application.local else None
        self.preflight.folder(self._share_folder or here_only)

    def slots(self, tasks: int, options: dict[str, Any]) -> int:
        to_come = 0 if self._local else slots_to_come(self._mailbox.settings.get)
        return max(1, slots_now(self._context), to_come)

    def nodes(self) -> list[str]:
        return [socket.gethostname()] if self._local else sorted(set(self._mailbox.names().values()))

    def cancel(self, work: Work) -> None:
        if work.id not in self._mailbox.running:  # Spark would log a warning
            return
        with contextlib.suppress(Py4JError, AttributeError):  # the application has been stopped: nothing runs
            self._context.cancelJobGroup(work.id)

    def _setting(self, name: str, default: str) -> str:
        return self._mailbox.settings.get(name, default)

    def _has_ended(self) -> bool:
        return has_ended(self._context)

    def _thread(self, run: Callable[[], None], name: str) -> threading.Thread:
        return InheritableThread(target=run, name=name, daemon=True)  # it has a thread of the JVM to itself

    def _listening(self, work: Work) -> AbstractContextManager[None]:
        return self._mailbox.open(work)

    def thread(self, run: Callable[[], None], name: str) -> threading.Thread | None:
        return InheritableThread(target=self._in_a_pool(run), name=name, daemon=True)

    def at_the_end(self, end: Callable[[], None]) -> None:
        atexit.register(end)

    def _in_a_pool(self, run: Callable[[], None]) -> Callable[[], None]:
        """Run in a FAIR pool of its own, unless the user has named one: jobs in one pool go one after another."""

        def run_so() -> None:
            if not self._mailbox.fair or self._context.getLocalProperty("spark.scheduler.pool") is not None:
                run()
                return
            with self._mailbox.pool() as name:
                self._context.setLocalProperty("spark.scheduler.pool", name)
                run()

        return run_so

    def _submit(self, work: Work) -> None:
        self._context.setJobGroup(work.id, work.description, interruptOnCancel=True)
        with self._carrier() as carrier, self._outbox(work) as box:
            with submitting:
                call = carrier.call(work.call, work.kept)
                partitions = [carrier.partition(part) for part in work.partitions]
            run = _RunPartition(work, call, self._mailbox.letters, box, self.process_environment)
            self._mailbox.running.add(work.id)
            try:
                if work.nodes and not self._local:
                    self._run_on_nodes(work, partitions, run)
                else:
                    self._run_anywhere(work, partitions, run)
            finally:
                self._mailbox.running.discard(work.id)

    def _run_anywhere(self, work: Work, partitions: list[DataRef], run: _RunPartition) -> None:
        with submitting:
            # Taking the JVM's side of the RDD pickles the command. Counting there returns one number by the gateway;
            # PySpark's own actions open one more socket, for data that we do not have (about 10 ms).
            job = self._context.parallelize(partitions, len(partitions)).mapPartitions(with_this_rxspark(run))._jrdd
        if not work.cancelled.is_set():
            job.count()

    def _run_on_nodes(self, work: Work, partitions: list[DataRef], run: _RunPartition) -> None:
        """Give each partition to the node of its task."""
        hosts = {node_name(name): host for host, name in self._mailbox.names().items()}
        nodes = [work.nodes[numbers[0]] for numbers in work.numbers]
        both = zip(nodes, partitions, strict=True)
        elements = [Located(hosts[node], partition) for node, partition in both if node in hosts]
        _, gone = run_on_each(
            self._context, elements, lambda partition: run([partition]), lambda: not work.cancelled.is_set()
        )
        lost = [node for node in nodes if node not in hosts or hosts[node] in gone]
        if lost:
            work.trouble = f"no executor is left on {', '.join(lost)}"

    def _outbox(self, work: Work) -> AbstractContextManager[ResultSink]:
        return outbox(work, self._share_folder, self._here, self._mailbox.most, self._mailbox.limit)

    def _carrier(self) -> DataStore:
        if self._local:
            return LocalStore(self._share_dir)
        return (
            SharedFolderStore(self._share_folder)
            if self._share_folder
            else BroadcastStore(self._context, self._mailbox.settings)
        )


class _Broadcast(Broadcast[Any]):
    """A broadcast whose file is a bundle, to be mapped, and no pickle."""

    def dump(self, value: Bundle, f: BinaryIO) -> None:
        value.write(f)
        f.close()


class BroadcastStore(DataStore):
    """Carries the call as Spark carries large things, once to each executor.

    Elements, each for one task, stay in the description of their tasks: a broadcast goes to every executor.
    """

    least = FILE_THRESHOLD

    def __init__(self, context: SparkContext, settings: dict[str, str]) -> None:
        super().__init__()
        self._context = context
        self._encrypted = settings.get("spark.io.encryption.enabled", "false") == "true"

    def partition(self, bundle: Bundle) -> DataRef:
        return inline(bundle)

    def _carry(self, bundle: Bundle) -> Any:
        # Encrypted ones come out of a pipe on the executor, so there is nothing to map: as any other broadcast.
        sent = (
            self._context.broadcast(inline(bundle))
            if self._encrypted
            else _Broadcast(self._context, bundle, self._context._pickled_broadcast_vars)
        )
        self._removals.callback(_destroy, sent)
        return sent


def _destroy(sent: Broadcast[Any]) -> None:
    with contextlib.suppress(Py4JError, AttributeError):  # the application has been stopped: nothing is left
        sent.destroy()


def _arrived(call: DataRef | Broadcast[Any]) -> DataRef:
    """On an executor: the parcel that has come, by itself or by broadcast."""
    if not isinstance(call, Broadcast):
        return call
    path = getattr(call, "_path", None)
    parcel: DataRef = call.value if path is None else LocalFileRef(path)
    return parcel


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
