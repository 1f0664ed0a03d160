"""Files that are whole or not there, on local and other file systems."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from rxspark import RxFileError
from rxspark.files import atomic
from rxspark.files.paths import open_path


@pytest.fixture(params=["file", "memory"])
def place(request, tmp_path):
    """Where a record may be written."""
    folder = open_path(str(tmp_path) if request.param == "file" else f"memory://{tmp_path}")
    folder.fs.makedirs(folder.path, exist_ok=True)
    return folder / "record"


def _edit(place, change):
    data = place.fs.cat_file(place.path)
    place.fs.pipe_file(place.path, change(data))


@pytest.mark.parametrize("body", [b"", b"{}", bytes(range(256)) * 1000, b"\nrxspark 1 0 0\n"])
def test_what_was_written_is_read(place, body):
    """Any bytes, again and again, and nothing else is left in the folder."""
    atomic.write(place, b"before")
    atomic.write(place, body)
    assert atomic.read(place) == body
    assert [entry["name"].rpartition("/")[2] for entry in place.parent.entries()] == ["record"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data[:-1], "is damaged: 11 bytes of 12 are there"),
        (lambda data: data[:5], "its first line is not the one that was written"),
        (lambda data: b"", "its first line is not the one that was written"),
        (lambda data: data.replace(b"state", b"STATE"), "is damaged, or was edited: its checksum is wrong"),
        (lambda data: data + b"x", "is damaged: 13 bytes of 12 are there"),
        (
            lambda data: data.replace(b"rxspark 1", b"rxspark 2", 1),
            "newer version of rxspark .format 2; this one reads",
        ),
    ],
)
def test_damage_edits_and_newer_formats_are_told(place, change, told):
    """The error names the file and what is wrong with it."""
    atomic.write(place, b"the state: 1")
    _edit(place, change)
    with pytest.raises(RxFileError, match=told) as raised:
        atomic.read(place)
    assert str(place) in str(raised.value)


def test_only_one_of_two_creates_a_file(place):
    """The second one is told so, and changes nothing."""
    assert atomic.create(place, b"first")
    assert not atomic.create(place, b"second")
    assert atomic.read(place) == b"first"


def _race(path, barrier, won):
    barrier.wait()
    if atomic.create(open_path(path), str(os.getpid()).encode()):
        won.put(os.getpid())


def test_of_many_processes_one_creates_a_file(tmp_path):
    """Whoever comes first."""
    system = multiprocessing.get_context("fork")
    barrier, won = system.Barrier(8), system.Queue()
    path = str(tmp_path / "lease")
    processes = [system.Process(target=_race, args=(path, barrier, won)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    winner = won.get(timeout=10)
    assert won.empty()
    assert atomic.read(open_path(path)) == str(winner).encode()
