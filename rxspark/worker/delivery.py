"""Deliver the results of a partition from a worker of an engine that does not carry everything.

What an engine carries itself (Spark: by its accumulators) is fast for what is small, and limited: all that one job
brings home by `spark.driver.maxResultSize`, one message by 2 GB. So large results are left in a folder that the
caller reaches, a file for each partition, and the message says where. Where there is no such folder, the values that
are too large are the errors of their tasks, and all others come.
"""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rxspark.files.io import private, read, write
from rxspark.files.paths import file_errors, open_path
from rxspark.worker.results import PartitionResult, TaskFailure, size_of

__all__ = ["ResultFile", "ResultMessage", "ResultSink"]

FILE_THRESHOLD = 1 << 20
"""Bytes of a partition's results from which they go by a file."""


@dataclass(frozen=True)
class ResultFile:
    """Location of a partition's results."""

    place: str
    on_this_host: bool

    def take(self) -> bytes:
        """The results, packed; they are there no longer. An OSError when they cannot be had."""
        if self.on_this_host:
            packed = Path(self.place).read_bytes()
            os.unlink(self.place)
            return packed
        place = open_path(self.place)
        packed = read(place)
        with file_errors(place):
            place.fs.rm_file(place.path)
        return packed


ResultMessage = bytes | ResultFile
"""The results of a partition, packed, or where they are."""


@dataclass(frozen=True)
class ResultSink:
    """Destination of one call's results."""

    folder: str | None
    """Path or URL of a folder that worker and caller reach."""
    on_this_host: bool
    largest: int
    """Bytes that one message of the engine can bring."""
    limit: str
    """The engine's setting that says so, with its value."""

    def post(self, packed: bytes) -> ResultMessage:
        """Give the message to send: the results, or where they are."""
        if self.folder is not None and len(packed) >= FILE_THRESHOLD:
            return self._leave(packed, self.folder)
        if len(packed) > self.largest:
            return self._without_the_largest(packed)
        return packed

    def _leave(self, packed: bytes, folder: str) -> ResultMessage:
        name = f"{uuid.uuid4().hex}.results"
        try:
            if self.on_this_host:
                path = os.path.join(folder, name)
                _write_here(path, packed)
                return ResultFile(path, on_this_host=True)
            place = open_path(folder) / name
            place.parent.make()
            write(place, lambda file: file.write(packed))
            return ResultFile(str(place), on_this_host=False)
        except OSError as error:
            why = f"could not be written to {folder} on {socket.gethostname()}: {error}"
            return _without(packed, 0, lambda size: f"the results of its partition ({len(packed)} bytes) {why}")

    def _without_the_largest(self, packed: bytes) -> bytes:
        return _without(
            packed,
            self.largest,
            lambda size: (
                f"its result takes {size} bytes, and those that ran with it {len(packed)}: more than the "
                f'{self.largest} bytes that come with {self.limit}. Raise that ("0" is no limit but Spark\'s own of '
                f"2 GB a message), or give RxSpark an hdfsShareDir, by which results of any size come"
            ),
        )


def _write_here(path: str, packed: bytes) -> None:
    try:
        with open(path, "xb", opener=private) as file:
            file.write(packed)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _without(packed: bytes, room: int, why: Callable[[int], str]) -> bytes:
    """The results with so many of the largest values turned into errors that the rest has room."""
    result = PartitionResult.unpack(packed)
    sizes = {index: size_of(value) for index, value in enumerate(result.values) if value is not None}
    left = len(packed)
    for index in sorted(sizes, key=lambda index: -sizes[index]):
        if left <= room:
            break
        result.values[index] = None
        result.failures[result.numbers[index]] = TaskFailure("ResultTooLarge", why(sizes[index]), "")
        left -= sizes[index]
    return result.pack()
