"""Numba's generators: ``np.random.*`` and ``random.*`` inside compiled functions, which draw from states of their own.

Nothing tells when compiled code draws or seeds. So both states are seeded anew for each task, from the stream and the
number of the task in it, wherever numba is loaded. The states belong to the thread: those of a thread that a task
starts are seeded as it starts, by its place among the task's threads. A function compiled with ``parallel=True`` draws
on one thread, which is what tasks have by default (`threadsPerTask`); on more threads it has other numbers each time.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from rxspark.concurrency import once
from rxspark.rng.active import STACK, current

__all__ = ["NUMBA", "NUMBA_EVENTS", "NumbaRandom", "compile_outside_streams"]

NUMBA = "numba._helperlib"
"""The module with the states: where it is loaded, there is something to seed."""

NUMBA_EVENTS = "numba.core.event"
"""The module that tells of compilations, loaded before there is any."""


def _states() -> list[int]:
    """Return the addresses of this thread's two states, of NumPy's functions and of `random`'s; none without numba.

    Numba's own tests seed by these functions. The public way, a compiled function that calls ``np.random.seed``, takes
    32 bits, and a third of a second to compile.
    """
    helper: Any = sys.modules.get(NUMBA)
    return [helper.rnd_get_np_state_ptr(), helper.rnd_get_py_state_ptr()] if helper else []


class _State(ctypes.Structure):
    """One state, as compiled code sees it: the layout of ``rnd_state_t`` in numba/cpython/randomimpl.py."""

    _fields_ = (
        ("index", ctypes.c_int32),
        ("mt", ctypes.c_uint32 * 624),
        ("has_gauss", ctypes.c_int32),
        ("gauss", ctypes.c_double),
        ("is_initialized", ctypes.c_int32),
    )


class NumbaRandom:
    """Numba's generators while streams are installed.

    Parameters
    ----------
    seed : callable
        Gives 64 bytes that belong to this thread of the running task: 32 for each state.
    """

    def __init__(self, seed: Callable[[], bytes]) -> None:
        self._seed = seed
        self._outer: list[bytes] = []
        self._of_thread = threading.local()

    def enter(self) -> None:
        """Keep the states as the caller has them."""
        self._outer = self.get_state()

    def exit(self) -> None:
        """Put back what `enter` found, or where numba was not loaded then, seed from the system's entropy."""
        if self._outer:
            self.set_state(self._outer)
            return
        for state in _states():
            sys.modules[NUMBA].rnd_seed(state, os.urandom(32))

    def get_state(self) -> list[bytes]:
        """Return the states of the current thread; none where numba is not loaded."""
        return [ctypes.string_at(state, ctypes.sizeof(_State)) for state in _states()]

    def set_state(self, states: list[bytes]) -> None:
        """Go to the states that `get_state` gave; where numba was not loaded then, to those of this thread and task."""
        if not states:
            self.start()
        for state, kept in zip(_states(), states, strict=False):
            ctypes.memmove(state, kept, ctypes.sizeof(_State))

    def start(self) -> None:
        """Seed both states for the task that runs now, which takes 10 us; nothing where numba is not loaded."""
        states = _states()
        if not states:
            return
        compile_outside_streams()
        self._of_thread.has_begun = True
        seeds = self._seed()
        for number, state in enumerate(states):
            sys.modules[NUMBA].rnd_seed(state, seeds[32 * number : 32 * (number + 1)])

    def start_late(self) -> None:
        """Seed both states where another thread has loaded numba since this one began."""
        if not hasattr(self._of_thread, "has_begun"):
            self.start()


def compile_outside_streams() -> None:
    """Let numba see NumPy's own functions as it compiles: it knows them by identity, and would refuse the stream's.

    Nothing where its events are not loaded yet: they are about to be, and then this is called again.
    """
    events = sys.modules.get(NUMBA_EVENTS)  # to import it here could wait for another thread that waits for this one
    if events is not None and hasattr(events, "register"):
        _listen(events)


@once
def _listen(event: Any) -> None:
    class Compilation(event.Listener):  # type: ignore[misc] # it is not imported here
        """Leave the streams for as long as the compiler is at work, which calls itself."""

        def __init__(self) -> None:
            self._of_thread = threading.local()

        def on_start(self, event: Any) -> None:
            depth = self._of_thread.depth = getattr(self._of_thread, "depth", 0) + 1
            if depth == 1 and STACK:  # also for threads that draw from no stream: they see the functions all the same
                streams = current()
                if streams is not None:
                    streams.numba.start_late()
                self._of_thread.outside = STACK[-1].outside(compiling=True)
                self._of_thread.outside.__enter__()

        def on_end(self, event: Any) -> None:
            self._of_thread.depth -= 1
            outside = getattr(self._of_thread, "outside", None)
            if self._of_thread.depth == 0 and outside is not None:
                self._of_thread.outside = None
                outside.__exit__(None, None, None)

    event.register("numba:compiler_lock", Compilation())
