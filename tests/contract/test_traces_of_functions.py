"""State that a function or a class keeps begins anew in each task; that of a module is its worker's."""

# Tasks here change classes, functions and modules as no type allows.
# mypy: disable-error-code="attr-defined, var-annotated, misc"

from __future__ import annotations

import abc
import collections
import dataclasses
import enum
import functools
import itertools
import os
import types

import pytest
from twice import twice

from rxspark import RxShippingError, rxExec


def _closure():
    held = {}

    def change():
        held[len(held)] = 1
        return len(held)

    return change


def _counter():
    count = 0

    def change():
        nonlocal count
        count += 1
        return count

    return change


def _attribute():
    def change():
        change.calls = getattr(change, "calls", 0) + 1
        return change.calls

    return change


def _default():
    def change(seen=[]):  # noqa: B006 - the mistake is what is tested
        seen.append(1)
        return len(seen)

    return change


class _Counter:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return self.calls


def _iterator():
    numbers = iter([1, 2, 3, 4, 5])
    return lambda: next(numbers)


@pytest.mark.parametrize(
    "make",
    [_closure, _counter, _attribute, _default, _Counter, _iterator, lambda: _Counter().__call__],
    ids=["closure", "counter", "attribute", "default", "object", "iterator", "bound method"],
)
def test_no_task_sees_what_another_did_to_fun(make):
    """State that FUN keeps begins anew in each task, and the caller's FUN is untouched."""
    function = make()
    assert twice(function) == [1] * 5
    assert function() == 1


def _callable_object():
    class Local:
        calls = 0

        def __call__(self):
            type(self).calls += 1
            return type(self).calls

    return Local()


def _class_counter():
    class Agent:
        made = 0

        def __init__(self):
            Agent.made += 1
            self.id = Agent.made

    return lambda: Agent().id


def _class_list():
    class Log:
        lines = []  # noqa: RUF012 - the state of a class is what is tested

    return lambda: Log.lines.append(1) or len(Log.lines)


def _class_iterator():
    class Numbered:
        numbers = itertools.count(1)

    return lambda: next(Numbered.numbers)


def _registry():
    class Base:
        known = []  # noqa: RUF012

        def __init_subclass__(cls):
            Base.known.append(cls)

    def register():
        class Sub(Base):
            pass

        return len(Base.known)

    return register


def _metaclass():
    class Meta(type):
        made = 0

        def __call__(cls):
            Meta.made += 1
            return Meta.made

    class Of(metaclass=Meta):
        pass

    return lambda: Of()


def _cached_method():
    class Model:
        @staticmethod
        @functools.lru_cache
        def load():
            return object()

    def misses():
        Model.load()
        return Model.load.cache_info().misses

    return misses


def _enum():
    class Color(enum.Enum):
        RED = 1

    def mark():
        Color.RED.seen = getattr(Color.RED, "seen", 0) + 1
        return Color.RED.seen

    return mark


def _dataclass_default():
    @dataclasses.dataclass
    class Point:
        x: int = 0

    def move():
        Point.x += 1
        return Point.x

    return move


def _held_by_a_default():
    class Held:
        calls = 0

    def count(of=Held):
        of.calls += 1
        return of.calls

    return count


def _added_by_setattr():
    class Held:
        pass

    def count():
        setattr(Held, "calls", getattr(Held, "calls", 0) + 1)  # noqa: B010
        return Held.calls

    return count


def _abstract():
    class Base(abc.ABC):  # noqa: B024
        pass

    def register():
        new = type("New", (), {})
        known = sum(issubclass(kind, Base) for kind in (int, str))
        Base.register(new)
        Base.register((int, str)[known] if known < 2 else float)
        return known + 1

    return register


def _method_attribute():
    class Held:
        def method(self):
            pass

    def count():
        Held.method.calls = getattr(Held.method, "calls", 0) + 1
        return Held.method.calls

    return count


def _dataclass_factory():
    @dataclasses.dataclass
    class Held:
        number: int = dataclasses.field(default_factory=itertools.count(1).__next__)

    return lambda: Held().number


def _class_containers():
    class Log:
        by_name = collections.defaultdict(list)  # noqa: RUF012
        known = set()  # noqa: RUF012
        last = collections.deque(maxlen=9)  # noqa: RUF012

    def enter():
        Log.by_name["a"].append(1)
        Log.known.add(len(Log.known))
        Log.last.append(1)
        return max(len(Log.by_name["a"]), len(Log.known), len(Log.last))

    return enter


def _nested_class():
    class Outer:
        class Inner:
            made = 0

    def count():
        Outer.Inner.made += 1
        return Outer.Inner.made

    return count


def _subclasses():
    class Plugin:
        pass

    def define():
        new = type("New", (Plugin,), {})
        return len(Plugin.__subclasses__()) if new else 0

    return define


def _metaclass_registry():
    class Registering(type):
        known = {}  # noqa: RUF012

        def __new__(cls, name, bases, space):
            cls.known[len(cls.known)] = name
            return super().__new__(cls, name, bases, space)

    class Plugin(metaclass=Registering):
        pass

    def define():
        type(Plugin)("New", (Plugin,), {})
        return len(Registering.known) - 1

    return define


def _cached_function():
    @functools.cache
    def load():
        return object()

    def misses():
        load()
        return sum(load.cache_info()[:2])

    return misses


def _cached_property():
    class Model:
        made = 0

        @functools.cached_property
        def number(self):
            Model.made += 1
            return Model.made

    model = Model()
    return lambda: model.number


def _single_dispatch():
    @functools.singledispatch
    def show(value):
        return value

    def register():
        known = len(show.registry)
        show.register(type("New", (), {}), str)
        return known

    return register


def _error_class():
    class TroubleError(Exception):
        seen = []  # noqa: RUF012

    def fail():
        try:
            raise TroubleError
        except TroubleError as error:
            error.seen.append(1)
        return len(TroubleError.seen)

    return fail


def _module_made_at_run_time():
    module = types.ModuleType("made_at_run_time")
    module.calls = 0

    def count():
        module.calls += 1
        return module.calls

    return count


CLASSES = [
    *(_callable_object, _class_counter, _class_list, _class_iterator, _registry, _metaclass, _cached_method, _enum),
    *(_dataclass_default, _held_by_a_default, _added_by_setattr, _abstract, _method_attribute, _dataclass_factory),
    *(_class_containers, _nested_class, _subclasses, _metaclass_registry, _cached_function, _cached_property),
    *(_single_dispatch, _error_class, _module_made_at_run_time),
]


@pytest.mark.parametrize("make", CLASSES, ids=lambda make: make.__name__[1:])
def test_no_task_sees_what_another_did_to_a_class(make):
    """A class that travels with FUN begins anew in each task, whatever keeps its state, and the caller's stays."""
    function = make()
    assert twice(function) == [1] * 5
    assert function() == 1


def test_a_generator_in_a_class_or_closure_is_named_before_launch():
    """It could not begin anew, and nothing else can be done for it."""

    class Held:
        numbers = (number for number in range(9))

    numbers = (number for number in range(9))
    for function, name in ((lambda: next(Held.numbers), "Held"), (lambda: next(numbers), "numbers")):
        with pytest.raises(RxShippingError, match=f"variable '{name}'.*cannot pickle 'generator' object"):
            rxExec(function)


CACHE = {}


def loads_once():
    """Found by its name, in this module: a cache for each worker."""
    loaded = "model" not in CACHE
    CACHE["model"] = 1
    return os.getpid(), loaded


def test_a_module_keeps_its_state_as_long_as_its_worker():
    """A module's own variables are a worker's cache: what one task has loaded there, later ones need not load again."""
    seen = rxExec(loads_once, timesToRun=20, taskChunkSize=5)
    CACHE.clear()
    loads = [pid for pid, loaded in seen if loaded]
    assert len(loads) == len(set(loads)) <= len({pid for pid, _ in seen})
