"""NumPy's global generator where several threads draw: each finds the generator that is its own.

NumPy's RandomState takes the lock of its bit generator for each draw, by whatever name its functions were called and
whenever they were taken. So where there are several threads, that lock is `SHARED`, which puts a thread's own generator
behind `np.random.mtrand._rand` for as long as the thread draws.
"""

from __future__ import annotations

import operator
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.random import mtrand

from rxspark.concurrency import once
from rxspark.rng.active import IMPORTING, above

__all__ = ["IMPORTS", "SHARED", "connect", "connected", "gauss", "put_gauss", "unshared"]

_RAND = mtrand._rand
_state = partial(_RAND.get_state, legacy=False)
_NOTHING: AbstractContextManager[None] = nullcontext()

# Whether a thread may take the lock of a bit generator twice. Older releases of NumPy have one that it may not, and
# take it themselves in functions that are called under ours: there, ours alone has to do.
_TAKEN_TWICE = isinstance(np.random.MT19937().lock, type(threading.RLock()))

# Seconds before each look whether the draws have ended that began before the lock was ours. One takes less than 1 us; a
# thread that waits for another one's draw first has to get a processor.
_DRAWING = (0.00001, 0.0001, 0.001)


def gauss() -> float | None:
    """The second of a pair of legacy normals, which NumPy keeps for the next draw."""
    state = _state()
    return state["gauss"] if state["has_gauss"] else None


def put_gauss(value: float | None) -> None:
    """Have NumPy keep it again; connecting has dropped any other. MT19937 takes 40 us for it."""
    if value is not None:
        _RAND.set_state({**_state(), "has_gauss": 1, "gauss": value})


class _SharedBits:
    """A bit generator with another lock than its own.

    NumPy's ``seed`` looks at it without any lock, so what that looks at is there without running Python.
    """

    __slots__ = ("_legacy_seeding", "bits", "capsule", "lock")

    def __new__(cls, bits: Any = None) -> Any:
        """Share a bit generator; for a seed, make one such as this thread draws from, as ``seed`` wants it."""
        if isinstance(bits, np.random.BitGenerator):
            return super().__new__(cls)
        with SHARED:
            made = type(connected())(0 if bits is None else bits)
            if isinstance(made, np.random.MT19937):
                made._legacy_seeding(bits)
            return made

    def __init__(self, bits: Any) -> None:
        self.bits = bits
        self.capsule = bits.capsule
        self.lock = SHARED
        self._legacy_seeding = getattr(bits, "_legacy_seeding", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bits, name)

    @property
    def state(self) -> Any:
        """The state of the generator from which this thread draws."""
        with SHARED:
            return connected().state

    @state.setter
    def state(self, state: Any) -> None:
        with SHARED:
            connected().state = state

    def __reduce__(self) -> Any:  # which RandomState calls by itself before NumPy 2
        return self.bits.__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.bits.__reduce_ex__(protocol)


@once
def _shared(kind: type) -> Callable[[Any], Any]:
    """The class of shared bit generators which says that it is `kind`."""
    return type(kind.__name__, (_SharedBits,), {"__slots__": (), "__class__": kind})


def unshared(bits: Any) -> Any:
    """The bit generator itself, of one that has this lock."""
    return bits.bits if issubclass(type(bits), _SharedBits) else bits


def connected() -> Any:
    """The bit generator behind `np.random.mtrand._rand`."""
    return unshared(mtrand.get_bit_generator())


def connect(bits: Any) -> None:
    """Put a bit generator there; this drops the second of a pair of normals."""
    if SHARED.on:
        bits = unshared(bits)
        SHARED.bits = bits.lock
        bits = _shared(type(bits))(bits)
    mtrand.set_bit_generator(bits)


class _SharedLock:
    """The lock under which threads draw, and under which streams begin and end, where there are several threads."""

    def __init__(self) -> None:
        self.on = False
        """Whether there are several threads; else this lock is not used."""
        self.bits: Any = None
        """The lock of the bit generator that is connected: others may draw from it by a generator of their own."""
        self._own: Any = None
        """The lock that draws took before there were several threads."""
        self._lock = threading.RLock()
        self._taken: list[Any] = []
        self._give_back: Callable[[], None] | None = None
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._lock.release
        )

    def __enter__(self) -> None:
        if self._is_late():
            return
        self._lock.acquire()
        taken = self._taken
        taken.append(None)  # first, as lending takes this lock too
        try:
            if len(taken) == 1:
                self._give_back = _lend()
            if _TAKEN_TWICE:
                taken[-1] = self.bits
                self.bits.acquire()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self._is_late():
            return
        try:
            self._leave()
        finally:
            self._lock.release()

    def _is_late(self) -> bool:
        """Tell whether this thread is in a function of NumPy that it called before there were several threads.

        NumPy's ``seed`` takes the lock once more, which is this one now, while others wait here for the first one.
        """
        return self._own is not None and self._own._is_owned() and not self._lock._is_owned()  # type: ignore[attr-defined]

    def _leave(self) -> None:
        taken = self._taken
        try:
            if taken[-1] is not None:
                taken[-1].release()
            if len(taken) == 1 and self._give_back is not None:
                self._give_back()
        finally:
            taken.pop()

    def held(self) -> AbstractContextManager[None]:
        """Take the lock where there are several threads."""
        return self if self.on else _NOTHING

    def begin(self) -> None:
        """Let draws take this lock from now on."""
        self.on = True
        own: Any = mtrand.get_bit_generator()
        self.bits = own.lock
        self._own = own.lock if _TAKEN_TWICE else None
        share = partial(mtrand.set_bit_generator, _shared(type(own))(own))
        with self._lock:
            steps: Any = map(operator.call, (_state, share))  # type: ignore[arg-type] # one returns nothing
            state, _ = steps  # at once: no other thread runs between two functions of C
            for pause in _DRAWING:
                time.sleep(pause)  # who was about to take the generator's own lock takes it now
                with own.lock:  # behind those that wait too
                    pass
            put_gauss(state["gauss"] if state["has_gauss"] else None)

    def end(self) -> None:
        """Let draws take the locks of their bit generators again."""
        with self._lock:
            while self._taken:  # an interrupt came before `__exit__`
                with suppress(RuntimeError):  # or before it was taken
                    self._leave()
            self.on = False
            kept = gauss()
            connect(connected())
            put_gauss(kept)
        with suppress(RuntimeError):  # not taken any more
            while True:
                self._lock.release()


SHARED = _SharedLock()

IMPORTS = np.random.MT19937()  # what a module draws from that is imported while streams are installed


def _lend() -> Callable[[], None] | None:
    """Connect this thread's own generator, if another is connected; return what takes it back."""
    if IMPORTING and threading.get_ident() in IMPORTING:
        bits, kept = connected(), gauss()
        connect(IMPORTS)
        return partial(_give_back, bits, kept)
    streams = above()
    return None if streams is None else streams.lend()


def _give_back(bits: Any, kept: float | None) -> None:
    connect(bits)
    put_gauss(kept)
