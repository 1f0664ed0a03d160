"""The way home of a partition's results: inside the engine's own message, or by a file that the message names.

An engine's own way (Spark: accumulators) is fast for small results, and limited: all that one job brings home by
`spark.driver.maxResultSize`, one message by 2 GB. So large results go by a file. A job with a folder has its file there
already, written once and kept; else a file is left in a folder that the caller reaches, and removed when it was read.
Where there is no such folder, or it has no room, they come by the engine's message after all, and values that are too
large for that are the errors of their tasks, and all others come.
"""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rxspark.errors import RxContextError, RxError
from rxspark.files import atomic
from rxspark.files.io import private, read, write
from rxspark.files.paths import FsPath, file_errors, open_path
from rxspark.worker.combining import AnyPartitionResult, CombinedResult
from rxspark.worker.results import PartitionResult, TaskFailure, size_of

__all__ = ["ABOUT", "PARTS", "ResultFile", "ResultMessage", "ResultSink", "result_name"]

PARTS = "parts"
"""The folder of the result files in that of a job."""

ABOUT = "job.json"
"""The file that the driver writes last when it makes the folder of a job: without it the job is gone."""

FILE_THRESHOLD = 1 << 20
"""Bytes of a partition's results from which they go by a file."""


@dataclass(frozen=True)
class ResultFile:
    """A file with the results of a partition."""

    path: str
    on_this_host: bool = False
    kept: bool = False
    """Whether it is the job's own, which stays; else it is removed once it was read."""

    def take(self) -> bytes:
        """Read the packed results. OSError when they cannot be had."""
        if self.on_this_host:
            packed = Path(self.path).read_bytes()
            os.unlink(self.path)
            return packed
        path = open_path(self.path)
        if self.kept:
            return atomic.read(path)
        packed = read(path)
        with file_errors(path):
            path.fs.rm_file(path.path)
        return packed


ResultMessage = bytes | ResultFile
"""The results of a partition, packed, or the file that holds them."""


@dataclass(frozen=True)
class ResultSink:
    """The way home of the results of one call."""

    folder: str | None = None
    """Path or URL of a folder that worker and caller reach."""
    on_this_host: bool = False
    """Whether `folder` is on the host of all workers."""
    largest: int | None = None
    """Bytes that one message of the engine can bring."""
    limit: str = ""
    """The engine's setting that says so, with its value."""
    by_file: bool = True
    """Whether large results go by files; not where they stay in this process."""

    def send(self, result: AnyPartitionResult, job_folder: str | None) -> ResultMessage:
        """Return the message for the caller, and keep the results in the folder of the job, if it has one.

        That they cannot be kept there is no error of the job: they come home, and `unsaved` tells why.
        """
        packed = result.pack()
        kept, no_file = None, ""
        if job_folder is not None and result.problem is None and result.numbers:
            try:
                kept = _keep(job_folder, result.numbers, packed)
            except RxError as problem:
                result.unsaved = f"{result.host}: {problem}"
                packed = result.pack()
        if self.by_file and len(packed) >= FILE_THRESHOLD:
            if kept is not None:
                return kept
            if self.folder is not None:
                try:
                    return self._leave(packed, self.folder)
                except OSError as error:
                    no_file = f". They could not be written to {self.folder} on {socket.gethostname()}: {error}"
        if self.largest is not None and len(packed) > self.largest:
            return self._without_the_largest(packed, self.largest, no_file)
        return packed

    def _leave(self, packed: bytes, folder: str) -> ResultFile:
        """Leave results in a folder for the caller. OSError where it takes none, as it is full."""
        name = f"{uuid.uuid4().hex}.results"
        if self.on_this_host:
            path = os.path.join(folder, name)
            _write_here(path, packed)
            return ResultFile(path, on_this_host=True)
        there = open_path(folder) / name
        there.parent.make()
        try:
            write(there, lambda file: file.write(packed))
        except OSError:
            with contextlib.suppress(Exception):  # what has been written takes room that others need
                there.fs.rm_file(there.path)
            raise
        return ResultFile(str(there))

    def _without_the_largest(self, packed: bytes, largest: int, no_file: str) -> bytes:
        by_file = "make room in that folder" if no_file else "give RxSpark an hdfsShareDir"
        return _without(
            packed,
            largest,
            lambda size: (
                f"its result takes {size} bytes, and those that ran with it {len(packed)}: more than the "
                f'{largest} bytes that come with {self.limit}{no_file}. Raise that ("0" is no limit but Spark\'s own '
                f"of 2 GB a message), or {by_file}, by which results of any size come"
            ),
        )


_opened = lru_cache(maxsize=8)(open_path)


def _keep(job_folder: str, numbers: Sequence[int], packed: bytes) -> ResultFile:
    """Write results into the folder of a job."""
    folder: FsPath = _opened(job_folder)
    if (folder / ABOUT).info() is None:
        raise folder.error("no such job: it was removed, or this host does not share the folder")
    file = folder / PARTS / result_name(numbers)
    atomic.write(file, packed)
    return ResultFile(str(file), kept=True)


def result_name(numbers: Sequence[int]) -> str:
    """Name the file for the results of these tasks: by the first one, the last, and how many they are."""
    return f"{numbers[0]}-{numbers[-1]}-{len(numbers)}.results"


def _write_here(path: str, packed: bytes) -> None:
    try:
        with open(path, "xb", opener=private) as file:
            file.write(packed)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _without(packed: bytes, room: int, why: Callable[[int], str]) -> bytes:
    """The results with so many of the largest values turned into errors that the rest has room.

    Combined values are none of single tasks: without them there is no result of the call.
    """
    result: AnyPartitionResult = PartitionResult.unpack(packed)
    if isinstance(result, CombinedResult):
        result.problem = RxContextError(f"tasks {result.numbers[0]} to {result.numbers[-1]}: {why(len(packed))}")
        result.branches.clear()
        return result.pack()
    sizes = {index: size_of(value) for index, value in enumerate(result.values) if value is not None}
    left = len(packed)
    for index in sorted(sizes, key=lambda index: -sizes[index]):
        if left <= room:
            break
        result.values[index] = None
        result.failures[result.numbers[index]] = TaskFailure("ResultTooLarge", why(sizes[index]), "")
        left -= sizes[index]
    return result.pack()
