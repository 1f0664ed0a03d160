"""Console while tasks run: each thread's text goes to its own task, and other text to where it went before.

`sys.stdout` and `sys.stderr` are two streams that live as long as the process, so that a logging handler which a module
makes when it is imported writes in later calls too. They look whose text it is at each write.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import time
import warnings
from contextlib import suppress
from contextvars import Token
from types import TracebackType
from typing import Any, TextIO

from rxspark.concurrency import once
from rxspark.worker.audit import on_event
from rxspark.worker.capture import Capture
from rxspark.worker.current_task import TASK, Task, follow_threads

__all__ = ["Console", "give_back_descriptors"]

# Seconds for which a thread that is about to end is waited for, before it is said that a task has left it behind.
_FAREWELL = 0.05


def _inside() -> Task | None:
    """The task to which the running code belongs, None outside of tasks that run."""
    task = TASK.get()
    return None if task is None or task.ended else task


def _outside(number: int) -> int:
    """The descriptor on which 1 or 2 were before tasks have begun; any other is itself."""
    for console in _consoles:
        if console.capture.installed:
            before = console.capture.outside(number)
            return -1 if before is None else before
    return number


class _Route(io.BufferedIOBase):
    """The bytes below one of the two streams."""

    def __init__(self, number: int, name: str) -> None:
        self._number = number
        self.name = name
        self.outer: Any = None
        """The stream of the process while tasks have theirs."""

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """Do nothing: the stream stays open for the tasks to come."""

    def write(self, data: Any) -> int:
        task, taken = _inside(), bytes(data)
        if task is None or task.at_terminal:
            self._write_outside(taken)
        if task is not None:
            task.capture.write(self._number, taken)
            task.touched = True
        return len(taken)

    def flush(self) -> None:
        task = _inside()
        if task is None or task.at_terminal:
            self._stream().flush()
        if task is not None:
            task.capture.flush(self._number)

    def fileno(self) -> int:
        task = _inside()
        if task is not None and not task.at_terminal:
            return task.capture.fileno(self._number)
        number: int = self._stream().fileno()
        return _outside(number)

    def isatty(self) -> bool:
        task = _inside()
        return bool((task is None or task.at_terminal) and self._stream().isatty())

    def _stream(self) -> Any:
        """Stream for text of no task: the one from before the tasks began, or the present one if none run any more."""
        stream = self.outer or (sys.stdout if self._number == 1 else sys.stderr)
        if stream is _STDOUT or stream is _STDERR:  # somebody has put it there
            stream = sys.__stdout__ if self._number == 1 else sys.__stderr__
        return stream or _NOWHERE

    def _write_outside(self, data: bytes) -> None:
        stream = self._stream()
        try:
            number = stream.fileno()
        except (OSError, AttributeError, ValueError):
            number = -1
        descriptor = _outside(number)
        if descriptor == number:
            stream.write(data.decode(errors="backslashreplace"))
            return
        with suppress(OSError):  # what is closed takes nothing
            text = data.decode(errors="backslashreplace").encode(stream.encoding or "utf-8", "backslashreplace")
            while text:
                text = text[os.write(descriptor, text) :]


class _Stream(io.TextIOWrapper):
    """A stream that no task can close, change or take apart for the next one."""

    def __init__(self, route: _Route) -> None:
        super().__init__(route, "utf-8", "backslashreplace", newline="\n", write_through=True)
        self._route = route

    def close(self) -> None:
        self.flush()

    def __del__(self) -> None:
        """Do nothing at the end of the process, where Python would close it, and what that needs is gone."""

    def detach(self) -> Any:
        """Return what lies below, and keep it."""
        return self._route

    def reconfigure(self, **_: Any) -> None:
        """Do nothing: the stream stays UTF-8, and each line is written at once."""


class _Nowhere(io.TextIOBase):
    """The stream of a process that has none."""

    def write(self, text: str) -> int:
        return len(text)


_NOWHERE = _Nowhere()
_ROUTES = {1: _Route(1, "<stdout>"), 2: _Route(2, "<stderr>")}
_STDOUT, _STDERR = _Stream(_ROUTES[1]), _Stream(_ROUTES[2])


class _Handler(logging.StreamHandler[TextIO]):
    """The root logger's handler: to the task's text, or for other threads to the handlers that were there before."""

    def __init__(self, outer: list[logging.Handler]) -> None:
        super().__init__(_STDERR)
        self.setFormatter(_FORMAT)
        self._outer = outer
        self.changed = False

    def emit(self, record: logging.LogRecord) -> None:
        if _inside() is not None:
            super().emit(record)
            return
        for handler in self._outer or filter(None, [logging.lastResort]):
            if record.levelno >= handler.level:
                handler.handle(record)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        self._change()
        super().setFormatter(fmt)

    def setLevel(self, level: int | str) -> None:
        self._change()
        super().setLevel(level)

    def _change(self) -> None:
        self.changed = True
        task = _inside()
        if task is not None:
            task.touched = True


_HANDLERS: list[Any] = logging._handlerList  # type: ignore[attr-defined]
_FORMAT = logging.Formatter("%(levelname)s:%(name)s:%(message)s")


class Console:
    """Context manager that puts this thread inside a task, and captures what the task writes.

    Parameters
    ----------
    limit : int
        Characters to keep for one task.
    log_level : int
        The root logger's level at the caller, which the tasks log by.
    call : str
        The call's name, by which `give_back_descriptors` finds it.
    descriptors : bool
        Whether the process's descriptors 1 and 2 are the task's, too.
    terminal : bool
        Whether the user sits at this process: `input` and debuggers may ask him.
    file : int, optional
        The file that takes the text, where somebody else reads it too.
    """

    def __init__(
        self,
        limit: int,
        log_level: int,
        call: str = "",
        descriptors: bool = True,
        terminal: bool = False,
        file: int | None = None,
    ) -> None:
        self.call = call
        self.thread = threading.get_ident()
        self._log_level = log_level
        self._terminal = terminal
        nested = any(console.thread != self.thread for console in _consoles)  # it may outlive those of other threads
        self.capture = Capture(limit, descriptors and not nested and call not in _given_back, file)

    def __enter__(self) -> Console:
        _listen()
        root = logging.getLogger()
        self._outer = sys.stdout, sys.stderr, warnings.showwarning, root.handlers[:], root.level
        if not _consoles:
            for number, stream in ((1, sys.stdout), (2, sys.stderr)):
                _flush(stream)  # so that it does not come out among a task's text
                _ROUTES[number].outer = None if stream in (_STDOUT, _STDERR) else stream
        self._root = root
        # What a task shuts down (`logging.shutdown`, `dictConfig`) is what it has made.
        self._to_shut_down, _HANDLERS[:] = _HANDLERS[:], []
        self.capture.open()
        _consoles.append(self)
        if self.call in _given_back:  # just now, by another thread
            self.capture.uninstall()
        self.task = Task(0, self.capture)
        self._token: Token[Task | None] = TASK.set(self.task)
        self._install()
        return self

    def _install(self) -> None:
        """Let everything write to the streams of tasks."""
        sys.stdout, sys.stderr = _STDOUT, _STDERR
        warnings.showwarning = self._warn
        self._handler = _Handler(self._outer[3])
        self._handler.changed = False
        self._handlers: list[logging.Handler] = [self._handler]
        self._root.handlers[:] = self._handlers
        self._root.setLevel(self._log_level)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.task.ended = True
        TASK.reset(self._token)
        sys.stdout, sys.stderr, warnings.showwarning, self._root.handlers[:], level = self._outer
        self._root.setLevel(level)
        _HANDLERS[:0] = self._to_shut_down
        self.capture.close()
        _consoles.remove(self)
        if not _consoles:
            for route in _ROUTES.values():
                route.outer = None

    def _warn(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        task = _inside()
        if task is None:
            self._outer[2](message, category, filename, lineno, file, line)
            return
        task.warned = task.touched = True
        (file or _STDERR).write(warnings.formatwarning(message, category, filename, lineno, line))

    def untouched(self) -> bool:
        """Tell whether the last task has left nothing to `take` or to undo, as far as is seen without a call."""
        root = self._root
        return (
            not self.task.touched
            and sys.stdout is _STDOUT
            and sys.stderr is _STDERR
            and root.handlers == self._handlers
            and root.level == self._log_level
            and self.capture.is_empty()
        )

    def take(self) -> str:
        """The text that a task has written, empty when there is none; what it did to the console is undone."""
        task = self.task
        if (
            sys.stdout is not _STDOUT
            or sys.stderr is not _STDERR
            or self._handler.changed
            or self._root.handlers != self._handlers
            or self._root.level != self._log_level
        ):
            self._install()  # a task put something else there
        if task.threads:
            self._part_with_threads()
        if task.at_terminal:
            self.capture.install()
        task.warned = task.at_terminal = False
        text = self.capture.take()
        self.task.touched = self.capture.spawned
        return text

    def _part_with_threads(self) -> None:
        """The threads that still run belong to no task from here on; the text says that there are some."""
        until = time.monotonic() + _FAREWELL
        for thread in self.task.threads:
            thread.join(max(0.0, until - time.monotonic()))
        left = [thread.name for thread in self.task.threads if thread.is_alive()]
        for name in left:
            self.capture.write(2, f"rxspark: the thread {name!r}, which this task has started, still runs\n".encode())
        self.task.ended = True
        self.task = Task(self.task.number, self.capture)
        TASK.set(self.task)

    def ask(self, what: str) -> None:
        """Let the task talk with the user, from now to its end."""
        if not self._terminal:
            raise EOFError(f"{what} has no terminal here, in a worker: run the call under RxLocalSeq() for that")
        self.capture.uninstall()
        self.task.at_terminal = self.task.touched = True


_consoles: list[Console] = []
_given_back: set[str] = set()


def give_back_descriptors(call: str) -> None:
    """Put the process's descriptors back at once, also while tasks of a call still run in other threads."""
    _given_back.add(call)
    for console in tuple(_consoles):
        if console.call == call:
            console.capture.uninstall()


def _flush(stream: Any) -> None:
    with suppress(Exception):  # whatever the program has put there
        stream.flush()


@once
def _listen() -> None:
    """Listen, once a process, to threads, programs and questions to the user that tasks start."""
    follow_threads()
    for event in ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"):
        on_event(event, _program_starts)
    on_event("open", _opened)
    on_event("builtins.input", lambda *_: _ask("input()"))
    on_event("builtins.breakpoint", _breakpoint)
    on_event("pdb.Pdb", _debugger)


def _program_starts(*_: Any) -> None:
    """Note that others than Python may write to the task's text, also when it has ended."""
    task = _inside()
    if task is not None:
        task.capture.spawned = task.touched = True


_OUTPUT_BY_NAME = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")


def _opened(path: Any, *_: Any) -> None:
    if isinstance(path, str) and path.startswith(_OUTPUT_BY_NAME):
        _program_starts()


def _ask(what: str) -> None:
    task = _inside()
    for console in _consoles:
        if console.task is task:
            console.ask(what)


def _breakpoint(*_: Any) -> None:
    if sys.breakpointhook is sys.__breakpointhook__ and os.environ.get("PYTHONBREAKPOINT") in (None, "pdb.set_trace"):
        _ask("breakpoint()")


def _debugger(*_: Any) -> None:
    """Prepare the console for a debugger; one of doctest or of a debug server asks nobody here."""
    made = sys._getframe(2).f_locals
    kind = type(made.get("self")).__module__
    if made.get("stdin") is None and (kind == "pdb" or kind.startswith("IPython.")):
        _ask("pdb")
