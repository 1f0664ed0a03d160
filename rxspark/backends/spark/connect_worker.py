"""Functions for the executors of a Spark Connect session: rows that name partitions become rows with results."""

from __future__ import annotations

import pickle
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rxspark.backends.spark.keepalive import keepalive
from rxspark.backends.spark.preflight import HOLD, HostAnswer
from rxspark.data.bundle import Bundle, MappedBundle
from rxspark.data.host_cache import once_on_this_host
from rxspark.data.refs import DataRef
from rxspark.results import node_name
from rxspark.worker.delivery import ResultMessage
from rxspark.worker.gc_freeze import freeze_loaded_modules
from rxspark.worker.retirement import is_retiring
from rxspark.worker.runner import PartitionRunner

if TYPE_CHECKING:
    from pyarrow import RecordBatch

__all__ = ["SCHEMA", "Artifact", "AskWorker", "RunOnNodes", "RunPartitions", "joined", "message_rows"]

SCHEMA = "last boolean, piece binary"
"""A message is a pickle in one or several rows, of which `last` marks the last."""

# Bytes of a row: Spark puts up to 4 MB of rows into a message, as long as one row is not larger by itself.
_PIECE = 3 << 20

Batches = Iterable["RecordBatch"]


@dataclass(frozen=True)
class Artifact:
    """A file that the session carries to each executor."""

    name: str

    def open(self) -> Bundle:
        """The bundle, mapped."""
        from pyspark import SparkFiles

        return MappedBundle(SparkFiles.get(self.name))


class RunPartitions:
    """Runs the partitions that the rows name."""

    def __init__(self, runner: PartitionRunner, partitions: DataRef, keepalive_interval: float | None) -> None:
        self._runner = runner
        self._partitions = partitions
        self._sign_interval = keepalive_interval

    def __call__(self, batches: Batches) -> Iterator[RecordBatch]:
        for index in _numbers(batches):  # read to its end, or PySpark throws the worker away
            yield from self.run(index)
            if is_retiring():
                return

    def run(self, index: int) -> Iterator[RecordBatch]:
        """Return the message of one partition."""
        from pyspark import TaskContext

        freeze_loaded_modules()
        partition: DataRef = pickle.loads(self._partitions.open().part(index))
        attempt = self._runner.attempt + TaskContext.get().attemptNumber()  # type: ignore[union-attr]
        return message_rows(replace(self._runner, attempt=attempt), partition, self._sign_interval)


def message_rows(
    runner: PartitionRunner, partition: DataRef, keepalive_interval: float | None
) -> Iterator[RecordBatch]:
    """Run a partition, with keepalive bytes to Spark at each interval, and return the rows of its message."""
    from pyarrow import RecordBatch

    sign = b""
    if keepalive_interval is not None:
        nothing = _row(True, b"").slice(0, 0)
        yield nothing  # with it the stream begins, in which others are signs; rows are a struct to Spark
        sign = RecordBatch.from_arrays([nothing.to_struct_array()], [""]).serialize().to_pybytes()
    with keepalive(sign, keepalive_interval):
        message = runner(partition)
    yield from _pieces(message)


class RunOnNodes:
    """Runs each node's partition in one of its slots: whichever takes it first.

    Barrier stages would do, but Spark has none under dynamic allocation, nor on all servers.
    """

    def __init__(self, run: RunPartitions, call_id: str, nodes: list[str]) -> None:
        self._run = run
        self._call_id = call_id
        self._nodes = nodes

    def __call__(self, batches: Batches) -> Iterator[RecordBatch]:
        list(batches)
        node = node_name(socket.gethostname())
        with once_on_this_host(f"{self._call_id}-{node}") as mine:
            if mine and node in self._nodes:
                yield from self._run.run(self._nodes.index(node))
        if not mine:
            time.sleep(HOLD)


_answered = ""
"""The last question that this worker has answered."""


class AskWorker:
    """Answers a question of the preflight, once a worker, however many partitions it gets."""

    def __init__(self, answer: Callable[[Iterable[Any]], Iterator[HostAnswer]], question: str) -> None:
        self._answer = answer
        self._question = question

    def __call__(self, batches: Batches) -> Iterator[RecordBatch]:
        global _answered
        slots = list(batches)
        if _answered != self._question:
            _answered = self._question
            for answer in self._answer(slots):
                yield from _pieces(answer)


def joined(rows: Iterable[tuple[bool, bytes]]) -> Iterator[Any]:
    """Return the objects that the rows hold, as they come."""
    pieces: list[bytes] = []
    for last, piece in rows:
        pieces.append(piece)
        if last:
            yield pickle.loads(b"".join(pieces))
            pieces.clear()


def _numbers(batches: Batches) -> Iterator[int]:
    return (number for batch in batches for number in batch.column(0).to_pylist())


def _pieces(message: ResultMessage | HostAnswer) -> Iterator[RecordBatch]:
    packed = memoryview(pickle.dumps(message, 5))
    for start in range(0, len(packed), _PIECE):
        yield _row(start + _PIECE >= len(packed), bytes(packed[start : start + _PIECE]))


def _row(last: bool, piece: bytes) -> RecordBatch:
    from pyarrow import RecordBatch

    return RecordBatch.from_pydict({"last": [last], "piece": [piece]})
