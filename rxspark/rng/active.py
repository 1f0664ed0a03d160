"""The streams that are installed in this process, and the one from which each thread draws.

They are a stack, as an rxExec inside a task opens its own above the task's; one for the process, as `np.random` and
`random` are the process's own. A thread draws from the innermost streams if it belongs to the task that runs: it runs
the task, or the task has started it. Any other draws from what was there before that task's streams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from random import Random
from threading import get_ident
from typing import Any, Protocol

__all__ = ["GROUP", "IMPORTING", "STACK", "ThreadGroup", "above", "current", "thread_starts"]


class _Numpy(Protocol):
    """See `numpy_patch.NumpyRandom`."""

    bits: Any
    seized: bool

    @property
    def has_functions(self) -> bool: ...
    def function(self, name: str) -> Callable[..., Any]: ...
    def take_over(self, bitgen: Any) -> None: ...
    def restore(self) -> None: ...
    def reinstall(self) -> None: ...
    def get_state(self) -> Any: ...
    def set_state(self, state: Any) -> None: ...


class _Stdlib(Protocol):
    """See `stdlib_patch.StdlibRandom`."""

    own: Random | None
    lazy: bool
    entropy: Callable[[int], int]

    def generator(self) -> Random | None: ...
    def take_over(self) -> None: ...
    def move_out(self) -> None: ...
    def move_in(self) -> None: ...
    def go_back(self) -> None: ...


class _Numba(Protocol):
    """See `numba_random.NumbaRandom`."""

    def start_late(self) -> None: ...


class _Installed(Protocol):
    """The side of `streams.Streams` that those see who draw from them."""

    group: ThreadGroup | None
    is_outside: bool

    @property
    def numpy(self) -> _Numpy: ...
    @property
    def stdlib(self) -> _Stdlib: ...
    @property
    def numba(self) -> _Numba: ...
    def entropy(self, count: int) -> int: ...
    def lend(self) -> Callable[[], None]: ...
    def can_go_outside(self) -> bool: ...
    def outside(self, compiling: bool = False) -> AbstractContextManager[None]: ...
    def follow_thread(self) -> Callable[[], None]: ...
    def in_place(self) -> bool: ...
    def reinstall(self) -> None: ...
    def __exit__(self, kind: None, error: None, trace: None) -> None: ...


STACK: list[_Installed] = []

IMPORTING: dict[int, bool] = {}
"""The threads that import a module while others draw, and whether it is numba's compiler that looks."""


class ThreadGroup:
    """The threads of one task: the one that runs it, and those that it starts."""

    __slots__ = ("_children", "grew", "outer", "runner")

    def __init__(self, outer: ThreadGroup | None) -> None:
        self.runner = get_ident()
        self.outer = outer
        self.grew = False
        """Whether the task has started a thread."""
        self._children: Counter[tuple[int, ...]] = Counter()

    def has_this_thread(self) -> bool:
        """Tell whether the current thread belongs to the task."""
        if self.runner == get_ident():
            return True
        found = GROUP.get()
        while found is not None and found is not self:
            found = found.outer
        return found is self

    def position(self) -> tuple[int, ...]:
        """Where the current thread stands: (1, 0) is the first thread that the second one of the task has started."""
        found = _POSITION.get()
        return found[1] if found is not None and found[0] is self else ()

    def grow(self) -> Callable[[], object]:
        """Take in that the current thread is about to start another; return what notes the position of that one."""
        self.grew = True
        parent = self.position()
        position = (*parent, self._children[parent])
        self._children[parent] += 1
        return lambda: _POSITION.set((self, position))


# A thread that a task starts runs in a copy of its context.
GROUP: ContextVar[ThreadGroup | None] = ContextVar("rxspark_thread_group", default=None)
_POSITION: ContextVar[tuple[ThreadGroup, tuple[int, ...]] | None] = ContextVar("rxspark_thread_position", default=None)


def current() -> _Installed | None:
    """The streams from which this thread draws, None where it draws from none."""
    if IMPORTING and get_ident() in IMPORTING:
        return None
    found = None
    for streams in STACK:
        if streams.group is not None and not streams.group.has_this_thread():
            break
        found = streams
    return found


def above() -> _Installed | None:
    """The streams that are installed above those from which this thread draws."""
    for streams in STACK:
        if streams.group is not None and not streams.group.has_this_thread():
            return streams
    return None


def thread_starts() -> Callable[[], None]:
    """Tell the streams of the task to which this thread belongs that it starts another; return what that does first."""
    begin: Callable[[], None] = _nothing
    for streams in STACK:
        if streams.group is not None and streams.group.has_this_thread():
            begin = streams.follow_thread()
    return begin


def _nothing() -> None:
    pass
