"""Carriers: they make parcels of the bundles of a call, each in its own way, and take away what they have written.

Small bundles travel inside what they belong to. Large ones go once to each host: by a file, if all workers are on
this host; by a folder that all hosts reach; or as the engine itself carries large things (`backends/spark.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import Self

from rxspark.options import rxGetOption
from rxspark.places import URL, Place
from rxspark.sharing.folder import remove_there, write_there
from rxspark.sharing.host import remove_here, write_here
from rxspark.worker.bundle import Bundle
from rxspark.worker.parcels import Fetched, InFile, Inline, Parcel

__all__ = ["WORTH_A_FILE", "ByFolder", "Carrier", "Inside", "OnThisHost", "inline"]

WORTH_A_FILE = 1 << 20
"""Bytes below which a bundle for other hosts travels inside the task description, which goes to each executor once: a
file would cost some 50 ms of writing and fetching. PySpark draws the same line."""


def inline(bundle: Bundle) -> Inline:
    """A bundle as bytes."""
    return Inline(tuple(bytes(bundle.part(index)) for index in range(len(bundle))))


class Carrier(ABC):
    """Makes parcels; as a context manager, removes at its end what it has written."""

    least = 0
    """Bytes below which nothing is worth a file, whatever the option says."""

    def __init__(self) -> None:
        self._removals = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was written."""
        self._removals.close()

    def call(self, bundle: Bundle, kept: Fetched | None = None) -> Parcel:
        """The parcel of what all tasks have in common; no other file is made if the workers reach the one `kept`."""
        if bundle.size < max(rxGetOption("shareThreshold"), self.least):
            return inline(bundle)
        reached = None if kept is None else self._reached(kept)
        return self._carry(bundle) if reached is None else reached

    def partition(self, bundle: Bundle) -> Parcel:
        """The parcel of what is for one partition alone."""
        return self.call(bundle)

    def _reached(self, kept: Fetched) -> Parcel | None:
        """How the workers reach a file in the folder of the job, None if they do not."""
        return None

    @abstractmethod
    def _carry(self, bundle: Bundle) -> Parcel:
        """Write a large bundle where the workers reach it, and note in `_removals` how it is taken away."""


class OnThisHost(Carrier):
    """For workers on this host: large bundles become files that they map."""

    def __init__(self, share_dir: str | None) -> None:
        super().__init__()
        self._share_dir = share_dir

    def _reached(self, kept: Fetched) -> Parcel | None:
        return None if URL.match(kept.url) else InFile(kept.url)

    def _carry(self, bundle: Bundle) -> Parcel:
        file = write_here(bundle, self._share_dir)
        self._removals.callback(remove_here, file)
        return file


class Inside(Carrier):
    """For workers on other hosts, to which the engine brings all that travels: every bundle goes as bytes."""

    def call(self, bundle: Bundle, kept: Fetched | None = None) -> Parcel:
        """The bytes, whatever their number."""
        return inline(bundle)

    def _carry(self, bundle: Bundle) -> Parcel:
        return inline(bundle)


class ByFolder(Carrier):
    """For workers on many hosts: large bundles go to a folder that all of them reach."""

    least = WORTH_A_FILE

    def __init__(self, folder: Place) -> None:
        super().__init__()
        self._folder = folder

    def _reached(self, kept: Fetched) -> Parcel | None:
        return kept

    def _carry(self, bundle: Bundle) -> Parcel:
        place, parcel = write_there(bundle, self._folder)
        self._removals.callback(remove_there, place)
        return parcel
