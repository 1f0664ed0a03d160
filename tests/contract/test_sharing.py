"""Large constants: mapped from one copy a host, and in all else like small ones."""

from __future__ import annotations

import mmap
import os
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
import scipy.sparse

from rxspark import RxArgumentError, RxFileError, RxShippingError, RxSizeWarning, rxElemArg, rxExec, rxOptions, rxShare

ROWS = 50_000  # of 8 bytes: well above the threshold

KINDS = {
    "float": lambda: np.arange(ROWS * 1.0),
    "big-endian": lambda: np.arange(ROWS).astype(">i8"),
    "half": lambda: np.arange(ROWS).astype("f2"),
    "bool": lambda: np.arange(ROWS) % 3 == 0,
    "complex": lambda: np.arange(ROWS) * 1j,
    "text": lambda: np.arange(ROWS).astype("U8"),
    "record": lambda: np.zeros(ROWS, dtype=[("a", "i4"), ("b", "f8")]),
    "times": lambda: np.arange(ROWS).astype("M8[ns]"),
    "durations": lambda: np.arange(ROWS).astype("m8[s]"),
    "columns": lambda: np.asfortranarray(np.arange(ROWS * 1.0).reshape(-1, 5)),
    "strided": lambda: np.arange(ROWS * 2.0)[::-2],
    "transposed part": lambda: np.arange(ROWS * 1.0).reshape(-1, 10)[:, 2:7].T,
    "empty": lambda: np.zeros((0, 3)),
    "scalar": lambda: np.array(3.5),
    "frame": lambda: pd.DataFrame(
        {
            "x": np.arange(ROWS * 1.0),
            "tag": pd.Categorical(np.arange(ROWS) % 7),
            "when": pd.date_range("2020", periods=ROWS, freq="s", tz="UTC"),
            "name": ["a", None] * (ROWS // 2),
            "maybe": pd.array([1, None] * (ROWS // 2), dtype="Int64"),
        }
    ),
    "arrow": lambda: pyarrow.table({"x": np.arange(ROWS), "name": ["a", None] * (ROWS // 2)}),
    "sparse": lambda: scipy.sparse.csr_matrix((np.ones(ROWS), (np.arange(ROWS), np.arange(ROWS) % 5))),
    "nested": lambda: {"a": [np.arange(ROWS), {"b": (np.ones(ROWS), "x")}]},
}


def equal(one, other):
    """Tell whether two of these are the same in type, shape and content."""
    assert type(one) is type(other)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    elif isinstance(one, pyarrow.Table):
        assert one.equals(other)
    elif scipy.sparse.issparse(one):
        assert (one != other).nnz == 0
    elif isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    elif isinstance(one, (list, tuple)):
        return all(map(equal, one, other))
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    else:
        assert one == other
    return True


def mapped(array):
    """Tell whether an array's numbers lie in a file that is mapped."""
    base = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    return base is not None


def test_large_constants_of_every_kind_arrive_as_they_are():
    """Arrays of every type, order and stride, frames, tables, sparse matrices and containers of them: all equal."""

    def check(made, shared):
        return [name for name, make in KINDS.items() if equal(made[name], make()) and equal(shared[name], make())]

    made = {name: make() for name, make in KINDS.items()}
    [found] = rxExec(check, made, rxShare(made))
    assert found == list(KINDS)


def test_large_constants_are_mapped(where):
    """The numbers of a large array are mapped from a file, those of a small one are not."""
    large = np.arange(ROWS * 10)

    def look(small, argument, shared, frame):
        return mapped(small), mapped(argument), mapped(shared), mapped(large), mapped(frame["x"].to_numpy())

    frame = pd.DataFrame({"x": np.arange(ROWS * 10.0)})
    assert rxExec(look, np.arange(3), large, rxShare(large), frame) == [(False, True, True, True, True)]


@pytest.mark.parametrize("size", [3, 3_000, 300_000])
@pytest.mark.parametrize("share", [False, True])
def test_a_task_may_write_to_its_own_copy_at_every_size(size, share):
    """Each task finds the array as the caller made it, writes to it, and nobody else sees that."""
    array = np.zeros(size)

    def mark(mine, times):
        before = mine.sum()
        mine += times
        return before, mine.sum()

    given = rxShare(array) if share else array
    assert rxExec(mark, given, rxElemArg([1, 2, 3]), taskChunkSize=3) == [(0, size), (0, 2 * size), (0, 3 * size)]
    assert array.sum() == 0


def test_a_read_only_array_stays_read_only_at_every_size():
    """A task cannot write to an array that the caller has locked, be it small or large."""

    def locked(small, large):
        return small.flags.writeable, large.flags.writeable

    small, large = np.zeros(3), np.zeros(ROWS)
    small.flags.writeable = large.flags.writeable = False
    assert rxExec(locked, small, large) == [(False, False)]


def test_a_shared_object_is_the_plain_object_wherever_it_is_put():
    """As an argument, an element, inside containers, captured by FUN, and among execObjects."""
    array = np.arange(ROWS)
    table: Any = rxShare(array)
    rest: Any = rxShare({"k": array})

    def look(argument, element, held):
        return [int(x[-1]) for x in (argument, element, held["inside"][0], table, rest["k"], named)]  # type: ignore[name-defined]  # noqa: F821

    call = rxExec(look, table, rxElemArg([table, array]), {"inside": [table]}, execObjects={"named": table})
    assert call == [[ROWS - 1] * 6] * 2


def test_one_object_is_sent_once_however_often_it_is_used():
    """Two arguments that are one array are one array in the task."""
    array = np.zeros(ROWS)

    def same(a, b):
        a[0] = 1
        return a is b, b[0]

    assert rxExec(same, array, b=array) == [(True, 1.0)]


def test_large_elements_arrive(where):
    """Elements far above what a task description should hold reach their tasks, and can be written to."""
    elements = [np.full(400_000, float(k)) for k in range(3)]

    def add(x):
        x += 1
        return float(x.sum())

    assert rxExec(add, rxElemArg(elements)) == [400_000.0, 800_000.0, 1_200_000.0]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: os.truncate(path, os.path.getsize(path) - 100), "damaged"),
        (lambda path: os.truncate(path, 10), "not a file of shared data"),
        (os.unlink, "cannot be read"),
    ],
    ids=["shortened", "cut", "deleted"],
)
def test_a_damaged_file_is_an_error_that_names_it(damage, reason):
    """Shared data that is no longer whole is never read: the error names the file and what is wrong."""
    shared = rxShare(np.arange(ROWS))
    path = shared.ref.path
    damage(path)
    with pytest.raises((RxFileError, RxShippingError), match=reason) as caught:
        rxExec(len, shared)
    assert path in str(caught.value)


def test_a_changed_byte_is_found():
    """A checksum tells that the content is not what was written."""
    shared = rxShare(np.arange(ROWS))
    with open(shared.ref.path, "r+b") as file:
        file.seek(shared.size // 2)
        file.write(b"\xff")
    with pytest.raises((RxFileError, RxShippingError), match="checksum"):
        rxExec(len, shared)


def test_a_removed_object_is_refused():
    """After `remove` a handle says so before anything is launched."""
    shared = rxShare(np.arange(ROWS))
    path = shared.ref.path
    shared.remove()
    assert not os.path.exists(path)
    with pytest.raises((RxArgumentError, RxShippingError), match="has been removed; call rxShare again"):
        rxExec(len, shared)


def test_what_makes_a_call_large_is_named_with_its_size():
    """Above the soft limit a warning names the arguments and captured variables, the largest first; all runs on."""
    small, large = np.zeros(40_000), np.zeros(500_000)
    before = rxOptions(sizeWarning=1_000_000)
    try:
        with pytest.warns(RxSizeWarning, match=r"takes? 5 MB.*'large'.*: 4 MB, argument 1 of FUN: 1 MB") as told:
            assert rxExec(lambda x: len(x) + len(large), np.ones(90_000)) == [590_000]
        assert told[0].filename == __file__
    finally:
        rxOptions(**before)
    assert rxExec(lambda x: len(x) + len(large), small) == [540_000]


LOADS: list[int] = []


class Counted:
    """Counts how often it is unpickled in a process."""

    def __reduce__(self):
        return _counted, ()


def _counted():
    LOADS.append(1)
    return Counted()


def _look(shared, number):
    """Found by its name, so that it sees this module's variables."""
    return os.getpid(), shared["many"][number], len(LOADS)


def _own_and_large(make):
    return {"own": make(), "many": [f"a text, number {number}" for number in range(60_000)]}


def test_large_plain_objects_that_are_shared_are_loaded_once_a_worker(where):
    """Each worker unpickles once what tasks only read, for all tasks and calls.

    Once a call where the caller's process runs the tasks, as it keeps nothing, and where the object is sent with each.
    """
    shared = rxShare(_own_and_large(Counted))
    looked = [*rxExec(_look, shared, rxElemArg(range(40))), *rxExec(_look, shared, rxElemArg(range(40)))]
    LOADS.clear()
    assert [text for _, text, _ in looked] == [f"a text, number {number % 40}" for number in range(80)]
    anew = where in ("local", "dopar-threading", "spark-cluster", "spark-connect", "spark-lab")
    assert {loads for _, _, loads in looked} <= ({1, 2} if anew else {1})


def test_small_shared_objects_are_each_tasks_own():
    """A task's changes of them are its own, as with any argument."""
    shared = rxShare({"held": [1]})
    assert rxExec(lambda x: x["held"].append(1) or len(x["held"]), shared, timesToRun=4, taskChunkSize=4) == [2] * 4


def test_classes_by_value_in_a_shared_object_are_the_tasks_own():
    """Also where the object is large: what it holds is of the class that the task knows."""

    class Local:
        made = 0

    def look(x):
        Local.made += 1
        return type(x["own"]) is Local, Local.made

    assert rxExec(look, rxShare(_own_and_large(Local)), timesToRun=4, taskChunkSize=2) == [(True, 1)] * 4


def test_one_warning_tells_of_constants_that_take_longer_than_the_tasks(monkeypatch):
    """It tells both times, and names rxShare; what is shared brings none."""
    monkeypatch.setattr("rxspark.jobs.gathering._LONG", 0.0)
    many = {str(number): number for number in range(100_000)}
    with pytest.warns(RxSizeWarning, match=r"took \d+\.\d seconds .* themselves \d+\.\d\. rxShare") as caught:
        rxExec(lambda x, i: x[str(i)], many, rxElemArg(range(20)), taskChunkSize=10)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr("rxspark.jobs.gathering._LONG", 1.0)
        assert rxExec(lambda x, i: x[str(i)], rxShare(many), rxElemArg(range(20))) == [*range(20)]


def test_reading_a_shared_object_leaves_the_callers_classes_alone():
    """The file holds a class as it was when it was written; the caller's is as it is now."""

    class Local:
        made = 0

    shared = rxShare(Local())
    Local.made = 5
    assert type(shared.value) is Local
    assert Local.made == 5
    assert rxExec(lambda x: (type(x) is Local, Local.made), shared) == [(True, 5)]
