"""The changes of a program that are seen."""

from __future__ import annotations

import abc
import enum
import functools
import math
import operator
import pickle
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rxspark.serialize.pickler import CallSerializer
from rxspark.worker.byvalue import dump_by_value
from rxspark.worker.classes import ProgramClasses, own_classes
from rxspark.worker.snapshot import Snapshot


def loaded(value):
    """An object as a worker gets it, and its snapshot."""
    classes, packed = ProgramClasses(), CallSerializer().dump(value)
    outer = own_classes.set(classes)
    try:
        made = pickle.loads(packed)
    finally:
        own_classes.reset(outer)
    taken = Snapshot()
    taken.take([made], classes.values())
    return made, taken


def closure(held):
    """A function that holds something."""
    return lambda: held


def classes():
    """Classes that go by value, as they are no module's."""

    class Plain:
        size = 1

        def __init__(self, held=None):
            self.held = held

        def method(self):
            return self.held

    class Slotted:
        __slots__ = ("held", "other")

        def __init__(self):
            self.held = [1]

    @dataclass
    class Data:
        x: int = 1
        y: list[int] = field(default_factory=list)

    class Color(enum.Enum):
        RED = 1

    class Base(abc.ABC):  # noqa: B024 - to register others with
        pass

    return SimpleNamespace(**locals())


LOCAL = classes()


def counts():
    """A function that assigns to a variable of the function around it."""
    count = 0

    def inner():
        nonlocal count
        count += 1
        return count

    return inner


def marks_itself():
    """A function that has attributes."""

    def inner():
        inner.calls = 1  # type: ignore[attr-defined]

    return inner


def reads_and_writes():
    """A function with globals of its own."""
    names = {"COUNT": 0}
    exec("def inner():\n    global COUNT\n    COUNT += 1", names)
    return names["inner"]


def _set(made, name, value):
    setattr(made, name, value)
    return made


CHANGES = {
    "list": ([1], lambda x: x.append(2)),
    "list item": ([1], lambda x: x.__setitem__(0, True)),
    "inner list": (({"a": ([],)},), lambda x: x[0]["a"][0].append(1)),
    "dict": ({}, lambda x: x.update(a=1)),
    "key": ({"a": 1}, lambda x: x.update(b=x.pop("a"))),
    "set": ({1}, lambda x: x.add(2)),
    "deque": (deque([1]), lambda x: x.append(2)),
    "defaultdict": (defaultdict(list), lambda x: x[0]),
    "ordered": (OrderedDict(a=1, b=2), lambda x: x.move_to_end("a")),
    "counter": (Counter("a"), lambda x: x.update("a")),
    "object": (LOCAL.Plain(), lambda x: _set(x, "new", 1)),
    "value of an object": (LOCAL.Plain(1), lambda x: _set(x, "held", 2)),
    "list of an object": (LOCAL.Plain([]), lambda x: x.held.append(1)),
    "class of an object": (LOCAL.Plain(1), lambda x: _set(x, "__class__", type("Sub", (type(x),), {}))),
    "bound method": (LOCAL.Plain([]).method, lambda x: x.__self__.held.append(1)),
    "slots": (LOCAL.Slotted(), lambda x: _set(x, "held", 2)),
    "slot": (LOCAL.Slotted(), lambda x: _set(x, "other", 2)),
    "exception": (ValueError(1), lambda x: x.add_note("seen")),
    "closure": (closure([]), lambda x: x().append(1)),
    "counter function": (counts(), lambda x: x()),
    "function": (marks_itself(), lambda x: x()),
    "global": (reads_and_writes(), lambda x: x()),
    "partial": (functools.partial(closure([])), lambda x: x().append(1)),
    "builtin method": ([1].append, lambda x: x(2)),
    "slot of an iterator": (iter([1, 2]).__next__, lambda x: x()),
    "argument of a methodcaller": (operator.methodcaller("setdefault", "a", []), lambda x: x({}).append(1)),
    "module that nobody can import": (ModuleType("made_here"), lambda x: _set(x, "calls", 1)),
    "array": (np.zeros(1), lambda x: x.fill(1)),
    "iterator": (iter([1, 2]), next),
    "bytearray": (bytearray(1), lambda x: x.append(1)),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_is_seen(kind):
    """Each change that a task makes in its program is seen, be it deep inside."""
    value, change = CHANGES[kind]
    made, taken = loaded(value)
    change(made)
    assert taken.changed()


CLASS_CHANGES = {
    "count": lambda local: setattr(local.Plain, "size", local.Plain.size + 1),
    "attribute": lambda local: setattr(local.Plain, "added", 1),
    "removed": lambda local: delattr(local.Plain, "size"),
    "attribute of a method": lambda local: setattr(local.Plain.method, "calls", 1),
    "attribute of an enum": lambda local: setattr(local.Color.RED, "seen", True),
    "default": lambda local: setattr(local.Data, "x", 2),
    "registered": lambda local: local.Base.register(local.Plain),
}


@pytest.mark.parametrize("kind", CLASS_CHANGES)
def test_a_change_of_a_class_is_seen(kind):
    """Classes that travelled by value are part of the program."""
    made, taken = loaded(classes())
    CLASS_CHANGES[kind](made)
    assert taken.changed()


UNCHANGED = {
    "numbers": (1, 2.5, True, None, 1j, "text", b"bytes", range(3), (1, ("a", None)), frozenset([1])),
    "functions": (abs, math.sin, math, int, np.sin, np.float64(1), np.dtype("f8"), closure(1), closure(closure(2))),
    "containers": ([1, {2}], {"a": [1]}, deque([1])),
    "objects": (LOCAL.Plain([1]), LOCAL.Slotted(), LOCAL.Data(), LOCAL.Color.RED, ValueError("x")),
    "changeable functions": (counts(), marks_itself(), reads_and_writes()),
    "classes": LOCAL,
}


@pytest.mark.parametrize("kind", UNCHANGED)
def test_what_is_not_changed_is_kept(kind):
    """An object that is not changed stays, also where it was used."""
    made, taken = loaded(UNCHANGED[kind])
    repr(made)
    if kind == "classes":
        assert made.Plain(1).method() == 1
        assert pickle.loads(dump_by_value(made.Plain(2))).held == 2
        assert made.Data() == made.Data(1, [])
        assert isinstance(made.Slotted(), made.Slotted)
        assert not isinstance(1, made.Base)
    assert not taken.changed()


def test_cycles_end():
    """An object that contains itself has an end all the same."""

    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    loop: list[Any] = []
    loop.append(loop)
    (made, inner), taken = loaded((factorial, loop))
    assert made(5) == 120
    assert not taken.changed()
    inner.append(1)
    assert taken.changed()
