"""Read and write whole files on any fsspec file system; on HDFS also while DataNodes die or hang.

hdfs-native gives a file up when a DataNode dies that was to take it, or takes connections and is silent for a minute;
where one dies at the wrong moment of a write, it waits for ever. The NameNode goes on naming such a DataNode until it
counts as dead, for ten minutes by default.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from rxspark.concurrency import call_with_timeout
from rxspark.files.hdfs import CUT, Patience
from rxspark.files.paths import FsPath, file_errors

__all__ = ["PUBLISHED", "fetch", "pieces", "private", "read", "write"]

_PRIVATE = 0o600

PUBLISHED = 0o644
"""The mode of files that others may read and, whatever the umask, not write."""

# Seconds for which HDFS may neither give nor take a piece of a file, and bytes of a piece: half a megabyte in a second
# is far below what it does.
_PIECE_TIMEOUT_S, _PIECE_BYTES = 15.0, 8 << 20

# The errors for which a file on HDFS is begun again: its connection broke, or, in the words of hdfs-native, no DataNode
# gives or takes the bytes, as each has broken its connection.
_BROKEN = (*CUT, "DataTransferError")

# More such errors of a file that is written: a DataNode has gone; the NameNode has not said for 15 s that all is there.
_NOT_WRITTEN = ("Connection refused", "Failed to complete file in time")

# The error where the NameNode knows of no DataNode that has the bytes: to read again would not bring them.
_NOWHERE = "All DataNodes failed: []"


def read(path: FsPath) -> bytes:
    """Read a whole file."""
    if path.is_hdfs:
        return b"".join(pieces(path))
    with file_errors(path):
        return bytes(path.fs.cat_file(path.path))


def fetch(path: FsPath, file_name: str) -> None:
    """Copy a file to a local one, which is for this user alone."""
    with open(file_name, "wb", opener=private) as file:
        if path.is_hdfs:
            for piece in pieces(path):
                file.write(piece)
            return
    with file_errors(path):
        path.fs.get_file(path.path, file_name)  # by its name, as not all file systems take an open file


def pieces(path: FsPath) -> Iterator[bytes]:
    """Read a file, one piece after another; on HDFS again from where it was, if no DataNode gives the next one."""
    position = 0
    patience = Patience()
    while True:
        with file_errors(path):
            try:
                with path.fs.open(path.path, "rb") as file:
                    file.seek(position)
                    more = partial(file.read, _PIECE_BYTES)
                    if path.is_hdfs:
                        more = partial(call_with_timeout, _PIECE_TIMEOUT_S, more, "read from HDFS")
                    while piece := more():
                        yield piece
                        position += len(piece)
                        patience.renew()
                return
            except Exception as error:
                broken = path.is_hdfs and _NOWHERE not in str(error) and _names_one(error, _BROKEN)
                if not (broken or isinstance(error, TimeoutError)) or patience.is_over:
                    raise
        patience.wait()


def private(path: str, flags: int) -> int:
    """Open a local file, as an `opener` does; a new one is for this user alone, whatever the umask."""
    return os.open(path, flags, _PRIVATE)


def write(
    path: FsPath, fill: Callable[[Any], None], known_as: FsPath | None = None, mode: int | None = _PRIVATE
) -> None:
    """Open a file for `fill` to write it whole; on HDFS again, where that was interrupted.

    Errors name the place that the user knows. A new file has the mode, where the file system has modes; None: what is
    usual there.
    """
    patience = Patience()
    while True:
        with file_errors(known_as or path):
            file = path.create(mode)
            try:
                return _fill(path, file, fill)
            except BaseException as error:
                broken = isinstance(error, TimeoutError) or _names_one(error, (*_BROKEN, *_NOT_WRITTEN))
                if not (path.is_hdfs and broken) or patience.is_over:
                    raise
        patience.wait()


def _names_one(error: BaseException, signs: tuple[str, ...]) -> bool:
    return any(sign in str(error) for sign in signs)


def _fill(path: FsPath, file: Any, fill: Callable[[Any], None]) -> None:
    if path.is_hdfs:
        on_hdfs = _OnHdfs(file)
        try:
            fill(on_hdfs)
            on_hdfs.close()
        except BaseException:
            on_hdfs.give_up()
            raise
        return
    with file:
        try:
            fill(file)
            file.close()
        except BaseException:
            if path.store:
                _give_up(file)
            raise


def _give_up(file: Any) -> None:
    """Leave nothing of a new file in a store of objects, of which close() would make an object, shorter than meant."""
    with contextlib.suppress(Exception):  # the first error is the one to tell
        file.discard()
    file.closed = True


class _OnHdfs:
    """A new file on HDFS, which takes any buffer.

    The file itself is given bytes, as it would take a memoryview number by number, at a third of the speed.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        view = memoryview(data)
        for start in range(0, len(view), _PIECE_BYTES):
            piece = bytes(view[start : start + _PIECE_BYTES])
            call_with_timeout(_PIECE_TIMEOUT_S, partial(self._file.write, piece), "write to HDFS")
        return len(view)

    def close(self) -> None:
        call_with_timeout(_PIECE_TIMEOUT_S, self._file.close, "close a file on HDFS")

    def give_up(self) -> None:
        """Let Python not close the file when it forgets it: that waits for what is lost, 15 s or for ever."""
        self._file.close = lambda: None
