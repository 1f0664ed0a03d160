"""Spark's texts when it gives up a job, and what they lead to: another attempt, or an error that says what to do."""

from __future__ import annotations

import os
import platform
import threading
from pathlib import Path
from typing import Any

import pytest

from rxspark import RxContextError, RxFileError
from rxspark.backends.base import Attempt, Outcome
from rxspark.backends.spark.base import SparkEngine
from rxspark.data import host_cache
from rxspark.data.bundle import Bundle
from rxspark.serialize.payload import Requirements

FAILED = "Job aborted due to stage failure: Task 1 in stage 4.0 failed 4 times, most recent failure: "
LOST = "Lost task 1.3 in stage 4.0 (TID 9) (node7 executor 2): "


class SparkError(Exception):
    """Stands for what PySpark raises."""


class Engine(SparkEngine):
    """An engine without a Spark."""

    _foreign = (SparkError,)

    def _setting(self, name: str, default: str) -> str:
        return {"spark.local.dir": "/disk1/spark"}.get(name, default)

    def _has_ended(self) -> bool:
        return False

    def cancel(self, attempt: Attempt) -> None:
        """Nothing runs."""

    def check(self, requirements: Requirements) -> None:
        """Nothing is needed."""

    def _thread(self, *_: Any) -> Any:
        raise NotImplementedError

    _listening = _submit = _thread  # type: ignore[assignment]


def judged(text: str) -> Outcome:
    """The outcome of an attempt whose job ended with an error of this text."""
    attempt = Attempt(
        call_id="call",
        description="a call",
        number=0,
        program=Bundle([bytes(8_000_000)]),
        partitions=(),
        deliver=lambda message: None,
        cancelled=threading.Event(),
    )
    return Engine()._judge(attempt, SparkError(FAILED + LOST + text))


def test_a_worker_that_was_ended_as_idle_is_told_by_both_settings_and_what_is_missing_runs_again() -> None:
    """The error names the settings that ended it, which Spark's own text does not."""
    outcome = judged(
        "org.apache.spark.SparkException: Python worker process terminated due to idle timeout (timeout: 2 s)"
    )
    assert "spark.python.worker.idleTimeoutSeconds" in outcome.lost_reason
    assert "spark.python.worker.killOnIdleTimeout=true" in outcome.lost_reason
    assert "idleTimeoutSeconds" not in judged("Python worker exited unexpectedly (crashed)").lost_reason


def test_a_host_without_room_is_named_with_folder_and_size() -> None:
    """A full disk of one host: where it is, which folder of Spark's, and how much was to be written."""
    with pytest.raises(RxContextError) as raised:
        judged("java.io.IOException: No space left on device\n\tat java.base/java.io.FileOutputStream.write(Native)")
    message = str(raised.value)
    assert message.startswith("node7 has no room for the call's data (8000000 bytes)")
    assert "spark.local.dir=/disk1/spark" in message
    assert "hdfsShareDir" in message


def test_a_host_whose_disk_is_full_fetches_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared files go where there is room; a copy that is there is found, and the error has host, folder and size."""
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    memory.mkdir()
    disk.mkdir()
    (tmp_path / "shared").write_bytes(b"12345678")
    monkeypatch.setattr(host_cache, "MEMORY", str(memory))
    monkeypatch.setattr(host_cache, "_base", lambda: str(disk))
    room = {"disk": 100, "memory": 100}
    monkeypatch.setattr(host_cache, "free", lambda folder: room[Path(folder).relative_to(tmp_path).parts[0]])

    def place(name: str) -> str:
        return Path(host_cache.local_copy(f"file://{tmp_path}/shared", name, 8)).relative_to(tmp_path).parts[0]

    assert place("first") == "disk"
    room["disk"] = 3
    assert (place("first"), place("second")) == ("disk", "memory")
    room["memory"] = 3  # the copy itself takes the room
    assert place("second") == "memory"
    monkeypatch.setattr(host_cache, "fetch", _no_room)
    with pytest.raises(RxFileError, match=rf"fetched to {platform.node()} \(8 bytes; {disk}/.* has 3 bytes left\)"):
        place("third")


def test_a_disk_that_takes_no_folder_costs_nothing_while_memory_has_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made on the disk on the way to memory; without memory the error has the host."""
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    memory.mkdir()
    disk.mkdir()
    (disk / f"rxspark-{os.geteuid()}").touch()  # so that no folder of this name can be made
    (tmp_path / "shared").write_bytes(b"12345678")
    monkeypatch.setattr(host_cache, "MEMORY", str(memory))
    monkeypatch.setattr(host_cache, "_base", lambda: str(disk))
    monkeypatch.setattr(host_cache, "free", lambda folder: 100 if str(folder).startswith(str(memory)) else 3)
    assert host_cache.local_copy(f"file://{tmp_path}/shared", "name", 8).startswith(str(memory))
    monkeypatch.setattr(host_cache, "MEMORY", str(tmp_path / "nowhere"))
    with pytest.raises(RxFileError, match=rf"to {platform.node()} \(8 bytes; .* 3 bytes left\): .*no folder"):
        host_cache.local_copy(f"file://{tmp_path}/shared", "other", 8)


def _no_room(*_: Any) -> None:
    raise OSError(28, "No space left on device")
