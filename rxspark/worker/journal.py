"""Journal of a partition: the tasks that a worker has finished, until the whole partition goes home.

When one worker of a pool dies, the pool ends all the others with it, and their partitions are lost with all that was
finished in them. So a worker on the caller's own host writes down the answers as they come, and who runs the partition
again begins behind the last one: what is on record does not run twice. On hosts of a cluster there is nothing of the
kind: the other workers live on there, and a second attempt may be made elsewhere.

Writing takes 4 us, in the middle of a random stream, whose state goes along, up to 100 us. So tasks that are shorter
than that are written down several at a time: what may run twice is less than a millisecond's or two's work. Whole
partitions that a worker keeps while others of their batch run are written down in one file of that worker.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from rxspark.files.io import private
from rxspark.worker.results import PartitionResult

__all__ = ["BatchJournal", "PartitionJournal", "journal_path", "messages_on_record"]

# How many times as long as writing the work must have taken that is written: a twentieth of the time is little.
_WORK_PER_WRITING = 20

# Bytes of the largest values that are written down; what is behind them may run twice.
_LARGEST_VALUES = 64 << 20


def journal_path(folder: str, name: str) -> str:
    """The file of a partition: it stays until the partition has arrived, whatever becomes of the worker."""
    return os.path.join(folder, f"{name}.journal")


class PartitionJournal:
    """The answers of one partition, in a file that is there as long as the partition is not delivered.

    Parameters
    ----------
    folder : str
        A folder of the caller's on this host that nobody else can write to.
    name : str
        The name of the partition, the same in each attempt.
    """

    def __init__(self, folder: str, name: str) -> None:
        self._path = journal_path(folder, name)
        self._file: IO[bytes] | None = None
        self._open = True
        self._written = 0  # answers
        self._unwritten = 0.0  # seconds of work
        self._least = 0.0  # seconds of work that are worth writing

    def note(self, result: PartitionResult, stream_state: Callable[[], Any]) -> None:
        """Write down what has come to these answers, and the state of the random stream, if it is worth it."""
        self._unwritten += result.seconds[-1]
        if self._unwritten < self._least or not self._open:
            return
        began = time.perf_counter()
        self._write(result.since(self._written), stream_state())
        self._written, self._unwritten = len(result.numbers), 0.0
        self._least = _WORK_PER_WRITING * (time.perf_counter() - began)

    def _write(self, part: PartitionResult, stream: Any) -> None:
        """Write no more where that is not possible."""
        self._open = part.size <= _LARGEST_VALUES
        if self._open:
            try:
                if self._file is None:
                    self._file = open(self._path, "wb", buffering=0, opener=private)  # noqa: SIM115 - `close` does
                entry = pickle.dumps((part, stream), 5)
                self._open = self._file.write(entry) == len(entry)  # behind a part of one nothing can be read
            except OSError:  # no room: the call goes on without
                self._open = False

    def read(self, result: PartitionResult) -> Any:
        """Take in what an earlier attempt has written down; return the state of the stream behind it."""
        state = None
        for part, stream in self.entries():
            result.extend(part)
            state = stream
        return state

    def recorded(self) -> PartitionResult | None:
        """Return all that has been written down, None if that is nothing."""
        found: PartitionResult | None = None
        for part, _ in self.entries():
            if found is None:
                found = part
            else:
                found.extend(part)
        return found

    def entries(self) -> Iterator[tuple[PartitionResult, Any]]:
        """Return what has been written down, each with the state of the stream behind it."""
        yield from _entries(self._path)

    def close(self) -> None:
        """Write no more; the file is removed where the partition arrives."""
        if self._file is not None:
            self._file.close()


# Bytes after which a worker begins its file of whole partitions anew: those before have arrived.
_LARGEST_FILE = 16 << 20


class BatchJournal:
    """The messages of partitions that a worker keeps while others of their batch run.

    Parameters
    ----------
    folder : str
        As for `PartitionJournal`.
    call_id : str
        The call's name.
    """

    def __init__(self, folder: str, call_id: str) -> None:
        self._path = journal_path(folder, f"{call_id}-batch-{os.getpid()}")
        self._file: IO[bytes] | None = None

    def add(self, message: bytes) -> bool:
        """Write down a message; tell whether it is on record."""
        entry = pickle.dumps(message, 5)
        if len(entry) > _LARGEST_VALUES:
            return False
        try:
            file = self._opened()
            before = file.tell()
            whole = file.write(entry) == len(entry)
            if not whole:  # behind a part of one nothing can be read
                file.truncate(before)
        except OSError:  # no room
            return False
        return whole

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = open(self._path, "ab", buffering=0, opener=private)  # noqa: SIM115 - `close` does
            if self._file.tell() > _LARGEST_FILE:
                self._file.truncate(0)
        return self._file

    def close(self) -> None:
        """Write no more; the file is removed at the end of the call."""
        if self._file is not None:
            self._file.close()


def messages_on_record(folder: str, call_id: str) -> Iterator[bytes]:
    """Return the messages of partitions that workers of a call had written down as they ended; each once."""
    for path in Path(folder).glob(f"{call_id}-batch-*.journal"):
        yield from _entries(path)
        path.unlink(missing_ok=True)


def _entries(path: str | Path) -> Iterator[Any]:
    """Read what has been written down in a file, one entry after another."""
    # The worker may have died while it was writing: what is there in part does not count.
    with contextlib.suppress(FileNotFoundError, EOFError, pickle.UnpicklingError), open(path, "rb") as file:
        while True:
            yield pickle.load(file)
