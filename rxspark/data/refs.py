"""References: the ways in which a bundle reaches a worker. The store of a backend chooses one (data/stores.py)."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any, Protocol

from rxspark.data.bundle import Bundle, MappedBundle
from rxspark.data.host_cache import local_copy

__all__ = [
    "DataRef",
    "InlineRef",
    "LocalFileRef",
    "RemoteFileRef",
    "forget_shared",
    "load_object",
    "load_shared_object",
    "shared_objects_here",
]


class DataRef(Protocol):
    """A way for a bundle to reach a worker."""

    def open(self) -> Bundle:
        """The bundle, on the worker."""


@dataclass(frozen=True)
class InlineRef:
    """Bytes that travel with whatever they belong to: for what is small."""

    parts: tuple[bytes, ...]

    def open(self) -> Bundle:
        """The bundle."""
        return Bundle(self.parts)


@dataclass(frozen=True)
class LocalFileRef:
    """A file on this machine, mapped by each worker."""

    path: str

    def open(self) -> Bundle:
        """The bundle; RxFileError when the file is gone or damaged."""
        return MappedBundle(self.path)


@dataclass(frozen=True)
class RemoteFileRef:
    """A file on a file system that all hosts reach; each host fetches it once and its workers map that copy."""

    url: str
    name: str
    """Its name in the cache of a host: of this bundle alone, for ever."""
    size: int
    """Bytes of the file."""

    def open(self) -> Bundle:
        """The bundle; RxFileError when the file is gone or damaged, or this host has no room for it."""
        return MappedBundle(local_copy(self.url, self.name, self.size))


def load_object(ref: DataRef) -> Any:
    """The object that a reference leads to, as the caller's own: what is written to it, nobody else sees."""
    bundle = ref.open()
    return pickle.loads(bundle.part(0), buffers=bundle.private(1))


# Shared objects that a process keeps: those of a call or two.
_KEPT = 4

_shared: dict[DataRef, Any] = {}


def load_shared_object(ref: DataRef) -> Any:
    """The object that a reference leads to, the same one for all tasks of this process: they only read it."""
    value = _shared.pop(ref) if ref in _shared else load_object(ref)
    _shared[ref] = value
    while len(_shared) > _KEPT:
        del _shared[next(iter(_shared))]
    return value


def shared_objects_here() -> list[Any]:
    """The objects that all tasks of this process have in common."""
    return list(_shared.values())


def forget_shared() -> None:
    """Drop the objects that all tasks of this process have in common."""
    _shared.clear()
