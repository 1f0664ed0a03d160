"""Capture of what a task writes: print, sys.stderr, warnings and logging, bounded in size."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from types import TracebackType
from typing import Any, TextIO

__all__ = ["Console"]


class _BoundedBytes(io.BufferedIOBase):
    """Keeps the first and the last half of what is written, and counts what fell out between."""

    def __init__(self, limit: int) -> None:
        self.half = (limit + 1) // 2
        self.clear()

    def clear(self) -> None:
        self.head = bytearray()
        self.tail = bytearray()
        self.dropped = 0

    def close(self) -> None:
        """Stay open: what a task closes, or throws away, is a text stream over these bytes."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        taken = bytes(data)
        room = self.half - len(self.head)
        self.head += taken[:room]
        self.tail += taken[room:] if room < len(taken) else b""
        if len(self.tail) > 2 * self.half:  # cut seldom, so that many small writes stay linear
            self._cut()
        return len(taken)

    def _cut(self) -> None:
        excess = len(self.tail) - self.half
        if excess > 0:
            self.dropped += excess
            del self.tail[:excess]

    def text(self) -> str:
        self._cut()
        middle = b"\n... %d characters left out ...\n" % self.dropped if self.dropped else b""
        return bytes(self.head + middle + self.tail).decode(errors="replace")


class Console:
    """While entered, everything that Python code of this process writes goes here instead.

    Parameters
    ----------
    limit : int
        Characters to keep for one task.
    log_level : int
        The root logger's level at the caller, which the tasks log by.
    """

    def __init__(self, limit: int, log_level: int) -> None:
        self._bytes = _BoundedBytes(limit)
        self._log_level = log_level
        self.warned = False
        """Whether a warning was shown since the last `take`."""

    def __enter__(self) -> Console:
        root = logging.getLogger()
        self._outer = sys.stdout, sys.stderr, warnings.showwarning, root.handlers[:], root.level
        self._root = root
        warnings.showwarning = self._warn
        self._open()
        return self

    def _open(self) -> None:
        """Make a stream, and let everything write to it."""
        stream = io.TextIOWrapper(self._bytes, "utf-8", "backslashreplace", write_through=True)  # type: ignore[type-var]
        self._stream = sys.stdout = sys.stderr = stream
        self._handlers: list[logging.Handler] = [logging.StreamHandler(stream)]
        self._handlers[0].setFormatter(logging.Formatter("%(levelname)s:%(name)s:%(message)s"))
        self._root.handlers[:] = self._handlers
        self._root.setLevel(self._log_level)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stdout, sys.stderr, warnings.showwarning, self._root.handlers[:], level = self._outer
        self._root.setLevel(level)

    def _warn(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        self.warned = True
        (file or self._stream).write(warnings.formatwarning(message, category, filename, lineno, line))

    def take(self) -> str:
        """What was written since the last `take`; empty when nothing was."""
        self.warned = False
        if (
            sys.stdout is not self._stream
            or sys.stderr is not self._stream
            or self._root.handlers != self._handlers
            or self._root.level != self._log_level
        ):
            self._open()  # a task put something else there
        if not self._bytes.head:
            return ""
        text = self._bytes.text()
        self._bytes.clear()
        return text
