"""What can keep a mark between tasks, and the way to what cannot be sent."""

from __future__ import annotations

import functools
import math
import threading

import numpy as np
import pytest

from rxspark import RxShippingError
from rxspark.elements import plan_tasks
from rxspark.shipping import Shipper, can_keep_a_mark

COUNT = 0


def _closure(held):
    return lambda: held


def _rebinds():
    count = 0

    def inner():
        nonlocal count
        count += 1
        return count

    return inner


def _default(held):
    def inner(x=held):
        return x

    return inner


def _sets_a_global():
    def inner():
        global COUNT
        COUNT += 1

    return inner


def _keyword_default(held):
    def inner(*, x=held):
        return x

    return inner


def _marks_itself():
    def inner():
        inner.calls = 1

    return inner


def _marked():
    def inner():
        return None

    inner.calls = 0
    return inner


class _Object:
    def __call__(self):
        return 1


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        set(),
        bytearray(),
        np.zeros(1),
        _Object(),
        _Object().__call__,
        iter([1]),
        ([],),
        ((1, ({},)),),
        _closure([]),
        _closure(_closure({})),
        _rebinds(),
        _default([]),
        _keyword_default({}),
        _sets_a_global(),
        _marks_itself(),
        _marked(),
        functools.partial(abs, []),
        functools.partial(_closure([])),
    ],
    ids=lambda value: getattr(value, "__qualname__", repr(value))[:40],
)
def test_what_can_keep_a_mark(value):
    """Whatever a task could change in place is unpickled anew for each task."""
    assert can_keep_a_mark(value)


@pytest.mark.parametrize(
    "value",
    [
        1,
        2.5,
        True,
        None,
        "text",
        b"bytes",
        1j,
        range(3),
        (1, ("a", None)),
        frozenset([1]),
        abs,
        math,
        int,
        np.float64(1),
        np.sin,
        np.dtype("f8"),
        _closure(1),
        _closure((1, "a")),
        _closure(_closure(2)),
        functools.partial(pow, 2),
        lambda x: x + 1,
    ],
    ids=lambda value: getattr(value, "__qualname__", repr(value))[:40],
)
def test_what_cannot_keep_a_mark(value):
    """Numbers, texts and functions over them are unpickled once for all tasks of a partition."""
    assert not can_keep_a_mark(value)


def test_a_function_that_contains_itself():
    """Recursion and cycles end the search."""

    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    loop = []
    loop.append(loop)
    assert not can_keep_a_mark(factorial)
    assert can_keep_a_mark(loop)


@pytest.mark.parametrize(
    ("function", "args", "way"),
    [
        (abs, (threading.Lock(),), "argument 1 of FUN to"),
        (abs, ({"k": [1, (threading.Lock(),)]},), "argument 1 of FUN → key 'k' → item 1 → item 0 to"),
        (_closure(threading.Lock()), (), "FUN → variable 'held' of the enclosing function to"),
        (_default(threading.Lock()), (), "FUN → default value 1 to"),
        (_keyword_default(threading.Lock()), (), "FUN → default of 'x' to"),
        (functools.partial(_default(1), threading.Lock()), (), "FUN → argument 1 of the partial to"),
    ],
)
def test_the_way_to_what_cannot_be_sent(function, args, way):
    """The error tells the way from the argument to the variable."""
    with pytest.raises(RxShippingError) as caught:
        Shipper().program(function, plan_tasks(lambda *args: None, args, {}, None, -1), {})
    assert f"cannot send {way} the workers: TypeError" in str(caught.value)


def test_the_way_through_an_element():
    """For an element the error tells its number and its argument."""
    from rxspark import rxElemArg

    tasks = plan_tasks(lambda x: None, (), {"x": rxElemArg([1, [2], [threading.Lock()]])}, None, -1)
    with pytest.raises(RxShippingError, match="element 2 of x → item 0"):
        Shipper().partition(tasks, range(3))
