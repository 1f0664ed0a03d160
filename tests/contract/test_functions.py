"""Kinds of FUN, what it may hold, and what `execObjects` and `packagesToLoad` put among its globals."""

from __future__ import annotations

import functools
import itertools
import math
import operator
import sys
import weakref
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from rxspark import RxArgumentError, RxMissingError, rxElemArg, rxExec

_hidden = "a global of this module"
SHOWN = {"kept": 1}


def double(x):
    """A function that workers find by its name."""
    return 2 * x


def reads_globals():
    """Names that this module does not define."""
    return _given, other  # type: ignore[name-defined]  # noqa: F821


class _Scale:
    """A class with all kinds of callables."""

    def __init__(self, factor):
        self.factor = factor

    def times(self, x):
        return self.factor * x

    @classmethod
    def unit(cls, x):
        return cls(1).times(x)

    @staticmethod
    def half(x):
        return x / 2

    def __call__(self, x):
        return self.factor * x

    def __eq__(self, other):
        return isinstance(other, _Scale) and vars(self) == vars(other)


@functools.lru_cache
def _cached(x):
    return x - 1


def _nested():
    offset = 10

    def inner(x):
        return x + offset

    return inner


def _local_class():
    class Local:
        def __init__(self, x):
            self.x = x

        def __call__(self, x):
            return self.x * x

    return Local(3)


CALLABLES = {
    "lambda": (lambda x: x + 1, 5),
    "nested function with a closure": (_nested(), 14),
    "function of the module": (double, 8),
    "bound method": (_Scale(3).times, 12),
    "class method": (_Scale.unit, 4),
    "static method": (_Scale.half, 2.0),
    "callable object": (_Scale(2.5), 10.0),
    "object of a local class": (_local_class(), 12),
    "class": (_Scale, _Scale(4)),
    "builtin type": (str, "4"),
    "builtin": (abs, 4),
    "builtin of a module": (math.sqrt, 2.0),
    "method of a builtin": ([4, 5].count, 1),
    "ufunc": (np.negative, -4),
    "operator": (operator.methodcaller("bit_length"), 3),
    "partial": (functools.partial(pow, 2), 16),
    "partial of a lambda": (functools.partial(lambda a, b, c: (a, b, c), 1, c=3), (1, 4, 3)),
    "cached function": (_cached, 3),
    "constructor by a class of the library": (Fraction, Fraction(4)),
}


@pytest.mark.parametrize("kind", CALLABLES)
def test_fun_may_be_any_callable(kind):
    """FUN is any callable, and gives in a task what it gives here."""
    function, expected = CALLABLES[kind]
    assert rxExec(function, rxElemArg([4, 4])) == [expected, expected]


def test_recursion():
    """A nested function may call itself, and two may call each other."""

    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert rxExec(factorial, rxElemArg(range(6))) == [1, 1, 2, 6, 24, 120]
    assert rxExec(even, rxElemArg(range(4))) == [True, False, True, False]


def test_arguments_named_like_those_of_rxexec_have_their_own_way():
    """A keyword that FUN takes goes to FUN even where it resembles an argument of rxExec."""
    assert rxExec(lambda seed, timestorun: (seed, timestorun), seed=1, timestorun=rxElemArg([2])) == [(1, 2)]


def test_a_global_that_changed_between_calls_is_seen():
    """A task sees the value that a captured variable has at the time of the call, not that of an earlier call."""
    level = 1
    read = lambda: level  # noqa: E731
    assert rxExec(read) == [1]
    level = 2
    assert rxExec(read) == [2]


def test_exec_objects_are_found_where_rxexec_is_called():
    """Names in `execObjects` are those of the caller's locals and globals, with any identifier."""
    _given, other = [1], {"a": 2}
    assert rxExec(reads_globals, execObjects=["_given", "other"]) == [([1], {"a": 2})]
    assert rxExec(lambda: eval("_hidden"), execObjects="_hidden") == [_hidden]
    assert rxExec(lambda: eval("SHOWN"), execObjects=("SHOWN",), timesToRun=2) == [SHOWN, SHOWN]
    assert other == {"a": 2}
    assert _given == [1]


def test_exec_objects_as_a_dict():
    """A dict in `execObjects` gives names and objects."""
    assert rxExec(reads_globals, execObjects={"_given": np.arange(3).sum(), "other": None}) == [(3, None)]


@pytest.mark.parametrize("function", [_Scale(2), functools.partial(reads_globals)], ids=["object", "partial"])
def test_exec_objects_for_other_callables(function):
    """The objects reach the globals of whatever function is behind FUN."""
    arguments: dict[str, Any] = {"x": 1} if isinstance(function, _Scale) else {}
    result = rxExec(function, execObjects={"_given": 1, "other": 2}, **arguments)
    assert result == [2 if arguments else (1, 2)]


def test_exec_objects_leave_the_module_as_it_was():
    """After the call this module's globals are as before, and the next call does not see the objects."""
    before = dict(globals())
    rxExec(reads_globals, execObjects={"_given": 1, "other": 2, "SHOWN": 3}, timesToRun=3)
    rxExec(reads_globals, execObjects={"_given": 1, "other": 2}, packagesToLoad="colorsys")
    assert globals() == before
    assert rxExec(lambda: "other" in globals()) == [False]
    with pytest.warns(UserWarning, match="NameError"):
        assert rxExec(reads_globals).errors[0].type == "NameError"


def test_objects_of_exec_objects_are_fresh_in_each_task():
    """A change that one task makes to such an object is not seen by the next."""

    def grow():
        held.append(1)  # type: ignore[name-defined]  # noqa: F821
        return len(held)  # type: ignore[name-defined]  # noqa: F821

    assert rxExec(grow, execObjects={"held": []}, timesToRun=4, taskChunkSize=2) == [1, 1, 1, 1]


def test_packages_to_load_are_bound_in_the_globals_of_fun():
    """`packagesToLoad` imports modules on the workers and binds their names, top packages for dotted ones."""

    def uses():
        return colorsys.rgb_to_hls(0, 0, 0), email.mime.text.__name__  # type: ignore[name-defined]  # noqa: F821

    assert rxExec(uses, packagesToLoad=["colorsys", "email.mime.text"]) == [((0.0, 0.0, 0.0), "email.mime.text")]
    assert "colorsys" not in globals()


def test_packages_to_load_of_the_context(context):
    """A context may name packages for all of its calls."""
    import dataclasses

    with dataclasses.replace(context, packagesToLoad=["colorsys"]):
        assert rxExec(lambda: colorsys.__name__) == ["colorsys"]  # type: ignore[name-defined]  # noqa: F821


def test_a_missing_package_is_named_with_the_host(hosts):
    """A package that a worker lacks is an error of the call that names package and host, and the next call works."""
    with pytest.raises(RxMissingError, match=r"no_such_package") as caught:
        rxExec(abs, rxElemArg(range(8)), packagesToLoad=["no_such_package"])
    assert any(host in str(caught.value) for host in hosts)
    assert rxExec(abs, -1) == [1]


@pytest.mark.parametrize("names", ["no_such", ["SHOWN", "SHOWM"], [1], ["not an identifier"]], ids=str)
def test_exec_objects_that_do_not_exist(names):
    """A name that is not there is refused before launch."""
    with pytest.raises(RxArgumentError, match="execObjects"):
        rxExec(double, 1, execObjects=names)


def test_exec_objects_need_globals():
    """A builtin has no globals to put objects into, which is refused before launch."""
    with pytest.raises(RxArgumentError, match=r"execObjects.*no globals"):
        rxExec(abs, -1, execObjects=["SHOWN"])


def test_exec_objects_are_found_from_a_comprehension():
    """A call inside a comprehension finds the names of the function around it."""
    _given, other = 1, 2
    assert [rxExec(reads_globals, execObjects=["_given", "other"])[0] for _ in range(2)] == [(_given, other)] * 2


def test_a_cached_function_runs():
    """A nested function behind functools.lru_cache can be FUN, and can be used by FUN."""

    @functools.lru_cache(maxsize=3)
    def square(x):
        return x * x

    assert rxExec(square, rxElemArg([2, 3])) == [4, 9]
    assert rxExec(lambda x: square(x) + square(x), rxElemArg([2, 3])) == [8, 18]
    assert rxExec(lambda: square.cache_parameters()["maxsize"]) == [3]


def test_a_generator_function_gives_the_list_of_what_it_yields():
    """As a function, method, partial or callable object; what it yields, it yields within the task."""

    def numbers(n):
        print("begun")
        yield from range(n)

    class Counter:
        def upto(self, n):
            yield from range(n)

        __call__ = upto

    for function in (numbers, Counter().upto, Counter(), lambda n: (i for i in range(n))):
        assert rxExec(function, rxElemArg([0, 2])) == [[], [0, 1]]
    found = rxExec(functools.partial(numbers, 3))
    assert found == [[0, 1, 2]]
    assert "begun" in found.output[0]


def _dispatched():
    @functools.singledispatch
    def kind(x):
        return "any"

    kind.register(int, lambda x: "int")
    assert (kind(1), kind(None)) == ("int", "any")  # which fills its cache
    return kind


def _with_cached_property():
    class Model:
        loads = 0

        @functools.cached_property
        def loaded(self):
            type(self).loads += 1
            return type(self).loads

    model = Model()
    return lambda x: (model.loaded, model.loaded, x)


class Broadcast:
    """Looks like Spark's."""

    __module__ = "pyspark.core.broadcast"

    def __init__(self, value):
        self.value = value


def _with_broadcast():
    table = Broadcast({4: "four"})
    return lambda x: table.value[x]


def _with_slots():
    class Point:
        __slots__ = ("__hidden", "x")

        def __init__(self, x):
            self.x = self.__hidden = x

        def total(self):
            return self.x + self.__hidden

    point = Point(2)
    return lambda x: (point.total(), Point(x).total(), hasattr(point, "__dict__"), type(point) is Point)


def _with_weak_values():
    class Held:
        pass

    kept = Held()
    known = weakref.WeakValueDictionary(a=kept)
    return lambda x: (known["a"] is kept, x)


def _with_counter(*numbers):
    counter = itertools.count(*numbers)
    return lambda x: [next(counter), next(counter)]


TRAVELLERS = {
    "singledispatch": (_dispatched(), "int"),
    "singledispatch held": ((lambda kind: lambda x: (kind(x), kind("")))(_dispatched()), ("int", "any")),
    "cache of a partial": (functools.lru_cache(functools.partial(pow, 2)), 16),
    "cache of an object": (functools.lru_cache(_Scale(2).times), 8),
    "cached property": (_with_cached_property(), (1, 1, 4)),
    "frompyfunc": (np.frompyfunc(lambda x: x + 1, 1, 1), 5),
    "frompyfunc held": ((lambda add: lambda x: add.reduce([x, 1], initial=1))(np.frompyfunc(operator.add, 2, 1)), 6),
    "broadcast": (_with_broadcast(), "four"),
    "slots": (_with_slots(), (4, 8, False, True)),
    "weak values": (_with_weak_values(), (True, 4)),
    "counter": (_with_counter(1), [1, 2]),
    "counter by a half": (_with_counter(1, 0.5), [1, 1.5]),
}


@pytest.mark.parametrize("kind", TRAVELLERS)
def test_what_pickle_and_cloudpickle_refuse_travels_where_it_can_be_made_anew(kind):
    """Functions and objects that hold caches, locks or weak references begin with empty ones."""
    function, expected = TRAVELLERS[kind]
    assert rxExec(function, rxElemArg([4, 4]), taskChunkSize=2) == [expected, expected]


def test_objects_with_slots_come_back():
    """Also of a class that the workers cannot import: without a dict, as here."""

    class Point:
        __slots__ = ("x", "y")

        def __init__(self, x):
            self.x = x

    points = rxExec(Point, rxElemArg([1, 2]))
    assert [(type(point), point.x, hasattr(point, "y")) for point in points] == [(Point, 1, False), (Point, 2, False)]


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_the_callers_streams_are_the_tasks_own(name):
    """Text that a task writes to the stream that it was given is in its output."""
    held = {"file": getattr(sys, name)}
    results = rxExec(lambda file, x: print("written", x, file=file["file"]), held, rxElemArg([1, 2]))
    assert results == [None, None]
    assert "written 1" in results.output[0]
    assert "written 2" in results.output[1]
