"""Files in a folder that all hosts reach, and their end.

They lie in a folder of this process, which goes with it. Those that killed processes of this host have left behind are
swept by the next one.

    <share folder>/rxspark-<user>/<host>/<process>/<number>.bundle
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import socket
from functools import cache
from pathlib import Path
from typing import Any

from rxspark.errors import RxError
from rxspark.places import Place, open_place, told
from rxspark.worker.bundle import Bundle, Writable
from rxspark.worker.parcels import Fetched
from rxspark.worker.payload import process_token

__all__ = ["remove_there", "write_there"]

_numbers = itertools.count(1)


class _InBytes:
    """A file that is given bytes: hdfs-native takes a memoryview too, but number by number, at a third of the speed."""

    def __init__(self, file: Writable) -> None:
        self._file = file

    def write(self, data: Any) -> Any:
        return self._file.write(bytes(data))


def write_there(bundle: Bundle, share: Place) -> tuple[Place, Fetched]:
    """Write a bundle to a file that all hosts can fetch.

    Raises
    ------
    RxFileError
        When the folder cannot be written to, or others could write there; no half file is left behind.
    RxContextError
        When the file system cannot be reached.
    """
    folder = _own_folder(str(share), process_token())
    place = folder / f"{next(_numbers)}.bundle"
    try:
        with told(place):
            with place.fs.open(place.path, "wb") as file:
                bundle.write(_InBytes(file))
            size = int(place.fs.info(place.path)["size"])
    except RxError:
        remove_there(place)
        raise
    return place, Fetched(str(place), f"{folder.name}-{place.name}", size)


def remove_there(place: Place) -> None:
    """Remove a file; hosts that have fetched it keep their copies for a while."""
    with contextlib.suppress(Exception):  # not worth an error: it goes with the folder of this process
        place.fs.rm_file(place.path)


@cache
def _own_folder(share: str, process: str) -> Place:
    """The folder of this process in a share folder; after a fork the child makes its own."""
    top = open_place(share)
    ours = top / f"rxspark-{top.user}"
    here = ours / socket.gethostname()
    folder = here / process
    with told(folder):
        folder.fs.makedirs(folder.path)
    _refuse_writable_by_others(ours)
    _sweep(here)
    atexit.register(_remove_folder, folder, os.getpid())
    return folder


def _refuse_writable_by_others(folder: Place) -> None:
    found = folder.info() or {}
    mode = found.get("permission", found.get("mode"))  # as HDFS and as local file systems name it; stores have none
    if mode is not None and mode & 0o022:
        raise folder.problem(
            f"others can write there (mode {mode & 0o777:o}), and rxspark unpickles what lies there; take that right "
            f"from them, or remove the folder"
        )


def _sweep(here: Place) -> None:
    """Remove what processes of this host have left behind that are no more."""
    for entry in here.entries():
        folder = here.at(str(entry["name"]))
        if not Path("/proc", folder.name.rpartition("-")[2]).exists():
            _remove_folder(folder, os.getpid())


def _remove_folder(folder: Place, owner: int) -> None:
    if os.getpid() == owner:  # and not a child that was forked later
        with contextlib.suppress(Exception):  # at exit the file system may be gone before us
            folder.fs.rm(folder.path, recursive=True)
