"""Have `np.random` and `random` as where no stream is installed: for one thread, while others draw, or for all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from types import ModuleType
from typing import Any

import numpy as np

from rxspark.rng.active import IMPORTING
from rxspark.rng.held_functions import ORIGINALS
from rxspark.rng.numpy_patch import OWN, NumpyRandom
from rxspark.rng.numpy_threads import SHARED
from rxspark.rng.stdlib_patch import StdlibRandom

__all__ = ["own_functions", "paused"]


class _NumpyByThread(ModuleType):
    """The class of `np.random` meanwhile."""

    def __getattribute__(self, name: str) -> Any:
        if name in OWN and get_ident() in IMPORTING:
            return OWN[name]
        return super().__getattribute__(name)


class _StdlibByThread(ModuleType):
    """The class of `random` meanwhile. Numba's compiler alone needs the originals, which draw past the streams."""

    def __getattribute__(self, name: str) -> Any:
        if name in ORIGINALS and IMPORTING.get(get_ident()):
            return ORIGINALS[name]
        return super().__getattribute__(name)


@contextmanager
def paused(numpy: NumpyRandom, stdlib: StdlibRandom) -> Iterator[None]:
    """Have the modules as where no stream is installed, while no other thread draws."""
    numpy.pause()
    stdlib.pause()
    try:
        yield
    finally:
        stdlib.resume()
        numpy.resume()


@contextmanager
def own_functions(compiling: bool) -> Iterator[None]:
    """Let this thread import a module, or numba compile, outside of all streams; numba may do so for an import."""
    thread = get_ident()
    with SHARED:
        before = IMPORTING.get(thread)
        IMPORTING[thread] = compiling
        np.random.__class__, random.__class__ = _NumpyByThread, _StdlibByThread
    try:
        yield
    finally:
        with SHARED:
            if before is None:
                del IMPORTING[thread]
            else:
                IMPORTING[thread] = before
            if not IMPORTING:
                np.random.__class__ = random.__class__ = ModuleType
