"""What a worker has finished of a partition, on record until the whole partition goes home.

When one worker of a pool dies, the pool ends all the others with it, and their partitions are lost with all that was
finished in them. So a worker on the caller's own host writes down each answer as it comes, and who runs the partition
again begins behind the last one: no finished task runs twice. On hosts of a cluster there is nothing of the kind: the
other workers live on there, and a second attempt may be made elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from rxspark.worker.envelope import Envelopes, Failure

__all__ = ["Diary", "Entry", "path_of"]

# Bytes of the largest value that is written down; those behind a larger one may run twice.
_LARGEST = 64 << 20


class Entry(NamedTuple):
    """The answer of one task."""

    number: int
    started: float
    seconds: float
    failure: Failure | None
    output: str
    stream: Any
    """State of the random stream behind the task; None: the next task has a stream of its own."""
    size: int | None
    """Bytes of the value, which follow; None where the task failed."""


def path_of(folder: str, name: str) -> str:
    """The file of a partition: it stays until the partition has arrived, whatever becomes of the worker."""
    return os.path.join(folder, f"{name}.diary")


class Diary:
    """The answers of one partition, in a file that is there as long as the partition is not delivered.

    Parameters
    ----------
    folder : str
        A folder of the caller's on this host that nobody else can write to.
    name : str
        The name of the partition, the same in each attempt.
    """

    def __init__(self, folder: str, name: str) -> None:
        self._path = path_of(folder, name)
        self._file: IO[bytes] | None = None
        self._open = True

    def note(self, envelopes: Envelopes, stream: Any) -> None:
        """Write down the last one of these answers; where that is not possible, no more are written."""
        if not self._open:
            return
        number, value = envelopes.numbers[-1], envelopes.values[-1]
        entry = Entry(
            number,
            envelopes.started[-1],
            envelopes.seconds[-1],
            envelopes.failures.get(number),
            envelopes.output.get(number, ""),
            stream,
            None if value is None else len(value),
        )
        try:
            if self._file is None:
                self._file = open(self._path, "wb", buffering=0)  # noqa: SIM115 - `close` does
            self._open = value is None or len(value) <= _LARGEST
            if self._open:
                self._file.write(pickle.dumps(tuple(entry), 5) + (value or b""))
        except OSError:  # no room: the call goes on without
            self._open = False

    def read(self, envelopes: Envelopes) -> Any:
        """Take in what an earlier attempt has written down; gives the state of the stream behind it."""
        stream = None
        for entry, value in self._entries():
            envelopes.add(entry.number, value, entry.started, entry.seconds)
            if entry.failure is not None:
                envelopes.failures[entry.number] = entry.failure
            if entry.output:
                envelopes.output[entry.number] = entry.output
            stream = entry.stream
        return stream

    def _entries(self) -> Iterator[tuple[Entry, bytes | None]]:
        """What is there in full: the worker may have died while it was writing."""
        with contextlib.suppress(FileNotFoundError, EOFError, pickle.UnpicklingError), open(self._path, "rb") as file:
            while True:
                entry = Entry(*pickle.load(file))
                value = None if entry.size is None else file.read(entry.size)
                if value is not None and len(value) != entry.size:
                    return
                yield entry, value

    def close(self) -> None:
        """Write no more; the file is removed where the partition arrives."""
        if self._file is not None:
            self._file.close()
