"""Folders on this host for shared data: of this user alone, and the cache of what was fetched from elsewhere."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from rxspark.errors import RxContextError, RxFileError
from rxspark.files.io import fetch, private
from rxspark.files.paths import open_path

__all__ = [
    "MEMORY",
    "folder_with_room",
    "free",
    "local_copy",
    "lock",
    "once_on_this_host",
    "own_folder",
    "private_folder",
]

# Seconds that a fetched file is kept after its last use: the next call may want it again.
_KEPT = 600

MEMORY = "/dev/shm"
"""A folder in memory, for hosts whose disk is full."""


def private_folder(base: str | os.PathLike[str]) -> Path:
    """The folder in `base` that belongs to this user alone, made if need be.

    What lies there is unpickled, so nobody else may be able to write to it.

    Raises
    ------
    RxContextError
        When the folder cannot be made, or others can reach it.
    """
    folder = own_folder(base)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
    except OSError as error:
        raise RxContextError(
            f"{folder}: no folder for shared data can be made there: {error.strerror}. Let the variable TMPDIR name a "
            f"folder that can be written to, or give the compute context a shareDir"
        ) from error
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o077:
        raise RxContextError(
            f"{folder} must be a folder that user {os.geteuid()} alone can reach, as rxspark unpickles what is in it; "
            f"it belongs to user {state.st_uid} and has mode {stat.S_IMODE(state.st_mode):o}. Remove it, or run "
            f"`chmod 700 {folder}` if it is yours"
        )
    return folder


def own_folder(base: str | os.PathLike[str]) -> Path:
    """Return the path of this user's folder in `base`, whether it exists or not."""
    return Path(base) / f"rxspark-{os.geteuid()}"


def lock(file: IO[bytes], wait: bool = True) -> None:
    """Take the lock of an open file; the system lets go of it when the file is closed or this process dies.

    Raises
    ------
    BlockingIOError
        Without `wait`, when another process has it.
    """
    import fcntl  # not on Windows, which imports this module all the same

    fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def local_copy(url: str, name: str, size: int) -> str:
    """Return the path of this host's copy of a file, which is fetched unless a process of this user has done so.

    Raises
    ------
    RxFileError
        When it cannot be fetched: with this host, the file's size and the room that there is.
    """
    there = (folder for folder in (_base(), MEMORY) if (_cache(folder) / name).exists())
    base = next(there, None) or folder_with_room(_base(), size)
    path = _cache(base) / name
    try:
        _fetched_folder(base)
        if not path.exists():
            with open(path.parent / "fetching", "ab", opener=private) as file:
                lock(file)
                if not path.exists():
                    _sweep(path.parent)
                    _fetch(url, path)
    except (OSError, RxContextError) as error:
        left = free(base)
        room = f" ({size} bytes; {path.parent} has {left} bytes left)" if left < size else ""
        raise RxFileError(
            f"{url}: shared data could not be fetched to {socket.gethostname()}{room}: {error}"
        ) from error
    with contextlib.suppress(FileNotFoundError):  # swept this very moment: opening it says so
        os.utime(path)
    return str(path)


@contextlib.contextmanager
def once_on_this_host(name: str) -> Iterator[bool]:
    """Enter a block that only one process of this host runs to its end; yields whether it is this one.

    Another process may try again where one has died in it.
    """
    folder = _fetched_folder(_base())
    with open(folder / "fetching", "ab", opener=private) as turn:
        lock(turn)
        _sweep(folder)
        file = open(folder / f"{name}.once", "ab", opener=private)  # noqa: SIM115 - closed below
    with file:
        try:
            lock(file, wait=False)
        except BlockingIOError:
            yield False
            return
        if file.tell():
            yield False
            return
        yield True
        file.write(b"done")


def _cache(base: str) -> Path:
    """Return the path of the folder of fetched files, whether it exists or not."""
    return own_folder(base) / "fetched"


def _fetched_folder(base: str) -> Path:
    private_folder(base)
    folder = _cache(base)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def folder_with_room(base: str, size: int) -> str:
    """A folder on this host for so many bytes: `base`, or where that has no room, memory."""
    if free(base) < size and os.path.isdir(MEMORY) and free(MEMORY) > 2 * size:
        return MEMORY
    return base


def free(folder: str | os.PathLike[str]) -> int:
    """Return the bytes that are free for this user in a folder's file system."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def _base() -> str:
    """The folder that all executors of an application on this host share; on YARN it is removed with the application.

    Not SPARK_LOCAL_DIRS, which is a folder of each executor.
    """
    return os.environ.get("LOCAL_DIRS", "").split(",")[0] or tempfile.gettempdir()


def _sweep(folder: Path) -> None:
    """Remove files that nobody has used lately; a process that has mapped one goes on reading it."""
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            if entry.name != "fetching" and time.time() - entry.stat().st_mtime > _KEPT:
                os.unlink(entry.path)


def _fetch(url: str, path: Path) -> None:
    source, coming = open_path(url), path.with_suffix(".coming")
    try:
        fetch(source, str(coming))
        os.replace(coming, path)
    except OSError:
        coming.unlink(missing_ok=True)
        raise
