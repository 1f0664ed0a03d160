"""HDFS whose NameNode makes a change, and the answer gets lost: the change is made once, and counts as made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lossy_wire import LossyWire

from rxspark import (
    rxHadoopCopyFromLocal,
    rxHadoopFileExists,
    rxHadoopListFiles,
    rxHadoopMakeDir,
    rxHadoopMove,
    rxHadoopRemove,
    rxHadoopRemoveDir,
)
from rxspark.files import atomic
from rxspark.files.paths import open_path


@pytest.fixture
def wire(cluster: Path, hdfs_root: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LossyWire]:
    """A way to the NameNode, on which a test may lose answers."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(cluster))
    monkeypatch.delenv("HADOOP_USER_NAME", raising=False)
    wire = LossyWire(hdfs_root)
    yield wire
    wire.close()


@pytest.fixture
def folder(wire: LossyWire) -> Iterator[str]:
    """A folder by that way, which is removed with the test."""
    url = f"{wire.url}/tests/lost"
    rxHadoopMakeDir(url)
    yield url
    if rxHadoopFileExists(url):
        rxHadoopRemoveDir(url)


@pytest.fixture
def file(folder: str, tmp_path: Path) -> str:
    """A file in it."""
    (tmp_path / "file").write_text("text")
    rxHadoopCopyFromLocal(tmp_path / "file", folder)
    return f"{folder}/file"


def names(folder: str) -> list[str]:
    """The names in a folder."""
    return [os.path.basename(name) for name in rxHadoopListFiles(folder).names]


def test_a_folder_is_made(wire: LossyWire, folder: str) -> None:
    """With its mode; that the first request has made it is no error."""
    wire.lose_an_answer("mkdirs")
    made = open_path(f"{folder}/made")
    made.make(0o750)
    assert wire.requests == {"mkdirs": 2}
    found = made.info()
    assert found is not None
    assert (found["type"], found["permission"]) == ("directory", 0o750)


@pytest.mark.parametrize(("remove", "name"), [(rxHadoopRemove, "file"), (rxHadoopRemoveDir, "")])
def test_a_file_or_a_folder_is_removed(
    wire: LossyWire, folder: str, file: str, remove: Callable[[str], None], name: str
) -> None:
    """It is no error that the first request has removed it."""
    wire.lose_an_answer("delete")
    remove(f"{folder}/{name}")
    assert wire.requests == {"delete": 2}
    assert not rxHadoopFileExists(file)


def test_a_file_is_moved_once(wire: LossyWire, folder: str, file: str) -> None:
    """The second time its old name would be missing."""
    wire.lose_an_answer("rename2")
    rxHadoopMove(file, f"{folder}/moved")
    assert wire.requests == {"rename2": 1}
    assert names(folder) == ["moved"]


def test_a_file_is_not_moved_where_another_one_is(wire: LossyWire, folder: str, file: str) -> None:
    """The lost answer was a refusal, so the file is asked for again, and refused: both stay what they were."""
    there, other = open_path(file), open_path(f"{folder}/other")
    atomic.write(other, b"other")
    wire.lose_an_answer("rename2")
    with pytest.raises(FileExistsError):
        there.fs.mv(there.path, other.path)
    assert wire.requests == {"rename2": 2}
    assert (names(folder), atomic.read(other)) == (["file", "other"], b"other")


def test_a_file_that_one_process_may_create_is_its_own(wire: LossyWire, folder: str) -> None:
    """Though whether it has got it was not heard; the next process does not get it, whose answer is lost too."""
    lease = open_path(f"{folder}/lease")
    wire.lose_an_answer("rename2")
    assert atomic.create(lease, b"first") is True
    assert wire.requests == {"rename2": 1}
    wire.lose_an_answer("rename2")
    assert atomic.create(lease, b"second") is False
    assert (names(folder), atomic.read(lease)) == (["lease"], b"first")


@pytest.mark.parametrize("request_", ["create", "addBlock", "complete", "rename2"])
def test_a_file_is_replaced_as_a_whole(wire: LossyWire, folder: str, request_: str) -> None:
    """Whichever answer is lost on the way: the new bytes are there, and no draft."""
    path = open_path(f"{folder}/state")
    atomic.write(path, b"old")
    wire.lose_an_answer(request_)
    atomic.write(path, b"new")
    assert wire.requests[request_] >= 1
    assert (names(folder), atomic.read(path)) == (["state"], b"new")
