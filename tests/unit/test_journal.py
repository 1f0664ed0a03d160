"""The journal of a partition: what is on record of it, and how much time that takes."""

from __future__ import annotations

import os
import resource

import pytest

from rxspark.worker import journal
from rxspark.worker.journal import BatchJournal, PartitionJournal, journal_path, messages_on_record
from rxspark.worker.results import PartitionResult, TaskFailure


@pytest.fixture
def clock(monkeypatch):
    """A clock on which each writing takes 1 ms."""
    ticks = iter(range(1_000_000))
    monkeypatch.setattr("rxspark.worker.journal.time.perf_counter", lambda: next(ticks) / 1000)


def noted(folder, seconds):
    """The numbers that are on record after tasks of such lengths, and the place in the stream."""
    partition_results, kept = PartitionResult("here", 1, 0), PartitionJournal(str(folder), "call-0")
    for number, length in enumerate(seconds):
        partition_results.add(number, b"value %d" % number, 0.0, length)
        kept.note(partition_results, f"after {number}".__str__)
    kept.close()
    found = PartitionResult("here", 1, 1)
    place = PartitionJournal(str(folder), "call-0").read(found)
    assert found.values == [b"value %d" % number for number in found.numbers]
    return list(found.numbers), place


def test_a_task_that_takes_longer_than_writing_is_on_record_at_once(tmp_path, clock):
    """It is there whatever comes after it."""
    assert noted(tmp_path, [0.02, 0.02, 0.03]) == ([0, 1, 2], "after 2")


def test_short_tasks_are_written_several_at_a_time(tmp_path, clock):
    """A twentieth of the time is spent on it: after 20 ms of work the 1 ms that writing takes."""
    assert noted(tmp_path, [0.004] * 14) == ([*range(11)], "after 10")


def test_what_was_written_in_part_does_not_count(tmp_path, clock):
    """A worker that dies while it writes leaves what it had written before."""
    noted(tmp_path, [0.02, 0.02])
    path = journal_path(str(tmp_path), "call-0")
    with open(path, "r+b") as file:
        file.truncate(file.seek(0, 2) - 3)
    found = PartitionResult("here", 1, 1)
    assert PartitionJournal(str(tmp_path), "call-0").read(found) == "after 0"
    assert list(found.numbers) == [0]


def test_nothing_is_written_behind_what_found_no_room(tmp_path, clock):
    """Where the disk takes a part of an entry, and has room again later, the entries before it count."""
    whole, kept = PartitionResult("here", 1, 0), PartitionJournal(str(tmp_path), "call-0")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number in range(3):
        whole.add(number, bytes(1000), 0.0, 0.02)
        if number == 1:
            room = os.path.getsize(journal_path(str(tmp_path), "call-0")) + 10
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            kept.note(whole, f"after {number}".__str__)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    found = PartitionResult("here", 1, 1)
    assert PartitionJournal(str(tmp_path), "call-0").read(found) == "after 0"
    assert list(found.numbers) == [0]


def test_errors_and_console_texts_are_on_record_too(tmp_path):
    """Those of the tasks that are."""
    partition_results, kept = PartitionResult("here", 1, 0), PartitionJournal(str(tmp_path), "call-0")
    partition_results.add(4, None, 0.0, 1.0)
    partition_results.failures[4], partition_results.output[4] = TaskFailure("ValueError", "no", ""), "text"
    kept.note(partition_results, lambda: None)
    found = PartitionResult("here", 1, 1)
    PartitionJournal(str(tmp_path), "call-0").read(found)
    assert (found.failures, found.output) == (partition_results.failures, {4: "text"})


def batch_on_record(folder, messages):
    """Write messages down; return whether each is on record, and the file."""
    kept = BatchJournal(str(folder), "call")
    told = [kept.add(message) for message in messages]
    kept.close()
    return told, journal_path(str(folder), f"call-batch-{os.getpid()}")


def test_messages_of_whole_partitions_are_given_once(tmp_path):
    """Those of all batches of a worker, in their order; then the file is gone. Another call's stay."""
    assert batch_on_record(tmp_path, [b"first", b"second"])[0] == [True, True]
    assert batch_on_record(tmp_path, [b"third"])[0] == [True]
    assert list(messages_on_record(str(tmp_path), "another")) == []
    assert list(messages_on_record(str(tmp_path), "call")) == [b"first", b"second", b"third"]
    assert list(messages_on_record(str(tmp_path), "call")) == []


def test_a_message_that_was_written_in_part_does_not_count(tmp_path):
    """A worker that dies while it writes leaves those before."""
    _, path = batch_on_record(tmp_path, [b"first", b"second"])
    with open(path, "r+b") as file:
        file.truncate(file.seek(0, 2) - 3)
    assert list(messages_on_record(str(tmp_path), "call")) == [b"first"]


def test_a_message_that_is_too_large_or_finds_no_room_is_not_on_record(tmp_path, monkeypatch):
    """The writer is told so; the file is begun anew where it has grown large."""
    monkeypatch.setattr(journal, "_LARGEST_VALUES", 1000)
    assert batch_on_record(tmp_path, [bytes(100), bytes(1000)])[0] == [True, False]
    assert batch_on_record(tmp_path / "not there", [b"lost"])[0] == [False]
    monkeypatch.setattr(journal, "_LARGEST_FILE", 100)
    batch_on_record(tmp_path, [b"new"])
    assert list(messages_on_record(str(tmp_path), "call")) == [b"new"]


def test_what_found_no_room_hides_no_later_message(tmp_path):
    """Where the disk takes a part of a message, and has room again later, those before and behind it count."""
    kept = BatchJournal(str(tmp_path), "call")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert kept.add(b"first")
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        assert not kept.add(bytes(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert kept.add(b"third")
    kept.close()
    assert list(messages_on_record(str(tmp_path), "call")) == [b"first", b"third"]
