"""Numba's generators: ``np.random.*`` and ``random.*`` inside compiled functions, which draw from states of their own.

Nothing tells when compiled code draws or seeds. So both states are seeded anew for each task, from the stream and the
number of the task in it, wherever numba is loaded. The states belong to the thread: a function compiled with
``parallel=True`` draws from them on one thread, which is what tasks have by default (`threadsPerTask`); on more threads
it has other numbers each time.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from rxspark.concurrency import once
from rxspark.rng.active import current

__all__ = ["NUMBA", "NumbaRandom"]

NUMBA = "numba._helperlib"
"""The module with the states: where it is loaded, there is something to seed."""


def _states() -> list[int]:
    """Give the addresses of this thread's two states, of NumPy's functions and of `random`'s; none without numba.

    Numba's own tests seed by these functions. The public way, a compiled function that calls ``np.random.seed``, takes
    32 bits, and a third of a second to compile.
    """
    helper: Any = sys.modules.get(NUMBA)
    return [helper.rnd_get_np_state_ptr(), helper.rnd_get_py_state_ptr()] if helper else []


class NumbaRandom:
    """Numba's generators while streams are installed.

    Parameters
    ----------
    seed : callable
        Gives 64 bytes that belong to the running task: 32 for each state.
    """

    def __init__(self, seed: Callable[[], bytes]) -> None:
        self._seed = seed
        self._outer: list[Any] = []

    def enter(self) -> None:
        """Keep the states as the caller has them; the second of a pair of normals cannot be read, and is lost."""
        self._outer = [sys.modules[NUMBA].rnd_get_state(state) for state in _states()]

    def exit(self) -> None:
        """Put back what `enter` found, or where numba was not loaded then, seed from the system's entropy."""
        for number, state in enumerate(_states()):
            if self._outer:
                sys.modules[NUMBA].rnd_set_state(state, self._outer[number])
            else:
                sys.modules[NUMBA].rnd_seed(state, os.urandom(32))

    def start(self) -> None:
        """Seed both states for the task that runs now, which takes 10 us; nothing where numba is not loaded."""
        states = _states()
        if not states:
            return
        _compile_outside_streams()
        seeds = self._seed()
        for number, state in enumerate(states):
            sys.modules[NUMBA].rnd_seed(state, seeds[32 * number : 32 * (number + 1)])


@once
def _compile_outside_streams() -> None:
    """Let numba see NumPy's own functions as it compiles: it knows them by identity, and would refuse the stream's."""
    from numba.core import event

    class Compilation(event.Listener):
        """Leave the streams for as long as the compiler is at work, which calls itself."""

        def __init__(self) -> None:
            self._of_thread = threading.local()

        def on_start(self, event: Any) -> None:
            depth = self._of_thread.depth = getattr(self._of_thread, "depth", 0) + 1
            streams = current()
            if depth == 1 and streams is not None and streams.can_go_outside():
                self._of_thread.outside = streams.outside(compiling=True)
                self._of_thread.outside.__enter__()

        def on_end(self, event: Any) -> None:
            self._of_thread.depth -= 1
            outside = getattr(self._of_thread, "outside", None)
            if self._of_thread.depth == 0 and outside is not None:
                self._of_thread.outside = None
                outside.__exit__(None, None, None)

    event.register("numba:compiler_lock", Compilation())  # type: ignore[no-untyped-call]
