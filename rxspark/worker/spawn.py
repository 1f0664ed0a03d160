"""Processes that a task starts by spawn or forkserver: they find what came to the task by value.

Such a process is a new Python, which imports by name whatever it is sent. In a task functions and classes of the
caller's script have no module that could be imported, and modules of the caller's may lie on another machine. So
`multiprocessing`, with pools and managers, sends the former by value, and to each process that it starts the sources
of the latter. What a process gets of one namespace shares it there too: an initializer sets globals for others.

A forked process has all this already, and nothing changes for it.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from types import FunctionType
from typing import Any

from rxspark.worker import user_modules
from rxspark.worker.byvalue import ByValuePickler, dump
from rxspark.worker.classes import class_by_value, function_setstate
from rxspark.worker.protocol import ModuleSource
from rxspark.worker.reducers import cached_function

__all__ = ["forget", "know_nothing", "reduce"]

# Bytes of a definition from which it goes by a file, which each process reads once, and not with each message.
_LARGE = 1 << 16

Reduced = tuple[Any, ...]


class _Exchange:
    """Namespaces and definitions that this process has sent and got by value, each by a key that both sides know."""

    def __init__(self) -> None:
        self.namespaces: dict[str, dict[str, Any]] = {}
        self.keys: dict[int, str] = {}
        """Keys of namespaces, by the id of the dict."""
        self.sent: dict[int, tuple[Any, Reduced]] = {}
        """Objects that have been sent, by id, each with its reduction."""
        self.found: dict[str, Any] = {}
        """Objects that have come, by key."""
        self.spawns = False
        """Whether processes have been started that do not know what stands in `__main__` here."""
        self._files = ExitStack()
        self._folder: str | None = None

    def namespace(self, key: str, names: dict[str, Any]) -> dict[str, Any]:
        """The namespace of that key, made of these names where there is none."""
        found = self.namespaces.setdefault(key, names)
        self.keys[id(found)] = key
        return found

    def key_of(self, namespace: dict[str, Any]) -> str:
        """The key of a namespace."""
        if id(namespace) not in self.keys:
            self.namespace(os.urandom(16).hex(), namespace)
        return self.keys[id(namespace)]

    def reduce(self, obj: Any) -> Reduced:
        """Return the reduction of a function or class: a key, and the definition or the file where it stands."""
        if id(obj) not in self.sent:
            key, definition = os.urandom(16).hex(), dump(_DefinitionPickler, obj)
            source: bytes | str = definition if len(definition) < _LARGE else self._written(key, definition)
            self.sent[id(obj)] = obj, (_find, (key, source))
        return self.sent[id(obj)][1]

    def _written(self, key: str, definition: bytes) -> str:
        if self._folder is None:
            self._folder = self._files.enter_context(tempfile.TemporaryDirectory(prefix="rxspark-spawn-"))
        path = os.path.join(self._folder, key)
        with open(path, "wb") as file:
            file.write(definition)
        return path

    def find(self, key: str, source: bytes | str) -> Any:
        """The function or class of that key, from its definition when it comes for the first time."""
        if key not in self.found:
            if isinstance(source, str):
                with open(source, "rb") as file:
                    source = file.read()
            self.found[key] = pickle.loads(source)
        return self.found[key]

    def close(self) -> None:
        """Remove the files."""
        self._files.close()


_exchange: _Exchange | None = None
"""That of the tasks that run here; in a process that a task has started, that of its whole life."""


def _exchange_here() -> _Exchange:
    global _exchange
    if _exchange is None:
        _exchange = _Exchange()
    return _exchange


def _find(key: str, source: bytes | str) -> Any:
    return _exchange_here().find(key, source)


def _namespace(key: str, names: dict[str, Any]) -> dict[str, Any]:
    return _exchange_here().namespace(key, names)


class _Namespace:
    """In a pickle in place of the globals of a function."""

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments

    def __reduce__(self) -> Reduced:
        return _namespace, self._arguments


class _DefinitionPickler(ByValuePickler):
    """Pickles the definition of a function or class, whose functions keep to the namespaces that they have here."""

    def __init__(self, file: Any, protocol: int) -> None:
        # Locks and queues among the globals travel as multiprocessing lets them.
        self.dispatch_table = {**ByValuePickler.dispatch_table, **ForkingPickler._extra_reducers}  # type: ignore[attr-defined]
        super().__init__(file, protocol)

    def reducer_override(self, obj: Any) -> Any:
        reduced = super().reducer_override(obj)
        if not isinstance(obj, FunctionType) or not isinstance(reduced, tuple):
            return reduced
        make, (code, names, *more), state, *_ = reduced
        namespace = _Namespace(_exchange_here().key_of(obj.__globals__), names)
        return make, (code, namespace, *more), state, None, None, _fill_function


def _fill_function(function: FunctionType, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Set a function's attributes and globals; what its namespace has by now stays as it is."""
    attributes, slots = state
    names = {name: held for name, held in slots["__globals__"].items() if name not in function.__globals__}
    function_setstate(function, (attributes, {**slots, "__globals__": names}))


# ------------------------------------------------------------------ the side that sends


def reduce(obj: Any) -> Any:
    """Reduce an object for multiprocessing's pickler; NotImplemented for most."""
    if isinstance(obj, BaseProcess):
        made = obj.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        if not isinstance(made, tuple):
            return NotImplemented
        return _make_process, (_Prepared(), *made[:2]), *made[2:]
    known = not _exchange_here().spawns and vars(sys.modules["__main__"]).get(getattr(obj, "__qualname__", "")) is obj
    if not known and (_came_by_value(obj) or _came_by_value(cached_function(obj))):
        return _exchange_here().reduce(obj)
    return NotImplemented


def _came_by_value(obj: Any) -> bool:
    if isinstance(obj, FunctionType):
        return obj.__module__ == "__main__" and obj.__globals__ is not vars(sys.modules["__main__"])
    return isinstance(obj, type) and class_by_value(obj)


def know_nothing() -> None:
    """From now on other processes do not know what stands in `__main__` here, as forked ones do."""
    _exchange_here().spawns = True


def forget() -> None:
    """Let go of what was sent."""
    global _exchange
    if _exchange is not None:
        _exchange.close()
        _exchange = None


# ------------------------------------------------------------------ the process that was started


class _Prepared:
    """In the pickle of a process, before all that it is to run: prepares the new process to find that."""

    def __reduce__(self) -> Reduced:
        return _prepare, user_modules.served()


def _prepare(sources: dict[str, ModuleSource], digest: str) -> None:
    user_modules.serve(sources, digest)
    ForkingPickler.reducer_override = _reduce  # type: ignore[method-assign, assignment]


def _reduce(_: ForkingPickler, obj: Any) -> Any:
    return reduce(obj)


def _make_process(_: None, make: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return make(*arguments)
