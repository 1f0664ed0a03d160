"""Stores: they put the bundles of a call where workers reach them, give references, and remove what they have written.

Small bundles travel inside what they belong to. Large ones go once to each host: by a file, if all workers are on
this host; by a folder that all hosts reach; or as the engine itself carries large things (`backends/spark/classic.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import Self

from rxspark.data.bundle import Bundle
from rxspark.data.local_files import remove_local_bundle, write_local_bundle
from rxspark.data.refs import DataRef, InlineRef, LocalFileRef, RemoteFileRef
from rxspark.data.shared_files import remove_shared_bundle, write_shared_bundle
from rxspark.files.paths import URL, FsPath
from rxspark.options import rxGetOption

__all__ = ["FILE_THRESHOLD", "DataStore", "InlineStore", "LocalStore", "SharedFolderStore", "inline"]

FILE_THRESHOLD = 1 << 20
"""Bytes below which a bundle for other hosts travels inside the task description, which goes to each executor once: a
file would cost some 50 ms of writing and fetching. PySpark draws the same line."""


def inline(bundle: Bundle) -> InlineRef:
    """A bundle as bytes."""
    return InlineRef(tuple(bytes(bundle.part(index)) for index in range(len(bundle))))


class DataStore(ABC):
    """Gives references to bundles; as a context manager, removes at its end what it has written."""

    least = 0
    """Bytes below which nothing is worth a file, whatever the option says."""

    def __init__(self) -> None:
        self._removals = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was written."""
        self._removals.close()

    def put(self, bundle: Bundle, stored: RemoteFileRef | None = None) -> DataRef:
        """Return a reference to a bundle for all tasks; no file is written if the workers reach `stored` already."""
        if bundle.size < max(rxGetOption("shareThreshold"), self.least):
            return inline(bundle)
        reached = None if stored is None else self._reachable(stored)
        return self._store(bundle) if reached is None else reached

    def put_partition(self, bundle: Bundle) -> DataRef:
        """Return a reference to a bundle for one partition alone."""
        return self.put(bundle)

    def _reachable(self, stored: RemoteFileRef) -> DataRef | None:
        """Return the reference by which workers reach a file in the folder of the job, None if they do not."""
        return None

    @abstractmethod
    def _store(self, bundle: Bundle) -> DataRef:
        """Write a large bundle where the workers reach it, and note in `_removals` how it is taken away."""


class LocalStore(DataStore):
    """For workers on this host: large bundles become files that they map."""

    def __init__(self, share_dir: str | None) -> None:
        super().__init__()
        self._share_dir = share_dir

    def _reachable(self, stored: RemoteFileRef) -> DataRef | None:
        return None if URL.match(stored.url) else LocalFileRef(stored.url)

    def _store(self, bundle: Bundle) -> DataRef:
        file = write_local_bundle(bundle, self._share_dir)
        self._removals.callback(remove_local_bundle, file)
        return file


class InlineStore(DataStore):
    """For workers on other hosts, to which the engine brings all that travels: every bundle goes as bytes."""

    def put(self, bundle: Bundle, stored: RemoteFileRef | None = None) -> DataRef:
        """The bytes, whatever their number."""
        return inline(bundle)

    def _store(self, bundle: Bundle) -> DataRef:
        return inline(bundle)


class SharedFolderStore(DataStore):
    """For workers on many hosts: large bundles go to a folder that all of them reach."""

    least = FILE_THRESHOLD

    def __init__(self, folder: FsPath) -> None:
        super().__init__()
        self._folder = folder

    def _reachable(self, stored: RemoteFileRef) -> DataRef | None:
        return stored

    def _store(self, bundle: Bundle) -> DataRef:
        path, ref = write_shared_bundle(bundle, self._folder)
        self._removals.callback(remove_shared_bundle, path)
        return ref
