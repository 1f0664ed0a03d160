"""The way home of a partition's results: by the engine's message, or by a file that is written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from rxspark.files import atomic
from rxspark.files.paths import open_path
from rxspark.worker.combining import going_home
from rxspark.worker.delivery import ABOUT, FILE_THRESHOLD, PARTS, ResultFile, ResultSink
from rxspark.worker.results import PartitionResult
from rxspark.worker.tree import Branches


def _result(size: int) -> PartitionResult:
    result = PartitionResult("node", 1, 0)
    for number in (3, 4):
        result.add(number, bytes([number]) * size, 0.0, 0.0)
    return result


def _job_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    (folder / PARTS).mkdir(parents=True)
    atomic.write(open_path(str(folder / ABOUT)), b"{}")
    return folder


def test_a_large_result_of_a_job_with_a_folder_is_written_once_and_stays(tmp_path: Path) -> None:
    """The file in the folder of the job is the one that the driver reads."""
    folder, other = _job_folder(tmp_path), tmp_path / "other"
    other.mkdir()
    message = ResultSink(str(other), on_this_host=True).send(_result(FILE_THRESHOLD), str(folder))
    assert isinstance(message, ResultFile)
    assert list(other.iterdir()) == []
    assert [path.name for path in (folder / PARTS).iterdir()] == ["3-4-2.results"]
    assert PartitionResult.unpack(message.take()).values == [bytes([n]) * FILE_THRESHOLD for n in (3, 4)]
    assert PartitionResult.unpack(message.take()).values  # it stays


def test_a_small_result_comes_by_message_and_is_kept_too(tmp_path: Path) -> None:
    """No read of a file stands between a small result and its caller."""
    folder = _job_folder(tmp_path)
    message = ResultSink().send(_result(1), str(folder))
    assert isinstance(message, bytes)
    assert atomic.read(open_path(str(folder / PARTS / "3-4-2.results"))) == message


def test_a_large_result_without_a_job_folder_leaves_no_file_behind(tmp_path: Path) -> None:
    """It goes by a file of the call's, which ends as it is read."""
    message = ResultSink(str(tmp_path), on_this_host=True).send(_result(FILE_THRESHOLD), None)
    assert isinstance(message, ResultFile)
    assert len(list(tmp_path.iterdir())) == 1
    assert len(PartitionResult.unpack(message.take()).values) == 2
    assert list(tmp_path.iterdir()) == []


def test_combined_values_that_are_too_large_are_the_error_of_the_call() -> None:
    """They are no single task's: without them there would be a value that lacks tasks and does not say so."""
    result = PartitionResult("node", 1, 0, branches=Branches())
    for number in (3, 4):
        result.add(number, bytes(5000), 0.0, 0.0)
    message = ResultSink(largest=8000, limit="the.setting=8k").send(going_home(result), None)
    assert isinstance(message, bytes)
    there = PartitionResult.unpack(message)
    assert "tasks 3 to 4: " in str(there.problem)
    assert "8000 bytes that come with the.setting=8k" in str(there.problem)
    assert len(there.branches) == 0


@pytest.mark.parametrize("on_this_host", [True, False])
def test_a_folder_without_room_costs_only_what_no_message_can_bring(on_this_host: bool, tmp_path: Path) -> None:
    """Results come by message then; one that is too large for it is an error that names folder, bytes and setting."""
    (tmp_path / "full").write_text("no folder, as little as a full one takes a file")
    full = str(tmp_path / "full")
    fits = ResultSink(full, on_this_host, largest=3 * FILE_THRESHOLD, limit="a setting").send(
        _result(FILE_THRESHOLD), None
    )
    assert isinstance(fits, bytes)
    assert [len(value) for value in PartitionResult.unpack(fits).values] == [FILE_THRESHOLD] * 2
    message = ResultSink(full, on_this_host, largest=FILE_THRESHOLD, limit="a setting").send(
        _result(FILE_THRESHOLD), None
    )
    assert isinstance(message, bytes)
    failures = PartitionResult.unpack(message).failures
    assert set(failures) == {3, 4}
    assert f"could not be written to {full} on" in failures[3].message
    assert f"{FILE_THRESHOLD} bytes that come with a setting" in failures[3].message
    assert "make room in that folder" in failures[3].message


def test_a_folder_that_takes_nothing_costs_no_result(tmp_path: Path) -> None:
    """A job whose folder is gone comes home by message, which tells why it was not kept."""
    message = ResultSink().send(_result(1), str(tmp_path / "gone"))
    assert isinstance(message, bytes)
    result = PartitionResult.unpack(message)
    assert result.values == [bytes([3]), bytes([4])]
    assert "no such job" in result.unsaved
