"""Short partitions go to a worker several at a time, and nothing else of the call changes by it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from traces import TRACES

from rxspark import RxLocalParallel, rxElemArg, rxExec
from rxspark.backends import batches
from rxspark.backends.batches import Batches, BatchRun
from rxspark.backends.local import LocalBackend
from rxspark.data.bundle import Bundle
from rxspark.errors import RxLostTaskError
from rxspark.serialize.partition_payload import PartitionPayload

# Tasks of a call; each is a partition of its own.
COUNT = 400


@pytest.fixture
def sizes(monkeypatch):
    """The numbers of partitions that have run in each batch."""
    found: list[int] = []
    note = Batches.note

    def noted(self: Batches, batch: Any, ran: BatchRun) -> None:
        found.append(len(ran.messages))
        note(self, batch, ran)

    monkeypatch.setattr(Batches, "note", noted)
    return found


def append(number: int, folder: str, deadly: int = -1) -> tuple[int, int]:
    """Leave a mark that this task has run; end the process if it is the deadly one; the number and the process."""
    if number == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    with open(Path(folder, str(number)), "a") as file:
        file.write("x")
    return number, os.getpid()


def marks(folder: Path) -> dict[int, int]:
    """The number of times that each task has run to its end."""
    return {int(file.name): len(file.read_text()) for file in folder.iterdir()}


def test_short_partitions_share_jobs_of_the_pool(sizes, tmp_path):
    """Hundreds of partitions of a moment each take some tens of jobs; each task runs once, the values are in order."""
    with RxLocalParallel():
        result = rxExec(append, rxElemArg(range(COUNT)), str(tmp_path), taskChunkSize=1)
    assert [number for number, _ in result] == list(range(COUNT))
    assert marks(tmp_path) == dict.fromkeys(range(COUNT), 1)
    assert sum(sizes) == COUNT
    assert max(sizes) > 1
    assert len(sizes) < COUNT / 2


def test_a_death_in_the_middle_of_a_batch_loses_nothing_that_was_finished(sizes, tmp_path):
    """The deadly task is lost; no other runs twice but the last one of each job that the pool has then.

    Another worker may be at it, or its results on their way home.
    """
    with RxLocalParallel():
        result = rxExec(append, rxElemArg(range(COUNT)), str(tmp_path), deadly=COUNT - 50, taskChunkSize=1)
    assert list(result.errors) == [COUNT - 50]
    assert isinstance(result.errors[COUNT - 50], RxLostTaskError)
    ran = marks(tmp_path)
    assert sorted(ran) == sorted({*range(COUNT)} - {COUNT - 50})
    assert sum(ran.values()) - len(ran) <= Batches(LocalBackend(None, 1).slots(COUNT, {})).most
    assert max(sizes) > 1


def wait_if_long(number: int, long: range) -> int:
    """Take long in some tasks; the process."""
    if number in long:
        time.sleep(0.3)
    return os.getpid()


def test_what_takes_long_after_short_ones_is_shared_out(sizes):
    """A batch whose partitions turn out to be long goes home after the first: others get to run the rest."""
    workers = LocalBackend(None, 1).slots(COUNT, {})
    first = Batches(workers).most  # behind those that go alone, as nothing is known of them yet
    long = range(first, first + 6)
    with RxLocalParallel():
        rxExec(wait_if_long, rxElemArg(range(first)), range(0))  # the pool is there
        sizes.clear()
        result = rxExec(wait_if_long, rxElemArg(range(COUNT)), long, taskChunkSize=1)
    assert max(sizes) > 1
    assert len({result[number] for number in long}) > 1 or workers == 1


def leave_for_good(number: int, marked: int) -> tuple[int, int]:
    """Change in one task what cannot be put back; the number and the process."""
    if number == marked:
        TRACES[FOR_GOOD].leave()
    return number, os.getpid()


FOR_GOOD = next(label for label, trace in TRACES.items() if trace.ends)


def test_no_partition_of_a_batch_runs_behind_what_cannot_be_put_back(sizes):
    """The worker ends behind that partition, and the rest of its batch runs in others."""
    with RxLocalParallel():
        result = rxExec(leave_for_good, rxElemArg(range(COUNT)), COUNT - 100, taskChunkSize=1)
    assert [number for number, _ in result] == list(range(COUNT))
    spoiled = result[COUNT - 100][1]
    assert [number for number, pid in result[COUNT - 99 :] if pid == spoiled] == []
    assert max(sizes) > 1


def test_the_last_batch_tells_the_size_of_the_next():
    """As many as take the time of a batch, at least one, and never more than a worker's share of what is left."""
    partitions = [PartitionPayload(range(number, number + 1), Bundle([])) for number in range(100)]
    waiting = Batches(workers=2)
    waiting.add(partitions)
    assert waiting.most == 4
    assert waiting.take() == partitions[:1]
    waiting.note(partitions[:1], BatchRun([b""], batches._BATCH_S / 10))
    assert waiting.take() == partitions[1:11]
    waiting.note(partitions[1:11], BatchRun([b""] * 4, batches._BATCH_S))  # the rest has not run
    assert [waiting.take(), len(waiting)] == [partitions[5:9], 91]
    waiting.note(partitions[5:9], BatchRun([b""] * 4, batches._BATCH_S / 1000))
    assert waiting.take() == partitions[9:55]
    waiting.clear()
    assert not waiting
