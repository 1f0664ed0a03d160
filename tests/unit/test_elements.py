"""Plan of a call's tasks and the cut into partitions, without running anything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxspark import RxArgumentError, rxElemArg
from rxspark.calls.tasks import partition_tasks, plan_tasks
from rxspark.validation import whole_number

counts = st.integers(0, 400)


@given(counts, st.one_of(st.none(), st.integers(1, 500)), st.integers(1, 9), st.integers(1, 9))
def test_every_task_is_in_exactly_one_partition(count, size, slots, per_slot):
    """However the work is cut, the partitions are disjoint, complete, in order and not empty."""
    parts = partition_tasks(count, size, slots, per_slot)
    assert sorted(number for part in parts for number in part) == list(range(count))
    assert all(part and list(part) == sorted(part) for part in parts)


@given(counts, st.integers(1, 500), st.integers(1, 9))
def test_a_chunk_is_a_partition(count, size, slots):
    """With a chunk size, partition k has the tasks of chunk k, whatever the number of slots."""
    assert partition_tasks(count, size, slots, 3) == [range(k, min(k + size, count)) for k in range(0, count, size)]


@given(st.integers(1, 400), st.integers(1, 9), st.integers(1, 9))
def test_without_chunks_the_partitions_are_even(count, slots, per_slot):
    """Without one there are some partitions a slot, which differ by one task at most, and neighbours are apart."""
    parts = partition_tasks(count, None, slots, per_slot)
    assert len(parts) == min(count, slots * per_slot)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def _f(a, b=0):
    return a, b


@pytest.mark.parametrize(
    ("args", "kwargs", "elem_args", "times", "count"),
    [
        ((1,), {}, None, -1, 1),
        ((1,), {}, None, 5, 5),
        ((1,), {}, None, 0, 0),
        ((rxElemArg([1, 2]),), {}, None, -1, 2),
        ((rxElemArg([1, 2]),), {"b": rxElemArg("xy"[i] for i in range(2))}, None, 2, 2),
        ((), {}, [1, 2, 3], -1, 3),
        ((), {}, [1], 4, 4),
        ((), {"b": rxElemArg([1, 2])}, [1], -1, 2),
        ((), {"b": rxElemArg([])}, [], -1, 0),
        ((), {}, [], -1, 0),
        ((), {}, {}, -1, 0),
    ],
)
def test_the_number_of_tasks(args, kwargs, elem_args, times, count):
    """It is the common length of the elements, else `timesToRun`, else one."""
    assert plan_tasks(_f, args, kwargs, elem_args, times).count == count


def test_a_plan_keeps_constants_and_elements_apart():
    """Element arguments have their places, by position or by name; the first names win."""
    tasks = plan_tasks(_f, (rxElemArg({"p": 1, "q": 2}),), {"b": rxElemArg({"r": 3, "s": 4})}, None, -1)
    assert (tasks.constants, tasks.keywords, set(tasks.per_task_args)) == ((None,), {}, {0, "b"})
    assert tasks.names == ["p", "q"]


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, -1, np.float64(2), [1], np.array([1, 2])], ids=repr)
def test_what_is_no_count(value):
    """Booleans, fractions, texts and what is below the least are refused by name and value."""
    with pytest.raises(RxArgumentError, match=r"timesToRun=.* must be a whole number of at least 0"):
        whole_number("timesToRun", value, 0)


@pytest.mark.parametrize("value", [0, 3, np.int8(3), np.uint64(7), 10**30], ids=repr)
def test_what_is_a_count(value):
    """Python's and NumPy's integers are."""
    number = whole_number("timesToRun", value, 0)
    assert (type(number), number) == (int, value)
