"""The groups of a table: which there are, in which order, with which rows; and the table that results make."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

import rxspark.worker.groups
from rxspark import RxArgumentError, RxContextError, RxFileError, RxGroupResults, RxShippingError, rxExecBy
from rxspark.data.bundle import Buffer, Bundle
from rxspark.data.refs import InlineRef
from rxspark.groups.sorting import sort_rows
from rxspark.serialize.pickler import CallSerializer
from rxspark.worker.groups import ArrowRows, GroupRows, forget_table

DAY = pd.Timestamp("2024-02-29", tz="Europe/Oslo")


def rows_of(frame: pd.DataFrame, *keys: str, sort_by: str | None = None) -> list[list[int]]:
    """The positions of the rows of each group."""
    found = sort_rows(frame, list(keys), [sort_by] if sort_by else [])
    return [part.tolist() for part in np.split(found.order, found.starts[1:-1])]


@pytest.mark.parametrize(
    "values",
    [
        [3, 1, 2, 1],
        [3.5, 1.5, 2.5, 1.5],
        ["c", "a", "b", "a"],
        [b"c", b"a", b"b", b"a"],
        [DAY + pd.Timedelta(days=days) for days in (3, 1, 2, 1)],
        pd.Categorical(["low", "zero", "high", "zero"], categories=["zero", "high", "low", "none"]),
        pd.array([3, 1, 2, 1], dtype="Int64"),
    ],
    ids=["int", "float", "text", "bytes", "time", "categorical", "nullable"],
)
def test_groups_are_in_the_order_of_the_keys(values: Any) -> None:
    """Equal keys are one group, whatever their type; rows keep their order within it; levels without rows are none."""
    assert rows_of(pd.DataFrame({"key": values}), "key") == [[1, 3], [2], [0]]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_missing_keys_are_a_group_behind_all_others(missing: Any) -> None:
    """Missing values are equal to one another, and larger than all keys."""
    assert rows_of(pd.DataFrame({"key": ["b", missing, "a", missing]}), "key") == [[2], [0], [1, 3]]


def test_missing_levels_of_a_factor_are_the_last_group() -> None:
    """A categorical column, of few levels or many, has its missing values last."""
    for levels in (2, 200, 40_000):
        key = pd.Categorical.from_codes([1, -1, 0, -1], categories=range(levels))
        assert rows_of(pd.DataFrame({"key": key}), "key") == [[2], [0], [1, 3]]


def test_several_keys_are_sorted_one_after_the_other() -> None:
    """The first key is the slowest; only combinations that occur are groups."""
    frame = pd.DataFrame({"a": [2, 1, 2, None, 1], "b": ["x", "y", "x", "x", None]})
    assert rows_of(frame, "a", "b") == [[1], [4], [0, 2], [3]]


def test_many_combinations_of_keys_are_no_overflow() -> None:
    """Six keys of a thousand values each, whose product passes 64 bits, give the groups that there are."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({f"k{i}": rng.permutation(1000) for i in range(7)})
    found = sort_rows(frame, list(frame.columns), [])
    pd.testing.assert_frame_equal(found.keys.drop(columns="rows"), frame.sort_values("k0", ignore_index=True))


def test_rows_are_sorted_within_groups_with_missing_values_last() -> None:
    """`sortBy` is stable within the groups."""
    frame = pd.DataFrame({"key": [1, 0, 1, 0, 1], "by": [np.nan, 2, 1, 2, 0]})
    assert rows_of(frame, "key", sort_by="by") == [[1, 3], [4, 2, 0]]


def test_keys_that_have_no_order_are_refused() -> None:
    """Lists cannot be hashed: the message names the column."""
    with pytest.raises(RxArgumentError, match=r"keys='k': values of this column cannot be keys \(unhashable"):
        rxExecBy({"k": [[1], [2]]}, "k", lambda keys, data: 1)
    with pytest.raises(RxArgumentError, match=r"sortBy=.*'o'.*have no order"):
        rxExecBy({"k": [1, 1], "o": [{}, {}]}, "k", lambda keys, data: 1, sortBy="o")


def test_columns_arrive_as_they_are() -> None:
    """Each type of column is in the task what it is in the table, in the rows of the group."""
    frame = pd.DataFrame(
        {
            "key": [2, 1, 2],
            "text": ["a", None, "c"],
            "time": [DAY, DAY, pd.NaT],
            "span": pd.to_timedelta([1, 2, 3], unit="s"),
            "factor": pd.Categorical(["x", "y", "x"]),
            "whole": pd.array([1, None, 3], dtype="Int16"),
            "small": np.array([1, 2, 3], np.float32),
            "flag": [True, False, True],
            "list": [[1], [2], [3]],
            7: [1j, 2j, 3j],
        }
    )
    first, second = rxExecBy(frame, "key", lambda keys, data: data)
    pd.testing.assert_frame_equal(first, frame.iloc[[1]].reset_index(drop=True))
    pd.testing.assert_frame_equal(second, frame.iloc[[0, 2]].reset_index(drop=True))


def test_tables_of_each_kind(tmp_path: Path) -> None:
    """A dict of columns, Arrow, a Parquet file and a folder of such files are tables alike."""
    columns = {"key": ["b", "a", "b", "a"], "x": [1.0, 2.0, 3.0, 4.0]}
    arrow = pyarrow.table(columns)
    (tmp_path / "parts").mkdir()
    for part in range(2):
        pyarrow.parquet.write_table(arrow.slice(2 * part, 2), tmp_path / "parts" / f"{part}.parquet")
    pyarrow.parquet.write_table(arrow, tmp_path / "one.parquet")
    kinds = [columns, arrow, tmp_path / "one.parquet", str(tmp_path / "parts"), f"file://{tmp_path}/one.parquet"]
    for table in kinds:
        assert rxExecBy(table, "key", lambda keys, data: float(data["x"].sum())) == [6.0, 4.0]
    with pytest.raises(RxFileError, match=r"inData=.*none\.parquet.*no such Parquet file"):
        rxExecBy(tmp_path / "none.parquet", "key", lambda keys, data: 1)
    with pytest.raises(RxArgumentError, match="inData is list"):
        rxExecBy([1, 2], "key", lambda keys, data: 1)


def test_a_table_without_rows_has_no_groups() -> None:
    """No task runs, and the result is an empty table of keys."""
    z = rxExecBy(pd.DataFrame({"key": [], "x": []}), "key", lambda keys, data: 1)
    assert (list(z), list(z.keys.columns), len(z.frame())) == ([], ["key", "rows"], 0)


def test_values_that_cannot_travel_are_named() -> None:
    """The column that holds a lock is named, and nothing is launched."""
    import threading

    with pytest.raises(RxShippingError, match="inData: the columns 'lock' hold values that cannot be sent"):
        rxExecBy({"key": [1], "lock": [threading.Lock()]}, "key", lambda keys, data: 1)


def test_a_column_named_rows_is_no_key() -> None:
    """The table of keys has that name for the number of rows."""
    with pytest.raises(RxArgumentError, match="a key cannot have the name 'rows'"):
        rxExecBy({"rows": [1]}, "rows", lambda keys, data: 1)


def by_tag(func: Any) -> RxGroupResults[Any]:
    """The results of a function on three groups, of one, two and three rows."""
    return rxExecBy({"tag": list("abbccc"), "x": range(6)}, "tag", func)


def test_columns_of_one_name_are_told_by_the_argument_that_has_them() -> None:
    """They could not be told apart in a task."""
    table = pd.DataFrame([[1, 2, 3]], columns=["k", "x", "x"])
    with pytest.raises(RxArgumentError, match=r"^inData: 2 columns have one name: 'x', 'x'; rename"):
        rxExecBy(table, "k", lambda keys, data: 1)


def test_the_frame_of_results_has_the_keys_beside_the_values() -> None:
    """Scalars are a column, the keys of dicts and Series are columns, frames lie below one another."""
    numbers = by_tag(lambda keys, data: int(data["x"].sum())).frame()
    assert numbers.to_dict("list") == {"tag": ["a", "b", "c"], "value": [0, 3, 12]}
    for kind in (dict, pd.Series):
        table = by_tag(lambda keys, data, kind=kind: kind({"n": len(data), "most": int(data["x"].max())})).frame()
        assert table.to_dict("list") == {"tag": ["a", "b", "c"], "n": [1, 2, 3], "most": [0, 2, 5]}
    frames = by_tag(lambda keys, data: data[["x"]] * 10).frame()
    assert frames.to_dict("list") == {"tag": list("abbccc"), "x": [0, 10, 20, 30, 40, 50]}
    assert by_tag(lambda keys, data: data).frame().to_dict("list") == {"tag": list("abbccc"), "x": [0, 1, 2, 3, 4, 5]}


def test_values_that_do_not_fit_beside_the_keys_are_refused() -> None:
    """Frames and scalars together are no table; nor is a column of values that contradicts a key."""
    with pytest.raises(TypeError, match="some values are data frames, and one is int"):
        by_tag(lambda keys, data: data if keys["tag"] == "a" else 1).frame()
    with pytest.raises(TypeError, match="a column 'tag' with others than the keys'"):
        by_tag(lambda keys, data: {"tag": "z"}).frame()


def test_a_slice_keeps_its_keys() -> None:
    """Part of the results has the keys of its entries."""
    z = by_tag(lambda keys, data: len(data))
    assert (z[1:], z[1:].keys["tag"].tolist(), z[1:].frame()["value"].tolist()) == ([2, 3], ["b", "c"], [2, 3])


def test_rows_from_arrow_are_each_tasks_own() -> None:
    """A task may write to a column that Arrow need not convert; the table stays as it is."""
    table = pyarrow.table({"x": [1.0, 2.0, 3.0]})
    rows = ArrowRows.of_sorted(table, np.array([0, 0, 4]), [0, 4], [0])
    (keys, data), _ = rows[0]
    data.loc[0, "x"] = 9
    assert (keys, data["x"].tolist(), table["x"].to_pylist()) == ({"x": 1.0}, [9, 2], [1, 2, 3])
    assert rows.only([1])[0][0][0] == {"x": 3.0}


def test_a_group_whose_rows_are_gone_is_an_error() -> None:
    """A table of Spark that changes between the counting of its keys and the call does not give others' rows."""
    rows = ArrowRows.of_sorted(pyarrow.table({"x": [1, 2]}), np.array([0, 4]), [0, 2, 4], [0])
    assert rows[2][0][0] == {"x": 2}
    with pytest.raises(RxContextError, match="the rows of this group were not found again"):
        rows[1]


def test_mapped_rows_are_a_frame_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels from 0 on, no warning of pandas at changes; a group that is asked for again is as it was at first.

    What has been written is kept no longer than some groups: the table is then mapped anew.
    """
    frame = pd.DataFrame({"key": [2, 1, 2, 1], "x": [1.0, 2.0, 3.0, 4.0], "day": pd.to_datetime(["2024-02-29"] * 4)})
    mapped: list[int] = []

    class Mapped(Bundle):
        def private(self, start: int) -> list[Buffer]:
            mapped.append(start)
            return super().private(start)

    bundle = Mapped(sort_rows(frame, ["day", "key"], [])._parts(CallSerializer(), [0, 1], {}))
    ref = InlineRef(())
    monkeypatch.setattr(InlineRef, "open", lambda _: bundle)
    rows = GroupRows([ref] * 2, [0, 1])
    for _ in range(2):
        (keys, data), _ = rows[1]
        assert (keys["key"], keys["day"], data.index.tolist()) == (2, frame["day"][0], [0, 1])
        assert data["x"].tolist() == [1, 3]
        data["x"] *= 0
        data.loc[0, "x"] = 7
        data["more"] = 1
    assert rows[0][0][1]["x"].tolist() == [2, 4]
    assert len(mapped) == 2
    monkeypatch.setattr(rxspark.worker.groups, "_KEPT_BYTES", 48)
    forget_table()
    for group in (0, 1, 0):
        rows[group]
    assert len(mapped) == 5
    forget_table()


LITTLE_MEMORY = """
import pickle, resource, sys
import numpy as np, pandas as pd, pyarrow
from rxspark.data.bundle import Bundle
from rxspark.data.refs import InlineRef
from rxspark.groups.sorting import sort_rows
from rxspark.serialize.pickler import CallSerializer
from rxspark.worker.groups import ArrowRows, GroupRows

def leave(megabytes):
    pages = int(open("/proc/self/statm").read().split()[0])
    limit = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

tag = np.where(np.arange(1_000_000) < 10, "few", "many")
number = np.where(tag == "few", 1, 2)
if sys.argv[1] == "arrow":
    table = pyarrow.table({"tag": tag, "x": np.ones(len(tag))})
    rows = ArrowRows.of_sorted(table, number, [1, 2], [0])
else:
    frame = pd.DataFrame({"number": number, "tag": tag})
    bundle = Bundle(sort_rows(frame, ["tag", "number"], [])._parts(CallSerializer(), [0, 1], {}))
    table = pickle.loads(bundle.part(0))
    rows = GroupRows([InlineRef(table.only(bundle, number)) for number in (0, 1)], [0, 0])
rows[1]  # what pandas needs of its own is loaded
leave(5)
print(len(rows[0][0][1]))
rows[1]
"""


@pytest.mark.parametrize("table", ["arrow", "mapped"])
def test_a_group_that_memory_does_not_hold_is_named(table: str) -> None:
    """Its rows and bytes, and what gives it room; the small group before it is read all the same."""
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}  # malloc keeps no memory that was freed for later
    command = [sys.executable, "-c", LITTLE_MEMORY, table]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (ran.stdout, ran.returncode) == ("10\n", 1), ran.stderr
    named = {"arrow": "the group tag='many': ", "mapped": r"this group, whose keys are in `.keys` of the results: "}
    fix = {"arrow": r"RxSpark\(executorOverheadMem=...\)", "mapped": r"rxOptions\(numCoresToUse=...\)"}
    told = rf"MemoryError: memory does not hold the rows of {named[table]}999,990 rows, .*[\d,]{{9,}} bytes. "
    assert re.search(told + ".*" + fix[table], ran.stderr), ran.stderr
