"""Requests to HDFS that begin again, with a stand-in for what hdfs-native makes of them."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hdfs_native import FileWriter

from rxspark import RxFileError
from rxspark.files import hdfs, io
from rxspark.files.paths import FsPath

NO_ANSWER = OSError(hdfs.LOST)


class Stored:
    """A file on HDFS, being written; closing it raises this error, if there is one."""

    def __init__(self, error: Exception | None) -> None:
        self.bytes = b""
        self._error = error

    def write(self, piece: bytes) -> None:
        """Take a piece."""
        self.bytes += piece

    def close(self) -> None:
        """End the file."""
        if self._error:
            raise self._error


@pytest.mark.parametrize("text", ["Failed to complete file in time", hdfs.LOST])
def test_a_file_of_which_the_namenode_does_not_say_that_it_is_whole_is_written_again(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its beginning, and as a new file; other errors are told at once."""
    files = [Stored(RuntimeError(f'OperationFailed("{text}")')), Stored(None), Stored(RuntimeError("over quota"))]
    opened = iter(files)
    monkeypatch.setattr(FsPath, "create", lambda *_: next(opened))
    path = FsPath(None, "/x", "hdfs://h")
    io.write(path, lambda file: file.write(b"text"))
    assert [file.bytes for file in files] == [b"text", b"text", b""]
    with pytest.raises(RxFileError, match="over quota"):
        io.write(path, lambda file: file.write(b"text"))


class Broken:
    """Stand-in for what hdfs-native's own class of a file, being written, rests on: it takes nothing."""

    def __init__(self) -> None:
        self.closed = 0

    def write(self, piece: bytes) -> int:
        """Take no piece."""
        raise OSError("no space left")

    def close(self) -> None:
        """Count how often it was to be ended, which may wait for ever."""
        self.closed += 1


def test_a_file_that_is_given_up_is_not_closed_when_it_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python closes what it forgets, at the end of the program at the latest."""
    inner: Any = Broken()
    monkeypatch.setattr(FsPath, "create", lambda *_: FileWriter(inner))
    with pytest.raises(RxFileError, match="no space left"):
        io.write(FsPath(None, "/x", "hdfs://h"), lambda file: file.write(b"text"))
    gc.collect()
    assert inner.closed == 0


class Trash:
    """A client of a HDFS that has one file; its ways into the trash end by these errors, one after another."""

    def __init__(self, errors: list[Exception], moves: bool) -> None:
        self.there, self.asked = True, 0
        self._errors, self._moves = errors, moves

    def trash(self, path: str) -> str:
        """Move the file, if it moves in this test, before an error."""
        self.asked += 1
        self.there = self.there and not self._moves
        if self._errors:
            raise self._errors.pop(0)
        self.there = False
        return f"/trash{path}"


@pytest.mark.parametrize(
    ("errors", "moves", "asked"),
    [([NO_ANSWER], True, 1), ([NO_ANSWER], False, 2), ([FileNotFoundError("/x")], True, 1)],
    ids=["moved, and no answer", "not moved, and no answer", "moved, and hdfs-native has asked again itself"],
)
def test_a_file_is_moved_into_the_trash_once(errors: list[Exception], moves: bool, asked: int) -> None:
    """The answer may be lost before or after the move."""
    client = Trash(list(errors), moves)
    system: Any = hdfs._Requests()
    system.client, system.exists = client, lambda _path: client.there
    assert system.trash("/x") is True
    assert (client.there, client.asked) == (False, asked)


def test_a_place_that_is_missing_in_the_trash_is_told() -> None:
    """As the file is there yet."""
    client = Trash([FileNotFoundError("/trash")], moves=False)
    system: Any = hdfs._Requests()
    system.client, system.exists = client, lambda _path: client.there
    with pytest.raises(FileNotFoundError, match="/trash"):
        system.trash("/x")
