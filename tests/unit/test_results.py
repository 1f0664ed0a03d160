"""RxResults and its helpers, made by hand."""

from __future__ import annotations

import pickle
import sys
import warnings
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow
import pytest

from rxspark import RxResults, RxTaskError
from rxspark.jobs.gathering import Gathering, opened
from rxspark.jobs.record import JobRecord
from rxspark.results import Execution, node_name
from rxspark.results.timings import Clock, timings_of
from rxspark.rng.kinds import SeedRoot
from rxspark.worker.results import PartitionResult, TaskFailure, kept_value, size_of


def _results(values, errors=None, output=None):
    part = PartitionResult("node-1.example.org", 7, 0)
    for number in range(len(values)):
        part.add(number, b"", 0.0, 0.5)
    root = SeedRoot("MT2203", 1, chosen=True)
    return RxResults(
        values,
        names=None,
        errors=errors or {},
        output=output or {},
        execution=Execution(rng=root, runs=[part.run()], chunk_size=2, clock=Clock()),
    )


def _gathered(count, parts, keep=True):
    record = replace(JobRecord.unreadable("rxJob_1"), task_count=count)
    return Gathering(record, parts, keep).results(Clock())


@pytest.mark.parametrize(
    ("host", "name"),
    [("node-7.example.org", "NODE_7"), ("a", "A"), ("my host.x", "MYHOST"), ("x-y-z", "X_Y_Z")],
)
def test_node_names(host, name):
    """Upper case, no domain, no blanks, "-" as "_", as RevoScaleR does."""
    assert node_name(host) == name


def test_values_come_in_the_order_of_the_tasks():
    """Value i is that of task i, whatever the order in which partitions come."""
    parts = []
    for numbers in ([3, 1], [2, 0]):
        part = PartitionResult("h", 1, 0)
        for number in numbers:
            part.add(number, pickle.dumps(number * 10), 0.0, 0.0)
        parts.append(part)
    assert _gathered(4, parts) == [0, 10, 20, 30]


def test_a_value_that_does_not_load_is_the_error_of_its_task():
    """Its neighbours are not touched."""
    part = PartitionResult("h", 1, 0)
    part.add(0, pickle.dumps(1), 0.0, 0.0)
    part.add(1, b"no pickle", 0.0, 0.0)
    part.add(2, None, 0.0, 0.0)
    part.failures[2] = TaskFailure("ValueError", "m", "")
    values = _gathered(3, [part])
    assert values[0] == 1
    assert list(values.errors) == [1, 2]
    assert (values[1], values[2]) == (values.errors[1], values.errors[2])
    assert isinstance(values[1], RxTaskError)


def test_unlist_opens_arrays_of_any_library():
    """The entries of Series, indexes, categoricals, Arrow arrays and times are values, with whichever pandas."""
    times = pd.date_range("2020", periods=2)
    values = [
        pd.Series([1.5, 2.5]),
        pd.Series(["a", "b"], index=[7, 7]),
        pd.Index([3]),
        pd.Categorical(["low"]),
        pd.array([4, None], dtype="Int64"),
        times,
        times.to_numpy(),
        pyarrow.array([5, None]),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flat = _results(values).unlist()
    assert flat == [1.5, 2.5, "a", "b", 3, "low", 4, pd.NA, *times, *times.to_numpy(), 5, None]


def test_unlist_leaves_texts_and_dicts_whole():
    """Lists, tuples, ranges and arrays are opened; texts, bytes, dicts and objects are values."""
    values = [[1, [2]], (3,), range(2), np.array(4.0), np.float64(5), "text", b"b", {"k": [1]}, None, np.array([])]
    assert _results(values).unlist() == [1, 2, 3, 0, 1, 4.0, 5.0, "text", b"b", {"k": [1]}, None]


@pytest.mark.parametrize("count", [0, 1, 20, 21, 5000])
def test_repr(count):
    """Up to twenty entries: a list; more: the first ones and a summary."""
    text = repr(_results(list(range(count))))
    assert text.startswith("[")
    assert ("more]" in text) == (count > 20)
    assert len(text) < 500


def test_info_of_no_tasks_has_its_columns():
    """An empty result has an empty table of the same form."""
    assert list(_results([]).info.columns) == list(_results([1]).info.columns)


def test_an_error_pickles_and_prints():
    """RxTaskError keeps all its parts in a pickle; its text begins with the user's type and message."""
    error = RxTaskError(3, "ValueError", "bad", "Traceback ...\n", "host", ValueError("bad"))
    again = pickle.loads(pickle.dumps(error))
    assert vars(again).keys() == vars(error).keys()
    assert (again.task, again.type, again.message, repr(again.original)) == (
        3,
        "ValueError",
        "bad",
        "ValueError('bad')",
    )
    assert str(error) == "ValueError: bad (task 3 on host)\nTraceback ..."
    assert repr(error) == "<RxTaskError task 3: ValueError: bad>"


def test_phases_follow_from_what_caller_and_workers_measured():
    """Queue ends with the first task, run with the last one's end, fetch with the last arrival; none is negative."""
    first, second, dead = PartitionResult("a", 1, 0), PartitionResult("b", 2, 0), PartitionResult("", 0, 3)
    first.add(0, b"", 102.0, 1.0)
    first.add(1, b"", 103.0, 0.5)
    second.add(2, b"", 101.0, 4.0)
    dead.add(3, None, 0.0, 0.0)  # the answer in place of a worker that died
    clock = Clock(planned=0.25, shipped=0.5, checked=2.0, launched=100.0, ended=107.0, decoded=0.125)
    timings = timings_of(clock, [first, second, dead])
    assert timings == (0.25, 0.5, 2.0, 1.0, 4.0, 2.0, 0.125)
    assert repr(timings).startswith("RxTimings(total=9875.0 ms: plan=250.0, ship=500.0, check=2000.0, queue=1000.0")
    assert timings_of(clock, [dead]) == (0.25, 0.5, 2.0, 0.0, 0.0, 7.0, 0.125)
    assert min(timings_of(Clock(launched=105.0, ended=102.0), [second])) == 0.0  # clocks that disagree


@pytest.mark.parametrize("value", [None, True, 3, 2.5, 1j, "text", "\ud800"])
def test_plain_values_travel_with_their_partition(value: object) -> None:
    """Numbers and text are pickled with the results of a partition and come back as they are."""
    assert kept_value(value) is value
    part = PartitionResult("h", 1, 0)
    part.add(0, kept_value(value), 0.0, 0.0)
    (opened_value,) = list(opened(PartitionResult.unpack(part.pack())))
    assert opened_value == (0, value, None)
    assert type(opened_value[1]) is type(value)


class _Whole(int):
    """A number with attributes of its own."""


@pytest.mark.parametrize("value", [b"", b"bytes", [1], (1, [2]), _Whole(3), pickle.dumps(1)])
def test_other_values_are_pickled_by_themselves(value: object) -> None:
    """So that one that cannot be read is the error of its own task; bytes too, or they would pass for a pickle."""
    kept = kept_value(value)
    assert isinstance(kept, bytes)
    part = PartitionResult("h", 1, 0)
    part.add(0, kept, 0.0, 0.0)
    assert list(opened(PartitionResult.unpack(part.pack()))) == [(0, value, None)]


@pytest.mark.parametrize("value", [(1, "a", b"c"), np.float64(2.5), Decimal("1.5"), pd.Timestamp("2026-01-02")])
def test_values_that_nobody_can_change_are_pickled_together(value: object) -> None:
    """They come back as they are, among others, whichever of these the results are asked for."""
    part = PartitionResult("h", 1, 0)
    for number, mixed in enumerate([value, 7, [1], value]):
        part.add(number, kept_value(mixed), 0.0, 0.0)
    assert part.values[0] is value
    back = PartitionResult.unpack(part.pack())
    assert list(opened(back)) == [(0, value, None), (1, 7, None), (2, [1], None), (3, value, None)]
    assert type(back.values[0]) is type(value)
    assert list(opened(PartitionResult.unpack(part.since(2).pack()))) == [(2, [1], None), (3, value, None)]


def test_values_of_a_library_that_the_reader_lacks_are_errors_of_their_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """All others of the partition arrive."""
    part = PartitionResult("h", 1, 0)
    for number, value in enumerate([1, Decimal("1.5"), [2], Decimal("2.5"), (3, "a"), np.int64(4)]):
        part.add(number, kept_value(value), 0.0, 0.0)
    packed = part.pack()
    monkeypatch.setitem(sys.modules, "decimal", None)
    told = list(opened(PartitionResult.unpack(packed)))
    assert [value for _, value, _ in told] == [1, None, [2], None, (3, "a"), 4]
    missing = "ModuleNotFoundError"
    assert [error and error.type for _, _, error in told] == [None, missing, None, missing, None, None]


def test_the_size_of_a_tuple_counts_what_it_holds() -> None:
    """So that large results are found among those that do not fit a message."""
    assert size_of(kept_value(("x" * 1000, ("y" * 1000,)))) > 2000
