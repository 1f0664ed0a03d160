"""The way to what cannot be sent."""

from __future__ import annotations

import datetime
import decimal
import functools
import pickle
import random
import sys
import threading
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rxspark import RxShippingError, rxElemArg
from rxspark.calls.tasks import plan_tasks
from rxspark.serialize.pickler import CallSerializer
from rxspark.worker.mutability import all_immutable
from rxspark.worker.results import dump_value


def _closure(held):
    return lambda: held


def _default(held):
    def inner(x=held):
        return x

    return inner


def _keyword_default(held):
    def inner(*, x=held):
        return x

    return inner


class _Object:
    """A class of the user's own."""


class _Zone(datetime.tzinfo):
    """A time zone of the user's own."""

    def utcoffset(self, when):
        return datetime.timedelta(0)

    tzname = dst = utcoffset


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


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
        CallSerializer().program(function, plan_tasks(lambda *args: None, args, {}, None, -1), {})
    assert f"cannot send {way} the workers: TypeError" in str(caught.value)


def test_the_way_through_an_element():
    """For an element the error tells its number and its argument."""
    tasks = plan_tasks(lambda x: None, (), {"x": rxElemArg([1, [2], [threading.Lock()]])}, None, -1)
    with pytest.raises(RxShippingError, match="element 2 of x → item 0"):
        CallSerializer().partition(tasks, range(3))


def test_an_element_that_cannot_be_sent_is_found_among_many_of_its_kind():
    """The error tells its number, also behind elements of the same class that can be sent."""
    frames = [pd.DataFrame({"a": [1, held]}) for held in (1, "b", None, threading.Lock())]
    tasks = plan_tasks(lambda x: None, (), {"x": rxElemArg(frames)}, None, -1)
    with pytest.raises(RxShippingError, match="element 3 of x"):
        CallSerializer().partition(tasks, range(4))


def _arrived(elements):
    """The elements of a partition as a worker gets them."""
    tasks = plan_tasks(lambda x: None, (rxElemArg(elements),), {}, None, -1)
    column = pickle.loads(CallSerializer().partition(tasks, range(len(elements)))).columns[0]
    return [column[i] for i in range(len(elements))], column


@pytest.mark.parametrize(
    "elements",
    [
        list(np.arange(3.0)),
        np.array(["a", "b"]),
        list(pd.date_range("2020", periods=2, freq="h", tz="Europe/Berlin")),
        [datetime.datetime(2020, 1, 1, tzinfo=BERLIN), datetime.time(1), datetime.date(2020, 1, 1), pd.NaT],
        [decimal.Decimal("1.10"), (1, (np.int8(2), "a")), pd.Timedelta("1h"), None],
    ],
    ids=str,
)
def test_what_no_task_can_change_travels_in_one_pickle(elements):
    """Scalars by the hundred thousand are pickled together: each on its own would take fifteen times as long."""
    values, column = _arrived(elements)
    assert not column.pickled
    assert values == list(elements)
    assert list(map(type, values)) == list(map(type, elements))


def test_rows_of_such_values_travel_in_one_pickle():
    """The same holds for the entries of `elemArgs`."""
    tasks = plan_tasks(lambda x, y: None, (), {}, [(1, 2.0), {"x": "a", "y": None}], -1)
    rows = pickle.loads(CallSerializer().partition(tasks, range(2))).rows
    assert not rows.pickled
    assert [rows[0], rows[1]] == [((1, 2.0), {}), ((), {"x": "a", "y": None})]


@pytest.mark.parametrize(
    "value",
    [
        [],
        (1, (2, [])),
        np.zeros(1, "i8,f8")[0],
        datetime.datetime(2020, 1, 1, tzinfo=_Zone()),
        (pd.Timestamp("2020", tz=_Zone()),),
        type("Text", (str,), {})("a"),
        _Object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_task_could_change_is_copied(value):
    """Records, time zones and texts of classes of the user's own are not taken for plain values."""
    assert not all_immutable([1, value])
    (first, again), _ = _arrived([value, value])
    assert first is not again


@pytest.mark.parametrize(
    ("value", "change"),
    [({"a": 1, "b": ("text", 2.5)}, lambda held: held.update(a=2)), ([1, "text"], lambda held: held.append(2))],
    ids=["dict", "list"],
)
def test_a_dict_or_list_of_plain_values_is_copied_for_each_task(value, change):
    """They lie in one pickle, also where all are one object, and what a task does to its own no other one meets."""
    tasks = plan_tasks(lambda x: None, (rxElemArg([value] * 3),), {}, None, -1)
    column = pickle.loads(CallSerializer().partition(tasks, range(3))).columns[0]
    change(column[0])
    change(column[1])
    assert [column[0], column[1], column.only([1, 2])[1]] == [value] * 3
    assert not column.pickled


@pytest.mark.parametrize("value", [{"a": []}, {(1, _Object()): 1}, [[1]], type("Bag", (dict,), {})(a=1)], ids=repr)
def test_what_lies_deeper_in_a_dict_or_list_is_copied_too(value):
    """One that holds what could be changed, or is of a class of the user's own, travels by itself."""
    tasks = plan_tasks(lambda x: None, (rxElemArg([value] * 2),), {}, None, -1)
    assert pickle.loads(CallSerializer().partition(tasks, range(2))).columns[0].pickled


def test_generators_among_elements_of_other_kinds_travel_as_they_are():
    """The pickler of a column, which remembers classes, treats the process's generators apart from others."""
    own = random.Random(1)
    values, _ = _arrived([[own], [random._inst], [random.Random(2)], [np.random.RandomState(3)]])
    assert values[0][0].random() == random.Random(1).random()
    assert values[1][0] is random._inst
    assert values[2][0].random() == random.Random(2).random()
    assert values[3][0].random() == np.random.RandomState(3).random()


def test_what_the_callers_script_defines_goes_by_value_in_its_own_process_too(monkeypatch):
    """A result may be read by another program, which has another `__main__`."""
    script: dict[str, Any] = {"__name__": "__main__"}
    exec("class Point:\n    def twice(self):\n        return 2\n", script)
    monkeypatch.setattr(sys.modules["__main__"], "Point", script["Point"], raising=False)
    packed = dump_value([script["Point"]()], in_caller=True)
    monkeypatch.delattr(sys.modules["__main__"], "Point")
    assert pickle.loads(packed)[0].twice() == 2
