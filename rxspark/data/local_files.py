"""Files that this process shares with others on its host, and their end.

They lie in a folder of this process, which it holds a lock on. The folder goes when the process ends; that of a
process which was killed is swept by the next one, which finds its lock free; in memory (/dev/shm), by any next one.

    <base>/rxspark-<user>/<process>/lock
                                    <number>.bundle
                                    <call>-<task>.journal    see worker/journal.py
                                    rxspark-<digest>.zip     rxspark for Spark's executors
                                    log4j2.properties        what Spark's own sessions log
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from rxspark.concurrency import once
from rxspark.data.bundle import Bundle
from rxspark.data.host_cache import MEMORY, folder_with_room, free, lock, own_folder, private_folder
from rxspark.data.refs import LocalFileRef
from rxspark.errors import RxContextError, RxFileError
from rxspark.files.io import private
from rxspark.files.paths import file_errors, open_path
from rxspark.process import process_token

__all__ = ["local_folder", "remove_journals", "remove_local_bundle", "write_local_bundle"]

_numbers = itertools.count(1)


def write_local_bundle(bundle: Bundle, share_dir: str | None) -> LocalFileRef:
    """Write a bundle to a file that the workers of this host can map.

    Raises
    ------
    RxFileError
        When the disk is full or the folder cannot be written to; nothing is left behind then.
    """
    base = _made(share_dir) or folder_with_room(tempfile.gettempdir(), bundle.size)
    path = _own_folder(base, process_token()) / f"{next(_numbers)}.bundle"
    try:
        with open(path, "xb", opener=private) as file:
            bundle.write(file)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RxFileError(
            f"{path.parent}: {bundle.size} bytes of shared data cannot be written there: {error.strerror}; "
            f"{free(base)} bytes are free. Give the compute context a shareDir with more room"
        ) from error
    return LocalFileRef(str(path))


def local_folder(share_dir: str | None) -> Path:
    """The folder of this process, to which its workers on this host may write, too."""
    return _own_folder(_made(share_dir) or tempfile.gettempdir(), process_token())


def _made(share_dir: str | None) -> str | None:
    """The folder that the user names, made if it is not there yet."""
    if share_dir is not None and not os.path.lexists(share_dir):
        with file_errors(open_path(share_dir)):
            os.makedirs(share_dir, mode=0o700, exist_ok=True)
    return share_dir


def remove_journals(folder: str, call_id: str) -> None:
    """Remove what workers of a call that were ended have written down."""
    with contextlib.suppress(FileNotFoundError):  # at the end of the program the folder goes first
        for path in Path(folder).glob(f"{call_id}-*.journal"):
            path.unlink(missing_ok=True)


def remove_local_bundle(file: LocalFileRef) -> None:
    """Remove a file; who has mapped it goes on reading it."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file.path)


@once
def _own_folder(base: str, process: str) -> Path:
    """The folder of this process in `base`; after a fork the child makes its own."""
    if own_folder(MEMORY).is_dir():  # the next one to be in want of room may never come
        with contextlib.suppress(RxContextError, OSError), _swept(private_folder(MEMORY)):
            pass
    ours = private_folder(base)
    folder = ours / process
    with _swept(ours):
        folder.mkdir(mode=0o700)
        alive = open(folder / "lock", "wb", opener=private)  # noqa: SIM115 - held to the end of this process
        lock(alive)
    atexit.register(_remove_folder, folder, os.getpid(), alive)
    return folder


def _remove_folder(folder: Path, owner: int, held: IO[bytes]) -> None:
    if os.getpid() == owner:  # and not a child that was forked later
        shutil.rmtree(folder, ignore_errors=True)
        held.close()


@contextlib.contextmanager
def _swept(ours: Path) -> Iterator[None]:
    """Remove the folders of processes that were killed: their locks are free. No other process makes one meanwhile."""
    with open(ours / "sweeping", "wb", opener=private) as turn:
        lock(turn)  # no other process shall find a folder here whose lock is not yet held
        for folder in ours.iterdir():
            with contextlib.suppress(OSError), open(folder / "lock", "rb") as held:
                lock(held, wait=False)
                shutil.rmtree(folder)
        yield
