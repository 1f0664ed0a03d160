"""Limit the threads of a task's libraries: MKL, other BLAS libraries, OpenMP, numba.

Several workers share a machine, so a library that starts a thread for each core of it would have the tasks fight for
them; and sums that are cut otherwise round otherwise, so the number of threads could move a result. Hence a fixed
number, one by default, wherever a task runs.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

from rxspark.concurrency import once
from rxspark.errors import RxArgumentError, RxMissingError
from rxspark.worker.settings.hearing import heard

__all__ = ["Threads", "bring_back", "changed_limits", "setMKLthreads"]

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Environment variables that libraries read when they are loaded."""


class Threads:
    """While entered, the libraries of this process use `number` threads; on exit, as many as before.

    In a worker, variables tell the number to libraries that are loaded later. The caller's own process keeps its
    variables: what a task loads there would keep their number for good.
    """

    def __init__(self, number: int, worker: bool) -> None:
        self._number = number
        self._worker = worker

    def __enter__(self) -> Threads:
        global _allowed
        self._outer, _allowed = _allowed, self._number
        self.variables = _variables(self._number) if self._worker else {}
        for name, value in self.variables.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        self._before: dict[str, int] = {}
        self._limit()
        return self

    def _limit(self) -> None:
        for pool in _pools():
            if pool.filepath not in self._before:
                self._before[pool.filepath] = pool.get_num_threads()
            _set(pool, self._number)

    def restore(self, seconds: float) -> None:
        """Undo what a task of some length has set; after one too short to have used threads, only what it said."""
        if seconds > _LONG_TASK_S or _SET in heard:
            self._limit()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _allowed
        _allowed = self._outer
        for pool in _found:
            _set(pool, self._before.get(pool.filepath, self._number))


def _variables(number: int) -> dict[str, str]:
    wanted = dict.fromkeys(_VARIABLES, str(number))
    if "numba" in sys.modules:  # it refuses another number once its threads have started
        wanted["NUMBA_NUM_THREADS"] = os.environ.get("NUMBA_NUM_THREADS", str(number))
    return wanted


class _Numba:
    """Numba's threads, in the manner of threadpoolctl's pools."""

    filepath = "numba"

    def __init__(self, numba: Any) -> None:
        self._numba = numba

    def get_num_threads(self) -> int:
        number: int = self._numba.get_num_threads()
        return number

    def set_num_threads(self, number: int) -> None:
        self._numba.set_num_threads(min(number, self._numba.config.NUMBA_NUM_THREADS))


# Seconds that a task must take for the 4 us to be spent that setting all libraries takes.
_LONG_TASK_S = 0.001

_SET = "rxspark.setMKLthreads"

_seen = -1
_found: list[Any] = []


def _pools() -> list[Any]:
    """The pools of threads in this process; looking takes 7 ms, so only when modules have come or gone."""
    global _seen, _found
    if len(sys.modules) != _seen:
        control = _threadpoolctl()
        _found = list(control.ThreadpoolController().lib_controllers) if control else []
        numba = sys.modules.get("numba")
        _found += [_Numba(numba)] if hasattr(numba, "set_num_threads") else []
        _seen = len(sys.modules)
    return _found


_allowed = 1
"""Threads that libraries may use while tasks run."""


def changed_limits() -> dict[str, int]:
    """Return the libraries that use another number of threads than a task may, and that number."""
    return {pool.filepath: number for pool in _found if (number := pool.get_num_threads()) != _allowed}


def bring_back(wanted: dict[str, int]) -> None:
    """Let the libraries use as many threads as a task may, or as `changed_limits` has told."""
    for pool in _found:
        _set(pool, wanted.get(pool.filepath, _allowed))


def _set(pool: Any, number: int) -> None:
    """Set a pool's threads and let go of it: threadpoolctl heeds only the thread that took an OpenBLAS first."""
    pool.set_num_threads(number)
    if hasattr(pool, "clear_controlling_thread"):
        pool.clear_controlling_thread()


@once
def _threadpoolctl() -> Any:
    """The library, or None where an executor lacks it: the variables alone work there."""
    try:
        import threadpoolctl
    except ImportError:
        return None
    return threadpoolctl


def setMKLthreads(n: int) -> int:
    """Set how many threads MKL uses in this process; other BLAS libraries, OpenMP and numba too.

    In a task it holds to the end of the task; tasks begin with the `threadsPerTask` of their compute context, 1 by
    default. Outside of tasks it holds for what runs in this process itself.

    Parameters
    ----------
    n : int
        Threads, at least 1.

    Returns
    -------
    int
        How many it were before: those of the library that had most; 1 when none is loaded yet.

    Raises
    ------
    RxArgumentError
        When `n` is not a whole number of at least 1.
    RxMissingError
        When this machine lacks the package threadpoolctl.

    Examples
    --------
    >>> from rxspark import setMKLthreads
    >>> before = setMKLthreads(2)
    >>> _ = setMKLthreads(before)
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise RxArgumentError(f"setMKLthreads(n={n!r}): n is a whole number of at least 1")
    if _threadpoolctl() is None:
        raise RxMissingError("setMKLthreads needs the package threadpoolctl here: pip install threadpoolctl")
    heard.add(_SET)
    pools = _pools()
    before = max((int(pool.get_num_threads()) for pool in pools), default=1)
    for pool in pools:
        _set(pool, n)
    return before
