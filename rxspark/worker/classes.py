"""Classes that travel by value: each task meets them as the caller had them, and the caller's stay as they are.

cloudpickle gives each such class an id. Whoever unpickles it a second time in one process gets the class that is
there, with the attributes of the pickle set anew: the count that a class keeps would go on from task to task, and
results would write the state that a class has in their task, and copies of its methods, into the class of the
caller. So here

* a class is filled by the pickle that makes it, and by no later one;
* a program's tasks have classes of their own (`own_classes`), which the process's do not know. Ids stay as they are,
  so that an instance that a task returns is an instance of the caller's class again.
"""

from __future__ import annotations

import pickle
import types
import typing
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import ModuleType
from typing import Any

from rxspark.concurrency import once

__all__ = [
    "ProgramClasses",
    "class_by_value",
    "defined",
    "fill",
    "function_setstate",
    "own_classes",
    "reduce_class",
    "skeleton",
    "tracker_of",
]


class ProgramClasses(dict[str, Any]):
    """The classes, and type variables, by id, that the tasks of one program have.

    A pool that a task leaves for the next ones hands them its results in a thread of the first task's: that goes by
    `successor`, the classes of the program that was loaded afterwards.
    """

    successor: ProgramClasses | None = None

    def now(self) -> ProgramClasses:
        """The classes of the program that runs now."""
        found = self
        while found.successor is not None:
            found = found.successor
        return found


own_classes: ContextVar[ProgramClasses | None] = ContextVar("own_classes", default=None)
"""The classes, and type variables, of the program that this thread runs, by id; None outside of tasks."""

_unfilled: dict[int, type] = {}
"""Classes whose pickle has not been read to its end."""


_come: weakref.WeakSet[type] = weakref.WeakSet()
"""Classes that pickles have made in this process."""


def class_by_value(found: type) -> bool:
    """Tell whether a pickle has made this class in this process."""
    return found in _come


class _ClassesById:
    """Table of classes for cloudpickle: within a task those of its program, else those of the process."""

    def __init__(self, process: Any) -> None:
        self._process = process

    def _now(self) -> Any:
        own = own_classes.get()
        return self._process if own is None else own.now()

    def get(self, tracker: str) -> Any:
        """The class of that id, or None."""
        return self._now().get(tracker)

    def setdefault(self, tracker: str, found: Any) -> Any:
        """The class of that id, `found` where there is none yet."""
        return self._now().setdefault(tracker, found)

    def __setitem__(self, tracker: str, found: Any) -> None:
        self._now()[tracker] = found


@once
def _cloudpickle() -> ModuleType:
    """cloudpickle, which workers need for functions and classes by value only; with our table of classes."""
    from cloudpickle import cloudpickle as module

    module._DYNAMIC_CLASS_TRACKER_BY_ID = _ClassesById(module._DYNAMIC_CLASS_TRACKER_BY_ID)
    loaded: ModuleType = module
    return loaded


def reduce_class(reduced: Any) -> Any:
    """Change cloudpickle's reduction of a class by value to ours; give any other as it is."""
    module = _cloudpickle()
    if not isinstance(reduced, tuple) or len(reduced) != 6 or reduced[5] is not module._class_setstate:
        return reduced
    make, (*arguments, tracker, extra), state = reduced[:3]
    if make is module._make_skeleton_class and "__slots__" in state[0] and typing.NamedTuple not in arguments[2]:
        # Set afterwards, they would leave its objects a dict.
        arguments[3]["__slots__"] = state[0].pop("__slots__")
    return skeleton, (make, (*arguments, None, extra), tracker), state, None, None, fill


def tracker_of(reduced: Any) -> str | None:
    """The id of the class by value of which `reduce_class` has made this; None for anything else."""
    return reduced[1][2] if isinstance(reduced, tuple) and reduced[0] is skeleton else None


def defined(tracker: str, definition: bytes) -> Any:
    """The class of that id, from the pickle of its definition where there is none yet."""
    found = _cloudpickle()._DYNAMIC_CLASS_TRACKER_BY_ID.get(tracker)
    return pickle.loads(definition) if found is None else found


def skeleton(make: Callable[..., type], arguments: tuple[Any, ...], tracker: str) -> type:
    """The class of that id, made without its attributes where there is none yet."""
    module = _cloudpickle()
    found: type | None = module._DYNAMIC_CLASS_TRACKER_BY_ID.get(tracker)
    if found is None:
        of_kind = make is module._make_skeleton_class
        with _without_hooks(arguments[2] if of_kind else ()), _without_metaclass(arguments[0] if of_kind else type):
            made = make(*arguments)
        found = module._lookup_class_or_track(tracker, made)
        if found is made:
            _unfilled[id(made)] = made
            _come.add(made)
    return found


@contextmanager
def _without_hooks(bases: tuple[Any, ...]) -> Iterator[None]:
    """While entered, no `__init_subclass__` of a class by value is called: what it has done is in the pickle."""
    owners = (
        base
        for bottom in types.resolve_bases(bases)
        for base in bottom.__mro__
        if base is not object and "__init_subclass__" in vars(base)
    )
    owner = next(owners, None)
    if owner is None or owner not in _cloudpickle()._DYNAMIC_CLASS_TRACKER_BY_CLASS:
        yield
        return
    hook = vars(owner)["__init_subclass__"]
    type.__setattr__(owner, "__init_subclass__", classmethod(_nothing))
    try:
        yield
    finally:
        type.__setattr__(owner, "__init_subclass__", hook)


def _nothing(made: type, /, *_: Any, **arguments: Any) -> None:
    pass


@contextmanager
def _without_metaclass(kind: type) -> Iterator[None]:
    """While entered, a metaclass by value makes classes as the one that it derives from: what it has done is known."""
    known = _cloudpickle()._DYNAMIC_CLASS_TRACKER_BY_CLASS
    found = [
        (owner, name, vars(owner)[name])
        for owner in kind.__mro__
        for name in ("__new__", "__init__")
        if owner in known and name in vars(owner)
    ]
    for owner, name, _ in found:
        type.__setattr__(owner, name, staticmethod(partial(_as_derived, owner)) if name == "__new__" else _nothing)
    try:
        yield
    finally:
        for owner, name, function in found:
            type.__setattr__(owner, name, function)


def _as_derived(owner: Any, kind: Any, /, *arguments: Any, **_: Any) -> Any:
    return super(owner, kind).__new__(kind, *arguments)


def fill(made: type, state: Any) -> None:
    """Set the attributes of a class that has just been made; one that was there has a state of its own."""
    if _unfilled.pop(id(made), None) is not None:
        _cloudpickle()._class_setstate(made, state)


def function_setstate(function: types.FunctionType, state: Any) -> None:
    """Set the attributes, globals and closure of a function that cloudpickle has made."""
    _cloudpickle()._function_setstate(function, state)
