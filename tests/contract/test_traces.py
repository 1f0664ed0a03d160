"""No task sees what another one has done to its process or its arguments, and neither does the caller."""

# Tasks here change classes, functions and modules as no type allows.
# mypy: disable-error-code="attr-defined, var-annotated, misc"

from __future__ import annotations

import abc
import copy
import dataclasses
import enum
import functools
import itertools
import logging
import os
import random
import sys
import types
import typing
import warnings

import cloudpickle
import numpy as np
import pytest

from rxspark import (
    RxForeachDoPar,
    rxElemArg,
    rxExec,
    rxGetComputeContext,
    rxGetOption,
    rxOptions,
    rxSetComputeContext,
)


def _env():
    old = os.environ.get("RX_TRACE")
    os.environ["RX_TRACE"] = "left"
    return old


def _env_removed():
    return os.environ.pop("PATH", None) is None


def _env_by_putenv():
    old = os.environb.get(b"RX_TRACE")
    os.environb[b"RX_TRACE"] = b"left"
    return old


def _cwd():
    old = os.getcwd() == "/"
    os.chdir("/")
    return old


def _path():
    old = "/trace" in sys.path
    sys.path.insert(0, "/trace")
    return old


def _path_replaced():
    old = "/trace" in sys.path
    sys.path = ["/trace", *sys.path]
    return old


def _filters():
    old = any(entry[0] == "error" and entry[2] is ZeroDivisionError.__mro__[-1] for entry in warnings.filters)
    try:
        warnings.warn("once", stacklevel=1)
    except UserWarning:
        return True
    warnings.simplefilter("error")
    return old


def _stdout():
    old = sys.stdout.name if getattr(sys.stdout, "name", None) == "/dev/null" else None
    sys.stdout = sys.stderr = open("/dev/null", "w")  # noqa: SIM115
    return old


def _handler():
    root = logging.getLogger()
    old = any(isinstance(kept, logging.NullHandler) for kept in root.handlers), root.level == 7
    root.addHandler(logging.NullHandler())
    root.setLevel(7)
    return old


@pytest.fixture
def _caller_kept():
    """Put this process back, should a test show that a task changed it."""
    streams, path, root = (sys.stdout, sys.stderr), sys.path, logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    sys.stdout, sys.stderr = streams
    sys.path = path
    root.handlers[:], root.level = handlers, level


PROCESS = [_env, _env_removed, _env_by_putenv, _cwd, _path, _path_replaced, _filters, _stdout, _handler]


def twice(function, *args, **kwargs):
    """The results of two tasks in one chunk, of a second chunk, and of a second call."""
    return [*rxExec(function, *args, timesToRun=4, taskChunkSize=2, **kwargs), *rxExec(function, *args, **kwargs)]


@pytest.mark.usefixtures("_caller_kept")
@pytest.mark.parametrize("leave", PROCESS, ids=lambda function: function.__name__[1:])
def test_no_task_sees_what_another_did_to_its_process(leave):
    """Environment, folder, search path, warnings filters, streams and logging are as the caller's for every task."""
    seen = twice(leave)
    assert len(set(map(repr, seen))) == 1, seen
    assert not any(np.ravel(seen[0]))


@pytest.mark.usefixtures("_caller_kept")
@pytest.mark.parametrize("leave", PROCESS, ids=lambda function: function.__name__[1:])
def test_the_caller_is_as_before(leave):
    """A call leaves the caller's environment, folder, path, filters, streams, logging and random state alone."""

    def state():
        root = logging.getLogger()
        return (
            dict(os.environ),
            os.getcwd(),
            sys.path[:],
            id(sys.path),
            list(warnings.filters),
            (sys.stdout, sys.stderr),
            (root.handlers[:], root.level),
            random.getstate(),
            repr(np.random.get_state()),
        )

    before = state()
    rxExec(leave, timesToRun=3)
    rxExec(lambda: (random.seed(1), np.random.seed(1), random.random(), np.random.normal()), timesToRun=2, RNGseed=1)
    assert state() == before


@pytest.mark.parametrize("seed", [None, 5], ids=["unseeded", "seeded"])
def test_seeding_in_a_task_does_not_poison_the_next(seed):
    """A task that seeds the global generators itself changes the numbers of no other task and of no later call."""

    def draw(seeds):
        first = random.random(), np.random.random(), np.random.default_rng().random()
        if seeds:
            random.seed(3)
            np.random.seed(3)
        return first

    poisoned = rxExec(draw, True, timesToRun=6, taskChunkSize=3, RNGseed=seed)
    later = rxExec(draw, False, timesToRun=6, RNGseed=seed)
    assert len(set(poisoned)) == len(set(later)) == 6
    if seed is not None:
        assert poisoned == rxExec(draw, False, timesToRun=6, taskChunkSize=3, RNGseed=seed)
        assert later == rxExec(draw, False, timesToRun=6, RNGseed=seed)


@pytest.mark.parametrize(
    "constant",
    [[], {}, set(), bytearray(), np.zeros(3), np.zeros(1, "i8,f8")[0]],
    ids=["list", "dict", "set", "bytearray", "array", "record"],
)
@pytest.mark.parametrize("place", ["positional", "keyword", "nested", "elemArgs", "same element twice"])
def test_no_task_sees_what_another_did_to_an_argument(constant, place):
    """A task may change its arguments: they are its own copies, and the caller's are untouched."""

    def change(x):
        x = x["in"][0] if isinstance(x, dict) and "in" in x else x
        before = repr(x)
        if isinstance(x, np.ndarray):
            x += 1
        elif isinstance(x, np.void):
            x["f0"] += 1
        elif isinstance(x, dict):
            x["changed"] = 1
        else:
            (x.add if isinstance(x, set) else x.append)(1)
        return before

    clean = repr(constant)
    calls = {
        "positional": lambda: twice(change, constant),
        "keyword": lambda: twice(change, x=constant),
        "nested": lambda: twice(change, {"in": (constant,)}),
        "elemArgs": lambda: rxExec(change, elemArgs=[(constant,)], timesToRun=4, taskChunkSize=2),
        "same element twice": lambda: rxExec(change, rxElemArg([constant] * 4), taskChunkSize=2),
    }
    assert set(calls[place]()) == {clean}
    assert repr(constant) == clean


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
    _module_made_at_run_time,
]


@pytest.mark.parametrize("make", CLASSES, ids=lambda make: make.__name__[1:])
def test_no_task_sees_what_another_did_to_a_class(make):
    """A class that travels with FUN begins anew in each task, whatever keeps its state, and the caller's stays."""
    function = make()
    assert twice(function) == [1] * 5
    assert function() == 1


def test_a_class_of_elements_begins_anew_in_each_task():
    """Also where a class comes with the elements alone."""

    class Agent:
        made = 0

        def __init__(self):
            self.kept = 1

    def count(agent):
        type(agent).made += 1
        return type(agent).made

    assert rxExec(count, rxElemArg([Agent(), Agent(), Agent()]), taskChunkSize=3) == [1, 1, 1]
    assert Agent.made == 0


def test_what_tasks_return_is_of_the_callers_class():
    """Objects that tasks made, and errors that they raised, are of the caller's classes, which results leave alone."""

    class Agent:
        made = 0

        def __init__(self):
            type(self).made += 1

        def same(self, other):
            return type(other) is Agent

    class Trouble(Exception):  # noqa: N818
        pass

    def work(given, trouble=False):
        if trouble:
            raise Trouble(1)
        made = Agent()
        return made if made.same(given) else None

    before = dict(vars(Agent))
    made = [*rxExec(Agent, timesToRun=3), *rxExec(work, rxElemArg([Agent(), Agent()])), *rxExec(work, Agent())]
    assert {type(agent) for agent in made} == {Agent}
    with pytest.raises(Exception) as caught:  # noqa: PT011
        rxExec(work, 1, trouble=True, continueOnFailure=False)
    assert type(caught.value.original) is Trouble
    Agent.made = 0
    after = {name: value for name, value in vars(Agent).items() if name != "__slotnames__"}
    assert after == before


def test_classes_of_many_kinds_travel():
    """Named tuples, abstract and generic classes, protocols, and bases that look at their subclasses."""

    class Base:
        known = []  # noqa: RUF012

        def __init_subclass__(cls, *, key):
            Base.known.append(key)
            cls.key = key

    class Sub(Base, key="k"):
        pass

    class Pair(typing.NamedTuple):
        a: int
        b: int = 2

    class Shape(abc.ABC):
        @abc.abstractmethod
        def area(self):
            """Its size."""

    class Square(Shape):
        def area(self):
            return 4

    class Sized(typing.Protocol):
        def area(self): ...

    class Stack(typing.Generic[typing.TypeVar("T")]):
        def __init__(self):
            self.held = []

    class Circle(Sized):
        def area(self):
            return 3

    Shape.register(int)

    def work():
        kinds = isinstance(3, Shape), isinstance(Square(), Shape), isinstance("", Shape), type(Stack[int]()) is Stack
        return Sub.key, Base.known, Pair(1), kinds, Square().area() + Circle().area()

    results = rxExec(work, timesToRun=2, taskChunkSize=2)
    assert results == [("k", ["k"], Pair(1), (True, True, False, True), 7)] * 2
    assert {type(result[2]) for result in results} == {Pair}


def test_classes_work_in_tasks_as_they_do_outside():
    """Pickles, copies, comparisons, `super` and inner calls of a task know one class."""

    class Shape:
        def area(self):
            return 0

    class Square(Shape):
        def __init__(self, side):
            self.side = side

        def area(self):
            return super().area() + self.side**2

    class Size(enum.IntEnum):
        SMALL = 1
        LARGE = 2

    def work(square, size):
        again = cloudpickle.loads(cloudpickle.dumps(square))
        inner = rxExec(lambda shape: Square(shape.side), square)[0]
        copied = copy.deepcopy(square)
        kinds = {type(shape) for shape in (square, again, inner, copied, Square(1))}
        return kinds == {Square}, square.area(), size is Size.LARGE, size

    found = rxExec(work, rxElemArg([Square(2), Square(3)]), Size.LARGE)
    assert [result[:3] for result in found] == [(True, 4, True), (True, 9, True)]
    assert all(result[3] is Size.LARGE for result in found)


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


@pytest.mark.parametrize("size", [10, 100_000, 4_000_000], ids=["80 B", "800 kB", "32 MB"])
@pytest.mark.parametrize("place", ["constant", "element"])
def test_an_array_may_be_written_to_at_any_size(size, place):
    """The rule for writing to an argument does not depend on its size."""

    def write(x):
        x[:] = 7.0
        return x.flags.writeable, float(x.sum())

    array = np.zeros(size)
    result = rxExec(write, rxElemArg([array, array]) if place == "element" else array, elemArgs=None)
    assert set(result) == {(True, 7.0 * size)}
    assert not array.any()


def test_an_array_of_rows_may_be_written_to():
    """Rows of one array are each task's own, also within a chunk."""
    rows = np.zeros((6, 2))

    def write(row):
        before = float(row.sum())
        row += 1
        return before

    assert rxExec(write, rxElemArg(rows), taskChunkSize=3) == [0.0] * 6
    assert not rows.any()


def test_a_context_set_in_a_task_is_not_the_callers():
    """A task may choose a compute context and options for its own calls; neither outlives it."""

    def choose():
        found = type(rxGetComputeContext()).__name__, rxGetOption("consoleLimit")
        rxSetComputeContext(RxForeachDoPar())
        rxOptions(consoleLimit=1234)
        return found

    before = rxGetComputeContext(), rxOptions()
    try:
        assert len(set(twice(choose))) == 1
        assert (rxGetComputeContext(), rxOptions()) == before
    finally:
        rxSetComputeContext(before[0])
        rxOptions(**before[1])
