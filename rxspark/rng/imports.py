"""Imports within tasks: modules are loaded as if no stream were installed.

Whether a task is the first of its worker to import a module depends on the worker's past, and must not move a number.
So while a module is loaded, `np.random` and `random` have their own functions and another generator's numbers: a module
that draws, seeds or makes a generator at its top leaves the task's stream where it is, and one that takes a function by
``from numpy.random import normal`` has NumPy's own in every process.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from rxspark.rng.active import current
from rxspark.rng.mkl import choose_path
from rxspark.rng.numba_random import NUMBA_EVENTS, compile_outside_streams

__all__ = ["import_outside_streams"]

_MKL_RANDOM = "mkl_random"


class _LoaderOutsideStreams(Loader):
    """Load a module by another loader, outside of the task's streams."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:  # the module, and who looks for its files, see the loader that they would have
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        if module.__name__ == _MKL_RANDOM:  # has MKL compute as it is loaded
            choose_path()
        streams = current()
        with nullcontext() if streams is None else streams.outside():
            self._loader.exec_module(module)
        if module.__name__ == NUMBA_EVENTS:  # the module that imports numba now may have it compile at once
            compile_outside_streams()


class _FinderWithinTasks(MetaPathFinder):
    """Find what the other finders find, while the thread that asks runs a task and is not importing yet.

    And numba's events and mkl_random, whoever asks.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        streams = current()
        if fullname not in (NUMBA_EVENTS, _MKL_RANDOM) and (streams is None or not streams.can_go_outside()):
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module") and spec.origin not in ("built-in", "frozen"):
                    spec.loader = _LoaderOutsideStreams(spec.loader)
                return spec
        return None


_finder = _FinderWithinTasks()


def import_outside_streams() -> None:
    """See to it that imports leave streams alone, from now on for good; nothing is different outside of tasks."""
    if sys.meta_path[0] is not _finder:
        sys.meta_path[:] = [_finder, *(finder for finder in sys.meta_path if finder is not _finder)]
