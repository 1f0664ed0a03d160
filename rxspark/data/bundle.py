"""Bundles: bytes in several parts, in memory or in a file that processes map.

The first parts are pickles, the rest the large buffers that lie outside of these pickles (pickle protocol 5): the
numbers of arrays, data frames, tables and models. From a file they reach a task without being copied: each task maps
the file for itself, copy on write, so that all processes of a host read one copy in memory and what a task writes
is its own.

    "rxbundle"  size of the file  number of parts   8 bytes each, little endian
    start, length                                   of each part
    the parts, each at a multiple of 64 bytes
    checksums                                       of each part
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Protocol

from rxspark.errors import RxFileError

__all__ = ["Buffer", "Bundle", "MappedBundle", "Writable", "address_limit"]

Buffer = bytes | bytearray | memoryview

_MAGIC = b"rxbundle"
_HEAD = struct.Struct("<8sQQ")
_ENTRY = struct.Struct("<QQ")
_SUM = struct.Struct("<I")

# Bytes to a multiple of which parts are aligned: a line of cache, and the widest vector register.
_ALIGNMENT = 64

# Bytes that are written at a time: as much as a pipe to a file system in another process takes well.
_WRITE = 1 << 24

# Files that this process has found undamaged: path, inode and time of change. Forgotten when there are too many.
_verified: set[tuple[str, int, int]] = set()
_VERIFIED_KEPT = 1000


class Writable(Protocol):
    """A file that is open for writing."""

    def write(self, data: Any, /) -> Any:
        """Write bytes."""


class Bundle:
    """Parts in memory."""

    def __init__(self, parts: Sequence[Buffer]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(map(_length, self._parts))

    @property
    def file_size(self) -> int:
        """Bytes of the file that `write` makes."""
        return self._positions()[-1] + len(self) * _SUM.size

    def _positions(self) -> list[int]:
        """Where the parts are in a file, and the checksums behind them."""
        positions = [_aligned(_HEAD.size + len(self) * _ENTRY.size)]
        for part in self._parts:
            positions.append(_aligned(positions[-1] + _length(part)))
        return positions

    def part(self, index: int) -> Buffer:
        """One part, to be read only."""
        return self._parts[index]

    def private(self, start: int) -> list[Buffer]:
        """The parts from `start` on, as the caller's own: nobody else sees what is written to them."""
        return [bytearray(part) for part in self._parts[start:]]

    def detached(self) -> Bundle:
        """Copy the parts, so that they stay as they are when their objects change."""
        return Bundle([bytes(part) for part in self._parts])

    def write(self, file: Writable) -> None:
        """Write the parts in the form that `MappedBundle` reads."""
        *starts, _ = self._positions()
        _write(file, _HEAD.pack(_MAGIC, self.file_size, len(self)))
        table = [_ENTRY.pack(start, _length(part)) for start, part in zip(starts, self._parts, strict=True)]
        _write(file, b"".join(table), padding=-(_HEAD.size + len(self) * _ENTRY.size) % _ALIGNMENT)
        for part in self._parts:
            _write(file, part, padding=-_length(part) % _ALIGNMENT)
        _write(file, b"".join(_SUM.pack(_checksum(part)) for part in self._parts))


class MappedBundle(Bundle):
    """Parts in a file.

    Raises
    ------
    RxFileError
        When the file is gone, is not a bundle, is shorter than it was or has changed.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = open(path, "rb")  # noqa: SIM115 - mapped again for each task; closed with this object
        except OSError as error:
            raise RxFileError(
                f"{path}: shared data cannot be read: {error.strerror}. rxspark removes the file when the "
                f"call ends, or the object that rxShare gave; nobody else may remove it before"
            ) from error
        state = os.fstat(self._file.fileno())
        head = self._file.read(_HEAD.size)
        magic, size, count = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"", 0, 0)
        if magic != _MAGIC or size < _HEAD.size + count * (_ENTRY.size + _SUM.size):
            raise RxFileError(f"{path}: this is not a file of shared data of rxspark")
        if size != state.st_size:
            raise RxFileError(f"{path}: shared data is damaged: {state.st_size} bytes of {size} are there")
        entries = self._file.read(count * _ENTRY.size)
        self._places = [slice(start, start + length) for start, length in _ENTRY.iter_unpack(entries)]
        super().__init__(self._views(mmap.ACCESS_READ))
        self._verify((path, state.st_ino, state.st_mtime_ns))

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def private(self, start: int) -> list[Buffer]:
        """The parts from `start` on, mapped once more, copy on write."""
        return self._views(mmap.ACCESS_COPY)[start:] if start < len(self) else []

    def _verify(self, state: tuple[str, int, int]) -> None:
        """Look at the checksums; once a process, as long as the file stays as it is."""
        if state in _verified:
            return
        length = len(self) * _SUM.size
        sums = os.pread(self._file.fileno(), length, os.fstat(self._file.fileno()).st_size - length)
        for index, (expected,) in enumerate(_SUM.iter_unpack(sums)):
            if _checksum(self.part(index)) != expected:
                raise RxFileError(f"{self.path}: shared data is damaged: the checksum of part {index} is wrong")
        if len(_verified) >= _VERIFIED_KEPT:
            _verified.clear()
        _verified.add(state)

    def _views(self, access: int) -> list[Buffer]:
        try:
            mapped = memoryview(mmap.mmap(self._file.fileno(), 0, access=access))
        except OSError as error:
            size = os.fstat(self._file.fileno()).st_size / 1e6
            raise RxFileError(
                f"{self.path}: shared data of {size:,.0f} MB cannot be mapped: {error.strerror}.{address_limit()}"
            ) from error
        return [mapped[place] for place in self._places]


def address_limit() -> str:
    """Tell the limit of this process's address space, which mapped files count against; empty without one."""
    import resource  # not on Windows, which imports this module all the same

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return ""
    return (
        f" The address space of this process is limited to {limit / 1e6:,.0f} MB (RLIMIT_AS), and each mapping of a "
        f"file counts, two of them a worker: raise spark.executor.pyspark.memory on Spark, `ulimit -v` elsewhere, or "
        f"pass less"
    )


def _length(part: Buffer) -> int:
    return part.nbytes if isinstance(part, memoryview) else len(part)


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT


def _write(file: Writable, data: Buffer, padding: int = 0) -> None:
    view = memoryview(data)
    for start in range(0, len(view), _WRITE):
        file.write(view[start : start + _WRITE])
    if padding:
        file.write(bytes(padding))


def _checksum(part: Buffer) -> int:
    """A checksum at the speed of memory: a CRC of the sums of the pages, and of what is left behind the last one.

    12 GB/s where `zlib.crc32` alone makes 3: it tells shortened files, pages of zeros and flipped bits.
    """
    import numpy

    data = numpy.frombuffer(part, numpy.uint8)
    whole = len(data) // 4096 * 4096
    sums = data[:whole].view(numpy.uint64).reshape(-1, 512).sum(axis=1, dtype=numpy.uint64)
    return zlib.crc32(data[whole:].tobytes(), zlib.crc32(sums.tobytes()))
