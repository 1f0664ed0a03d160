"""Help for code that several threads run.

A thing made once however many threads ask, a call with a time limit, and the threads that are rxspark's own.
"""

from __future__ import annotations

import functools
import os
import threading
from _thread import _count, start_new_thread
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, ParamSpec, TypeVar

__all__ = ["call_with_timeout", "is_own", "once", "others_run", "start_own"]

Args = ParamSpec("Args")
Made = TypeVar("Made")
Answer = TypeVar("Answer")


class once(Generic[Args, Made]):  # noqa: N801 - a decorator
    """Call a function once for the same arguments, and give what it returned then from then on.

    A thread that asks while another one makes the thing waits for it, which `functools.cache` does not do. What raises
    is tried again by the next one who asks.

    >>> @once
    ... def folder(name: str) -> list[str]:
    ...     return [name]
    >>> folder("a") is folder("a")
    True
    """

    def __init__(self, make: Callable[Args, Made]) -> None:
        self._make = make
        self._made: dict[object, Made] = {}
        self._new_lock()
        functools.update_wrapper(self, make)
        os.register_at_fork(after_in_child=self._new_lock)  # the old one may be held by a thread that is not there

    def _new_lock(self) -> None:
        self._lock = threading.RLock()

    def __call__(self, *args: Args.args, **kwargs: Args.kwargs) -> Made:
        """Return what was made, or make it."""
        key = (args, *sorted(kwargs.items()))
        if key not in self._made:
            with self._lock:
                if key not in self._made:
                    self._made[key] = self._make(*args, **kwargs)
        return self._made[key]


def call_with_timeout(seconds: float, act: Callable[[], Answer], what: str) -> Answer:
    """Call `act` and give its result, or raise a TimeoutError that names `what` it was to do when that takes longer.

    It runs in a thread of its own, and goes on there by itself then. Ctrl-C is heard meanwhile, also where `act` is
    native code. At the end of the program, when no thread can be started any more, it runs here, without limit.

    >>> call_with_timeout(60, lambda: 6 * 7, "multiply")
    42
    """
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(act())
        except BaseException as error:  # a panic of native code is no Exception
            answer.set_exception(error)

    try:
        threading.Thread(target=run, name=f"rxspark: {what}", daemon=True).start()
    except RuntimeError:
        run()
    try:
        return answer.result(seconds)
    except TimeoutError:
        if answer.done():  # its own
            raise
        raise TimeoutError(f"timed out: to {what} took more than {seconds:g} seconds") from None


_unnamed: set[int] = set()
"""Those that Python's threading module does not know."""

os.register_at_fork(after_in_child=_unnamed.clear)


def is_own(thread: threading.Thread) -> bool:
    """Tell whether a thread is one of rxspark's own, by its name."""
    return thread.name.startswith("rxspark-")


def start_own(run: Callable[[], None]) -> None:
    """Run a function in a thread for which the end of the program does not wait: threading does not know it."""

    def run_and_forget() -> None:
        _unnamed.add(threading.get_ident())  # not before it is counted: see `others_run`
        try:
            run()
        finally:
            _unnamed.discard(threading.get_ident())  # another thread may get the number

    start_new_thread(run_and_forget, ())


_left_behind = 0
"""Threads of the parent that Python still counts in a forked child, where they do not run."""


def _leave_behind() -> None:
    global _left_behind
    _left_behind = _count()


os.register_at_fork(after_in_child=_leave_behind)


def others_run() -> bool:
    """Tell whether any thread that Python has started runs besides this one and those of rxspark's own.

    They are counted, and not asked for by ``sys._current_frames``: in Python 3.11 that may wait for ever, where a
    thread begins or ends meanwhile.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return True
    own = sum(is_own(thread) and thread.ident is not None for thread in threading.enumerate()) + len(_unnamed)
    return _count() - _left_behind > own
