"""Arguments that FUN gets: element arguments, constants, `elemArgs`; and the order of the results."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
import scipy.sparse

from rxspark import rxElemArg, rxExec, rxRemoteGetId

ROWS = np.arange(6.0).reshape(3, 2)


class Tensor:
    """An array of a library that rxspark does not know: it has a shape and items, and no NumPy type."""

    dtype = "float32"

    def __init__(self, values):
        self.values = values
        self.shape = (len(values),)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, i):
        return self.values[i]


class Convertible:
    """Something that is an array only when NumPy asks for one."""

    def __array__(self, dtype=None, copy=None):
        return ROWS


def pair(*args, **kwargs):
    """Everything that FUN was called with."""
    return args, kwargs


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ([1, "a", None, (2, 3)], [1, "a", None, (2, 3)]),
        ((4, 5), [4, 5]),
        (range(3, 9, 2), [3, 5, 7]),
        (np.array([1, 2, 3]), [1, 2, 3]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([{"k": 1}, [2]], dtype=object), [{"k": 1}, [2]]),
        (pd.Series([1.5, 2.5], index=["x", "y"]), [1.5, 2.5]),
        (pd.Series(["a", "b"], index=[7, 7]), ["a", "b"]),
        (pd.Index([3, 4]), [3, 4]),
        ({"one": 1, "two": [2]}, [1, [2]]),
        ((i * i for i in range(4)), [0, 1, 4, 9]),
        ({"a": 1, "b": 2}.keys(), ["a", "b"]),
        (np.array([(1, 2.5)], dtype="i8,f8"), [np.array([(1, 2.5)], dtype="i8,f8")[0]]),
        (Tensor([5.0, 6.0]), [5.0, 6.0]),
        (pyarrow.array([1, None, 3]), [1, None, 3]),
        (pyarrow.chunked_array([["a"], ["b"]]), ["a", "b"]),
        (pd.array([1, None], dtype="Int64"), [1, pd.NA]),
        (memoryview(b"ab"), [97, 98]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_ordered_collection_is_split(elements, expected):
    """Task i gets element i, whatever kind of ordered collection holds the elements."""
    if hasattr(elements, "send"):  # a generator is read once, and the parameters serve every context
        elements = (i * i for i in range(4))
    result = rxExec(lambda x: x, rxElemArg(elements))
    assert list(result) == expected
    assert len(result) == len(expected)


def test_an_array_is_split_along_its_first_axis():
    """Task i gets row i of a two-dimensional array, as an array."""
    result = rxExec(lambda row: (row.shape, row.sum()), rxElemArg(ROWS))
    assert result == [((2,), 1.0), ((2,), 5.0), ((2,), 9.0)]


@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.coo_matrix, scipy.sparse.bsr_array])
def test_a_sparse_matrix_is_split_into_its_rows(make):
    """Task i gets row i, sparse, whatever the format."""
    result = rxExec(lambda row: (scipy.sparse.issparse(row), row.toarray().ravel().tolist()), rxElemArg(make(ROWS)))
    assert result == [(True, row.tolist()) for row in ROWS]


def test_what_numpy_can_convert_is_split_as_an_array():
    """Anything with `__array__` has its rows as elements."""
    assert rxExec(lambda row: row.tolist(), rxElemArg(Convertible())) == ROWS.tolist()


def test_elements_keep_their_type():
    """A NumPy element arrives as the NumPy scalar it is, a frame as a frame."""
    assert rxExec(lambda x: type(x).__name__, rxElemArg(np.arange(2, dtype="float32"))) == ["float32"] * 2
    assert rxExec(lambda x: (type(x).__name__, len(x)), rxElemArg([pd.DataFrame({"a": [1, 2]})])) == [("DataFrame", 2)]


def test_constants_and_several_elements_meet_in_their_places():
    """Positional and keyword constants go to every task, beside any number of element arguments."""
    result = rxExec(pair, 1, rxElemArg("abc"[i] for i in range(3)), "c", k=rxElemArg(range(3)), flag=True)
    assert result == [((1, letter, "c"), {"k": i, "flag": True}) for i, letter in enumerate("abc")]


def test_keys_of_a_dict_name_the_results():
    """A dict of elements gives its keys to `.names`."""
    result = rxExec(lambda x: -x, x=rxElemArg({"low": 1, 2: 2}))
    assert (list(result), result.names) == ([-1, -2], ["low", "2"])


@pytest.mark.parametrize(
    ("elem_args", "expected", "names"),
    [
        ([1, [2], None], [((1, 9), {"z": 0}), (([2], 9), {"z": 0}), ((None, 9), {"z": 0})], None),
        ([(1, 2), (), (3,)], [((1, 2, 9), {"z": 0}), ((9,), {"z": 0}), ((3, 9), {"z": 0})], None),
        ([{"a": 1}, {"b": 2}], [((9,), {"z": 0, "a": 1}), ((9,), {"z": 0, "b": 2})], None),
        ({"p": (1,), "q": {"a": 1}}, [((1, 9), {"z": 0}), ((9,), {"z": 0, "a": 1})], ["p", "q"]),
        ([({"a": 1},)], [(({"a": 1}, 9), {"z": 0})], None),
    ],
    ids=["values", "tuples", "dicts", "named", "a dict as value"],
)
def test_elem_args(elem_args, expected, names):
    """An entry of `elemArgs` is a value, a tuple of positional or a dict of keyword arguments; constants follow it."""
    result = rxExec(pair, 9, z=0, elemArgs=elem_args)
    assert list(result) == expected
    assert result.names == (names or [f"rxElem{i + 1}" for i in range(len(expected))])


def test_a_single_entry_of_elem_args_serves_all_tasks():
    """One entry with `timesToRun` is repeated."""
    assert rxExec(pair, elemArgs=[(1,)], timesToRun=3) == [((1,), {})] * 3


@pytest.mark.parametrize("call", [{"x": rxElemArg([])}, {"elemArgs": []}, {"timesToRun": 0}], ids=str)
@pytest.mark.parametrize("chunk", [None, 3])
def test_no_elements_give_an_empty_result(call, chunk):
    """Zero elements are no error: the result is empty and complete."""
    result = rxExec(lambda x=0: x, taskChunkSize=chunk, **call)
    assert (list(result), result.names, result.errors, result.output, len(result.info)) == ([], [], {}, {}, 0)


def test_times_to_run():
    """`timesToRun` counts the tasks; without elements one is the default; a NumPy integer is a count too."""
    assert rxExec(lambda: 5) == [5]
    assert rxExec(lambda: 5, timesToRun=3) == [5, 5, 5]
    times: Any = np.int64(2)
    assert rxExec(lambda x: x, rxElemArg([1, 2]), timesToRun=times) == [1, 2]


@pytest.mark.parametrize("chunk", [None, 1, 3, 100])
def test_remote_get_id(chunk):
    """A task knows its number, from 1, however the tasks are cut; outside of tasks it is -1."""
    assert rxExec(rxRemoteGetId, timesToRun=7, taskChunkSize=chunk) == [1, 2, 3, 4, 5, 6, 7]
    assert rxRemoteGetId() == -1


@pytest.mark.parametrize("chunk", [None, 2])
def test_results_are_in_input_order(chunk):
    """Results stand in the order of the elements even where later tasks finish first."""

    def slow_first(i):
        time.sleep(0.3 if i == 0 else 0)
        return i

    assert rxExec(slow_first, rxElemArg(range(6)), taskChunkSize=chunk) == [0, 1, 2, 3, 4, 5]


def test_a_generator_is_read_once():
    """A generator argument is read to its end exactly once, by the first call that waits for its results."""
    reads = []

    def numbers():
        for i in range(3):
            reads.append(i)
            yield i

    argument = rxElemArg(numbers())
    assert reads == []
    assert rxExec(abs, argument) == rxExec(abs, argument) == [0, 1, 2]
    assert reads == [0, 1, 2]


def test_an_element_argument_may_be_used_again():
    """The caller's own elements are as before after a call whose tasks changed them."""
    elements = [[1], [2]]
    assert rxExec(lambda x: x.append(0) or x, rxElemArg(elements)) == [[1, 0], [2, 0]]
    assert elements == [[1], [2]]


@pytest.mark.parametrize("values", [[False], [np.True_], [1 + 2j], [b"\0\xff"], [float("nan")], ["\ud800"], [10**400]])
def test_odd_values_arrive_as_they_are(values):
    """Values at the edge of pickling come through unchanged, as element, constant and result."""
    element, constant = rxExec(lambda a, b: (a, b), rxElemArg(values), values[0])[0]
    assert repr(element) == repr(constant) == repr(values[0])
