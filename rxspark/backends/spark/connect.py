"""RxSpark on Spark Connect, which has no RDDs, accumulators, broadcasts and job groups (Databricks, EMR Serverless).

One DataFrame with a row for each partition, `range(n)` in n partitions, whose rows `mapInArrow` turns into results:
the same plan, runner and results as on the classic engine. They come in the order of the partitions, while the job
still runs; where Spark tries a partition only once, those behind one that fails do not come, and are run again.
"""

from __future__ import annotations

import contextlib
import pickle
import re
import socket
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

from grpc import RpcError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql.connect.session import SparkSession

from rxspark.backends.base import Attempt, Outcome
from rxspark.backends.engine_errors import cause_without_jvm, full_text, with_java
from rxspark.backends.spark.base import MAX_RESULT_SIZE, SparkEngine, result_sink, slots_to_come
from rxspark.backends.spark.connect_link import (
    ServerWatch,
    ask_in_time,
    before_pools_are_waited_for,
    end_with_the_program,
)
from rxspark.backends.spark.connect_worker import SCHEMA, Artifact, AskWorker, RunOnNodes, RunPartitions, joined
from rxspark.backends.spark.keepalive import UDF_SETTINGS, keepalive_interval
from rxspark.backends.spark.package import packed_rxspark
from rxspark.backends.spark.preflight import HostAnswer, Preflight, start_problem
from rxspark.backends.spark.session import warn_once
from rxspark.backends.spark.settings import without_effect
from rxspark.backends.spark.worker_start import with_this_rxspark
from rxspark.concurrency import call_with_timeout
from rxspark.contexts import RxSpark
from rxspark.data.bundle import Bundle
from rxspark.data.refs import DataRef
from rxspark.data.stores import FILE_THRESHOLD, DataStore, SharedFolderStore
from rxspark.errors import RxContextError
from rxspark.serialize.payload import Requirements
from rxspark.user_paths import share_folder
from rxspark.worker.runner import PartitionRunner

__all__ = ["ConnectBackend"]

# Seconds that cancelling may take before it is left to itself.
_CANCEL_TIMEOUT_S = 5

_WHAT_IS_KEPT = "With hdfsShareDir, what has finished is kept: rxGetJobs() lists the job, rxResumeJob runs the rest"

# Partitions of the first question to a session's workers, of which each answers once; one costs 20 ms of a slot. And
# how many seconds a question may take if one with more is to follow: where all run at once, it takes a fraction of one.
_PARTITIONS, _MOST_SECONDS = 32, 2.0


class ConnectSession:
    """A session with a Spark Connect server: its slots, its settings, and the preflight."""

    def __init__(self, session: SparkSession) -> None:
        session.addArtifacts(packed_rxspark(), pyfile=True)
        self._session = weakref.proxy(session)
        self._to_come = slots_to_come(self.setting)
        self._partitions = max(_PARTITIONS, 2 * self._to_come)
        self._workers = 0
        self.preflight = Preflight(self._ask, local=False)
        self.running: set[str] = set()
        """The calls that Spark runs now, by id."""
        setting = self.setting(MAX_RESULT_SIZE, "1g")
        self.most, self.limit = _bytes(setting), f"{MAX_RESULT_SIZE}={setting}"

    @property
    def slots(self) -> int:
        """Return how many tasks run at once: as many as workers have answered, or as the settings allow.

        The server's `spark.default.parallelism` says nothing of it.
        """
        if not self._workers:
            self.preflight.survey(None)
        return max(self._workers, self._to_come)

    def setting(self, name: str, default: str) -> str:
        """A setting of the server; those that do not tell have Spark's default, as far as we know."""
        with contextlib.suppress(PySparkException):
            return str(self._session.conf.get(name, default))
        return default

    def nodes(self) -> list[str]:
        """The names of the machines that have free slots now."""
        return sorted({name for _, name in self.preflight.ask(socket.gethostname)})

    def _ask(self, run: Callable[[Any], Iterator[HostAnswer]]) -> list[HostAnswer]:
        """Ask each worker once, by so many partitions that each slot gets some."""
        while True:
            began = time.monotonic()
            rows = self._session.range(self._partitions, numPartitions=self._partitions)
            asked = rows.mapInArrow(with_this_rxspark(AskWorker(run, uuid4().hex)), SCHEMA)
            try:
                answers = list(joined(asked.toLocalIterator()))
            except PySparkException as error:
                raise with_java(start_problem(full_text(error)), error) from cause_without_jvm(error)
            if len(answers) < self._partitions or time.monotonic() - began > _MOST_SECONDS:
                self._workers = len(answers)
                return answers
            self._partitions *= 4


_sessions: weakref.WeakKeyDictionary[SparkSession, ConnectSession] = weakref.WeakKeyDictionary()
_opening = threading.Lock()


class ConnectBackend(SparkEngine):
    """Runs calls as jobs of one Spark Connect session."""

    _foreign = (PySparkException, RpcError)

    def __init__(self, spark: SparkSession, context: RxSpark) -> None:
        self._spark = spark
        self._share_folder = share_folder(context)
        self._server = context.master or "the Spark Connect server"
        with _opening:
            if spark not in _sessions:
                end_with_the_program(spark)
                _sessions[spark] = ask_in_time(spark, self._server, lambda: ConnectSession(spark))
        self._session = _sessions[spark]
        warn_once(without_effect(context, self._session.setting), str(spark.session_id))

    def check(self, requirements: Requirements) -> None:
        self._session.preflight.check(requirements, self._share_folder)

    def slots(self, tasks: int, options: Mapping[str, Any]) -> int:
        ask_in_time(self._spark, self._server, lambda: self._session.preflight.survey(self._share_folder))
        return self._session.slots

    def nodes(self) -> list[str]:
        return self._session.nodes()

    def cancel(self, attempt: Attempt) -> None:
        if attempt.call_id in self._session.running:
            # Not for ever: with a server that is silent, PySpark would try to reach it for ten minutes.
            with contextlib.suppress(TimeoutError):
                call_with_timeout(_CANCEL_TIMEOUT_S, lambda: self._interrupt(attempt.call_id), "cancel")

    def _interrupt(self, tag: str) -> None:
        with contextlib.suppress(PySparkException, RpcError, ValueError):  # the session has ended: nothing runs
            self._spark.interruptTag(tag)

    def new_thread(self, run: Callable[[], None], name: str) -> threading.Thread:
        return self._thread(run, name)

    def at_exit(self, end: Callable[[], None]) -> None:
        before_pools_are_waited_for(end)

    def _setting(self, name: str, default: str) -> str:
        return self._session.setting(name, default)

    def _has_ended(self) -> bool:
        return bool(self._spark.is_stopped)

    def _thread(self, run: Callable[[], None], name: str) -> threading.Thread:
        tags = self._spark.getTags()  # by which a notebook cancels what its cell has begun; they belong to the thread

        def tagged() -> None:
            for tag in tags:
                self._spark.addTag(tag)
            run()

        return threading.Thread(target=tagged, name=name, daemon=True)

    def _listening(self, attempt: Attempt) -> AbstractContextManager[None]:
        self._watch = ServerWatch(self._spark, _WHAT_IS_KEPT)
        return nullcontext()

    def _judge(self, attempt: Attempt, error: BaseException) -> Outcome:
        if isinstance(error, RpcError):
            lost = f"the connection to the Spark Connect server was lost: {error.details()}"
            raise RxContextError(f"{lost}. {_WHAT_IS_KEPT}") from error
        return super()._judge(attempt, error)

    def _look_after_link(self) -> None:
        self._watch.look()

    def _submit(self, attempt: Attempt) -> str:
        self._spark.addTag(attempt.call_id)
        session = self._session
        sink = result_sink(attempt.call_id, self._share_folder, None, session.most, session.limit)
        with self._store() as store, sink as way_home:
            runner = PartitionRunner(
                program=store.put(attempt.program, attempt.stored_program), sink=way_home, attempt=attempt.number
            )
            session.running.add(attempt.call_id)
            try:
                self._run_windows(attempt, lambda window: self._run_job(window, runner))
            finally:
                session.running.discard(attempt.call_id)
        return f"no slot was free on one of {', '.join(attempt.partition_nodes)}" if attempt.nodes else ""

    def _run_job(self, attempt: Attempt, runner: PartitionRunner) -> str:
        interval = keepalive_interval(UDF_SETTINGS, self._setting)
        with self._store() as store:
            parts = [store.put_partition(data) for _, data in attempt.partitions]
            if self.table is None:
                # References to partitions travel together, as a row of Spark's holds but the number of its partition.
                refs = store.put(Bundle([pickle.dumps(part, 5) for part in parts]))
                rows = self._rows(attempt, RunPartitions(runner, refs, interval))
            else:
                rows = self.table.results(attempt, runner, parts, interval)
            if not attempt.cancelled.is_set():
                for message in joined(rows.toLocalIterator()):
                    attempt.deliver(message)
        return ""

    def _rows(self, attempt: Attempt, run: RunPartitions) -> Any:
        count = len(attempt.partitions)
        if not attempt.nodes:
            return self._spark.range(count, numPartitions=count).mapInArrow(with_this_rxspark(run), SCHEMA)
        on_nodes = with_this_rxspark(RunOnNodes(run, attempt.call_id, attempt.partition_nodes))
        slots = self._session.slots
        return self._spark.range(slots, numPartitions=slots).mapInArrow(on_nodes, SCHEMA)

    def _store(self) -> DataStore:
        return SharedFolderStore(self._share_folder) if self._share_folder else ArtifactStore(self._spark)


class ArtifactStore(DataStore):
    """Carries the call as a file of the session, once to each executor; Spark keeps it until the session ends."""

    least = FILE_THRESHOLD

    def __init__(self, session: SparkSession) -> None:
        super().__init__()
        self._session = session

    def _store(self, bundle: Bundle) -> DataRef:
        with tempfile.TemporaryDirectory(prefix="rxspark-") as folder:
            file = Path(folder, f"{uuid4().hex}.bundle")
            with file.open("wb") as written:
                bundle.write(written)
            self._session.addArtifacts(str(file), file=True)
        return Artifact(file.name)


def _bytes(amount: str) -> int:
    """Bytes of an amount of memory as Spark writes it, such as "1g"."""
    number, unit = re.fullmatch(r"(\d+)([a-z]?)b?", amount.strip().lower()).groups()  # type: ignore[union-attr]
    return int(number) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}[unit]
