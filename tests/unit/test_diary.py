"""The diary of a partition: what is on record of it, and how much time that takes."""

from __future__ import annotations

import os
import resource

import pytest

from rxspark.worker import diary
from rxspark.worker.diary import Diary, path_of
from rxspark.worker.envelope import Envelopes, Failure


@pytest.fixture
def clock(monkeypatch):
    """A clock on which each writing takes 1 ms."""
    ticks = iter(range(1_000_000))
    monkeypatch.setattr(diary.time, "perf_counter", lambda: next(ticks) / 1000)


def noted(folder, seconds):
    """The numbers that are on record after tasks of such lengths, and the place in the stream."""
    envelopes, kept = Envelopes("here", 1, 0), Diary(str(folder), "call-0")
    for number, length in enumerate(seconds):
        envelopes.add(number, b"value %d" % number, 0.0, length)
        kept.note(envelopes, lambda number=number: f"after {number}")
    kept.close()
    found = Envelopes("here", 1, 1)
    place = Diary(str(folder), "call-0").read(found)
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
    path = path_of(str(tmp_path), "call-0")
    with open(path, "r+b") as file:
        file.truncate(file.seek(0, 2) - 3)
    found = Envelopes("here", 1, 1)
    assert Diary(str(tmp_path), "call-0").read(found) == "after 0"
    assert list(found.numbers) == [0]


def test_nothing_is_written_behind_what_found_no_room(tmp_path, clock):
    """Where the disk takes a part of an entry, and has room again later, the entries before it count."""
    whole, kept = Envelopes("here", 1, 0), Diary(str(tmp_path), "call-0")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number in range(3):
        whole.add(number, bytes(1000), 0.0, 0.02)
        if number == 1:
            room = os.path.getsize(path_of(str(tmp_path), "call-0")) + 10
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            kept.note(whole, lambda number=number: f"after {number}")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    found = Envelopes("here", 1, 1)
    assert Diary(str(tmp_path), "call-0").read(found) == "after 0"
    assert list(found.numbers) == [0]


def test_errors_and_console_texts_are_on_record_too(tmp_path):
    """Those of the tasks that are."""
    envelopes, kept = Envelopes("here", 1, 0), Diary(str(tmp_path), "call-0")
    envelopes.add(4, None, 0.0, 1.0)
    envelopes.failures[4], envelopes.output[4] = Failure("ValueError", "no", ""), "text"
    kept.note(envelopes, lambda: None)
    found = Envelopes("here", 1, 1)
    Diary(str(tmp_path), "call-0").read(found)
    assert (found.failures, found.output) == (envelopes.failures, {4: "text"})
