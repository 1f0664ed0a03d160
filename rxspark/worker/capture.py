"""Capture what a task writes, by Python, native code or programs that it starts, in a file.

The descriptors 1 and 2 of the process are put on this file while tasks run, so all that is written stands there in
the order in which it was written. It is a file in memory and not a pipe: whoever writes to it never waits, while native
code that fills a pipe and holds Python's lock would wait for ever for a thread of Python's to empty it. Head and tail
are kept; a thread of this module takes away the middle while it grows.

What Python writes before anything else has come stays in memory, which takes a fraction of the time: it is the
beginning of the text.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import signal
import tempfile
import threading
import time
from contextlib import suppress
from os import SEEK_CUR, SEEK_END, lseek

from rxspark.concurrency import once, start_own

__all__ = ["Capture", "new_file", "read_bounded"]

# The place in the file where text begins: a descriptor that stands there is still ours, and nothing has come. A task
# could put another file there only by aiming at it.
BEGIN = 0x1A5B

# Seconds between looks at how large the files have become: programs write a gigabyte or two in a second.
_LOOK_INTERVAL_S = 0.1

# Seconds without a task after which nobody looks any more.
_IDLE = 10.0

# Seconds for which a thread that writes a piece of text is waited for.
_WRITE_TIMEOUT_S = 0.1

# Bytes in the middle of a file that may lie there.
_SLACK = 1 << 20

# Bytes of a piece of a line, and of the beginning of a text, that stay in memory.
_IN_MEMORY = 8192


def new_file() -> int:
    """A descriptor of a new file in memory, or of one without a name where the system has no such files."""
    try:
        descriptor = _above_two(os.memfd_create("rxspark-console"))
    except (AttributeError, OSError):
        with tempfile.TemporaryFile() as file:
            descriptor = _above_two(os.dup(file.fileno()))
    take_over(descriptor)
    return descriptor


def _above_two(descriptor: int) -> int:
    """The same file by a number that nobody takes for a standard stream, as what is opened gets the lowest one free."""
    if descriptor > 2:
        return descriptor
    try:
        return _above_two(os.dup(descriptor))
    finally:
        os.close(descriptor)


def take_over(descriptor: int) -> None:
    """Let a file begin anew, without flags of a task before; what is written goes to its end, whoever has it open."""
    with suppress(ImportError):  # not on Windows
        import fcntl

        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~os.O_NONBLOCK
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_APPEND)
    os.ftruncate(descriptor, 0)
    os.ftruncate(descriptor, BEGIN)
    os.lseek(descriptor, BEGIN, os.SEEK_SET)


def read_bounded(descriptor: int, limit: int, before: bytes | bytearray = b"") -> str:
    """Return at most `limit` characters of what came `before` and of a file: beginning, end, what is left out."""
    length = max(os.fstat(descriptor).st_size - BEGIN, 0)  # a task may have cut it off
    half = (limit + 1) // 2
    left_out = len(before) + length - 2 * half
    if left_out <= 0:
        return (before + os.pread(descriptor, length, BEGIN)).decode(errors="replace")
    first = before + os.pread(descriptor, half, BEGIN)
    last = before + os.pread(descriptor, half, BEGIN + max(length - half, 0))
    middle = b"\n... %d characters left out ...\n" % left_out
    return (first[:half] + middle + last[len(last) - half :]).decode(errors="replace")


class Capture:
    """Capture of what the tasks of one partition write, one task after another.

    Parameters
    ----------
    limit : int
        Characters to keep for one task.
    on_descriptors : bool
        Whether the descriptors 1 and 2 of the process are put on the file.
    file : int, optional
        The descriptor of a file that somebody else reads too, should this process die.
    """

    def __init__(self, limit: int, on_descriptors: bool, file: int | None = None) -> None:
        self._half = (limit + 1) // 2
        self._limit = limit
        self._on_descriptors = on_descriptors
        self._held = bytearray()  # what came before all that is in the file
        self._holding = file is None
        self._pending = bytearray()  # and behind it
        self._writing = threading.Lock()
        self._outer: dict[int, int | None] = {}
        self._kept = file is not None
        self._use(file if file is not None else _spare.pop() if _spare else new_file())
        self.installed = False
        self.spawned = False
        """Whether the task has started programs, or opened its output by name: these may write when it has ended."""

    def _use(self, file: int) -> None:
        """Put an empty file in place of the streams."""
        self._file = file
        self._emptied_to = 0  # where the middle that has been taken away ends
        os.ftruncate(file, BEGIN + 1)  # as Python maps no more than there is
        self._page = mmap.mmap(file, BEGIN + 1, prot=mmap.PROT_READ)
        os.ftruncate(file, BEGIN)

    def open(self) -> None:
        """Begin to capture."""
        if self._on_descriptors:
            _flush_stdio()
            self._outer = {number: _duplicate(number) for number in (1, 2)}
            self.install()
        with _lock:
            _captures.append(self)
        _watch()

    def close(self) -> None:
        """Put the descriptors back and end."""
        with _lock:
            _captures.remove(self)
        self.uninstall()
        for number in self._outer.values():
            if number is not None:
                os.close(number)
        self._outer = {}
        self._page.close()
        self._reuse()

    def _reuse(self) -> None:
        """Keep the file for the next partition, unless there is one already or somebody may still write to it."""
        if self._kept:
            self._empty()
        elif self.spawned or _spare:
            with _lock:
                os.close(self._file)
        else:
            take_over(self._file)
            _spare.append(self._file)

    def install(self) -> None:
        """Put the descriptors on the file."""
        if self._outer and not self.installed:
            self.installed = True
            self.put_right()

    def put_right(self) -> None:
        """Put the descriptors on the file once more, whatever a task has done to them, unless they were given back."""
        with self._writing:
            for number in (1, 2) if self.installed else ():
                os.dup2(self._file, number)

    def uninstall(self) -> None:
        """Put the descriptors back to where they were; the file still takes what Python writes."""
        if not self.installed:
            return
        _flush_stdio()
        # A thread that has chosen the descriptor 1 writes before that is the terminal again; but for one that waits for
        # the reader of a pipe, which the task has put there.
        alone = self._writing.acquire(timeout=_WRITE_TIMEOUT_S)
        self.installed = False
        for number, before in self._outer.items():
            if before is None:
                with suppress(OSError):
                    os.close(number)
            else:
                os.dup2(before, number)
        if alone:
            self._writing.release()

    def outside(self, number: int) -> int | None:
        """The descriptor that stands for 1 or 2 while these are on the file; None where it was closed."""
        return self._outer.get(number, number) if self.installed else number

    def fileno(self, number: int) -> int:
        """The descriptor to which a task's text goes: 1 or 2, else that of the file."""
        return number if self.installed else self._file

    def write(self, number: int, data: bytes) -> None:
        """Take text that comes in pieces; a line at a time goes behind what others have written."""
        self._pending += data
        if data.endswith(b"\n") or len(self._pending) > _IN_MEMORY:
            self.flush(number)

    def flush(self, number: int) -> None:
        """Write to the file the text that has come, which costs 1 us, or keep it where it is the first."""
        pending, self._pending = self._pending, bytearray()  # at once, as several threads of the task may write
        room = self._holding and not self.spawned and len(self._held) + len(pending) <= _IN_MEMORY
        if room and self._is_at_begin(number):
            self._held += pending
            return
        try:
            with self._writing:
                while pending:
                    pending = pending[os.write(self.fileno(number), pending) :]
        except OSError:
            self._pending[:0] = pending
            raise

    def after_fork_in_child(self) -> None:
        """In a forked process: the thread that was writing is not there, and what is held is the parent's."""
        self._writing = threading.Lock()
        self._held, self._holding = bytearray(), False

    def _is_at_begin(self, number: int) -> bool:
        """Tell whether a descriptor is still on the file, and nobody has written by it or by a copy of it."""
        try:
            return lseek(self.fileno(number), 0, SEEK_CUR) == BEGIN
        except OSError:  # closed, or a pipe
            return False

    def is_empty(self) -> bool:
        """Tell whether there is no text, as far as memory shows, where the file's first byte is mapped.

        That costs 0.1 us. To ask where the descriptors stand, as `take` does, costs 0.3 us and more for each.
        """
        if _WRITE_BASE is None or _WRITE_BASE != _WRITE_POINTER:
            _flush_stdio()
        return not self._page[BEGIN]

    def take(self) -> str:
        """The text of a task, empty when there is none; descriptors that it closed, or put elsewhere, are put right."""
        _flush_stdio()
        try:
            if self._pending:
                self.flush(1)
        except OSError:  # the task has closed a descriptor
            self.put_right()
            self.flush(1)
        held, self._held = self._held, bytearray()
        in_memory = len(held) <= self._limit and not self.spawned
        if in_memory and self._is_at_begin(1) and self._is_at_begin(2) and lseek(self._file, 0, SEEK_END) == BEGIN:
            return held.decode(errors="replace")
        self.put_right()  # first, as what is opened would get the number of a closed one
        text = read_bounded(self._file, self._limit, held)
        if self.spawned and not self._kept:
            with _lock:
                os.close(self._file)
                self._page.close()
                self._use(new_file())
            self.spawned = False
            self.put_right()
        else:
            self._empty()
        return text

    def _empty(self) -> None:
        with _lock:
            os.ftruncate(self._file, BEGIN)
            os.lseek(self._file, BEGIN, os.SEEK_SET)
            self._emptied_to = 0

    def drop_middle(self) -> None:
        """Free the memory of text that will not be kept: all between the first and the last half of the limit."""
        end = os.fstat(self._file).st_size - self._half
        start = max(BEGIN + self._half, self._emptied_to)
        if end - start < _SLACK or not hasattr(mmap, "MADV_REMOVE"):
            return
        start = -(-start // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        end -= end % mmap.ALLOCATIONGRANULARITY
        with mmap.mmap(self._file, end - start, offset=start) as middle:
            middle.madvise(mmap.MADV_REMOVE)
        self._emptied_to = end


_captures: list[Capture] = []
_spare: list[int] = []


def _duplicate(number: int) -> int | None:
    try:
        return _above_two(os.dup(number))
    except OSError:  # closed, as a daemon has it
        return None


@once
def _libc() -> ctypes.PyDLL:
    return ctypes.PyDLL(None)


# Text not yet written by stdio, where the GNU C library says so in a public header (bits/types/struct_FILE.h): the
# fifth and the sixth word of `stdout`. To call fflush costs 0.4 us, to compare them 0.02 us.
def _word(index: int) -> memoryview | None:
    """Return a word of C's `stdout`, None for another C library."""
    if platform.libc_ver()[0] != "glibc":
        return None
    stdout = ctypes.c_void_p.in_dll(_libc(), "stdout").value
    assert stdout is not None
    return memoryview((ctypes.c_char * 8).from_address(stdout + 8 * index)).cast("B").cast("Q")


_WRITE_BASE, _WRITE_POINTER = _word(4), _word(5)


def _flush_stdio() -> None:
    """Let C's stdio write what it holds."""
    if os.name == "posix":
        _libc().fflush(None)


_lock = threading.Lock()
_last_seen = 0.0  # when somebody has last needed the thread that looks, by the monotonic clock
_watched = False


def _watch() -> None:
    """See to it that the thread runs which keeps files small."""
    global _watched, _last_seen
    _last_seen = time.monotonic()
    if not _watched and hasattr(mmap, "MADV_REMOVE"):
        with _lock:
            if not _watched:
                _watched = True
                start_own(_look)


def _look() -> None:
    """Look at the files, as long as there are tasks.

    A thread without signals, which are for the program's own.
    """
    global _watched
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        time.sleep(_LOOK_INTERVAL_S)
        with _lock:  # what is looked at is not closed meanwhile: its number could be another file's by then
            for capture in _captures:
                with suppress(OSError, ValueError):  # as where the memory for addresses is limited
                    capture.drop_middle()
            if not _captures and time.monotonic() - _last_seen > _IDLE:
                _watched = False
                return


def _after_fork() -> None:
    global _watched, _lock
    _watched, _lock = False, threading.Lock()
    while _spare:  # the parent would write to it, too
        os.close(_spare.pop())
    for capture in _captures:
        capture.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
