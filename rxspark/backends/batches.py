"""Batches of partitions: short ones go to a worker several at a time.

A job of the pool takes more than a millisecond beside its tasks: to make the process ready for them, to put it back,
and to come and go. So what the last job took for a partition tells how many the next one gets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import NamedTuple

from rxspark.data.refs import DataRef
from rxspark.serialize.partition_payload import PartitionPayload
from rxspark.worker.delivery import ResultMessage
from rxspark.worker.runner import PartitionRunner

__all__ = ["BatchRun", "Batches", "run_batch"]

# Seconds that a batch is to take: twenty times what it saves, and no long time for other workers to be without it.
_BATCH_S = 0.03

# One that runs, and one to go on with while the caller takes in the results of the last.
_JOBS_PER_WORKER = 2


class BatchRun(NamedTuple):
    """The messages of the partitions that a worker has run of a batch, from the first one on, and the seconds taken."""

    messages: list[ResultMessage]
    seconds: float


def run_batch(run: PartitionRunner, partitions: Sequence[DataRef]) -> BatchRun:
    """Run a batch in a worker: its first partition, and more as long as they are short."""
    began = perf_counter()
    messages = run.run_many(partitions)
    return BatchRun(messages, perf_counter() - began)


class Batches:
    """The partitions that wait for a worker.

    Parameters
    ----------
    workers : int
        How many run batches at once.

    Attributes
    ----------
    most : int
        How many batches the pool has at once: those that run, and as many to go on with.
    """

    def __init__(self, workers: int) -> None:
        self.most = _JOBS_PER_WORKER * workers
        self._workers = workers
        self._waiting: deque[PartitionPayload] = deque()
        self._size = 1.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, partitions: Iterable[PartitionPayload]) -> None:
        """Take in more partitions."""
        self._waiting.extend(partitions)

    def clear(self) -> None:
        """Forget those that wait."""
        self._waiting.clear()

    def take(self) -> list[PartitionPayload]:
        """Return the next batch: at least one partition, and no more than leaves as many for each other worker."""
        share = -(-len(self._waiting) // self._workers)
        return [self._waiting.popleft() for _ in range(max(1, min(int(self._size), share)))]

    def note(self, batch: Sequence[PartitionPayload], ran: BatchRun) -> None:
        """Note how long a batch took, and let wait again what did not run of it."""
        self._waiting.extendleft(reversed(batch[len(ran.messages) :]))
        self._size = _BATCH_S * len(ran.messages) / ran.seconds
