"""Make a thing once a process, however many threads ask for it at the same time."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

__all__ = ["once"]

Args = ParamSpec("Args")
Made = TypeVar("Made")


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
        """Give what was made, or make it."""
        key = (args, *sorted(kwargs.items()))
        if key not in self._made:
            with self._lock:
                if key not in self._made:
                    self._made[key] = self._make(*args, **kwargs)
        return self._made[key]
