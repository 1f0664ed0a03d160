"""RxResults: a list in the order of the tasks, and what it tells beside the values."""

from __future__ import annotations

import copy
import os
import pickle
import time

import numpy as np
import pytest

from rxspark import RxResults, RxTaskWarning, rxElemArg, rxExec

IN_PROCESS = ("local", "dopar-threading")


def some(i):
    """A value, some text, and a failure for 2."""
    print("task", i)
    return 6 // (i - 2)


@pytest.fixture
def result():
    """Of a call with four named tasks, one of which fails."""
    with pytest.warns(RxTaskWarning):
        return rxExec(some, rxElemArg({"a": 0, "b": 1, "<c>": 2, "d": 3}), taskChunkSize=2, RNGseed=5)


def test_it_is_a_list(result):
    """It has a list's methods, equality and slices."""
    assert isinstance(result, list)
    assert result[:2] == [-3, -6]
    assert [*result, 1][-1] == 1
    assert rxExec(abs, rxElemArg([-1, -2])) == [1, 2]
    assert isinstance(rxExec(abs, -1), RxResults)


def test_names_errors_and_output(result):
    """Names are the elements' or rxElem1 and so on; errors and texts are by task number."""
    assert result.names == ["a", "b", "<c>", "d"]
    assert rxExec(abs, rxElemArg([1, 2])).names == ["rxElem1", "rxElem2"]
    assert list(result.errors) == [2]
    assert result[2] is result.errors[2]
    assert result.output == {i: f"task {i}\n" for i in range(4)}


def test_timings_account_for_the_whole_call(where):
    """`.timings` are the seconds of the phases, of which `run` is the tasks' own; they add up to what one waits."""
    began = time.perf_counter()
    result = rxExec(time.sleep, rxElemArg([0.02, 0.03]), taskChunkSize=2)
    waited = time.perf_counter() - began
    timings = result.timings
    assert timings._fields == ("plan", "ship", "queue", "run", "fetch", "decode")
    assert all(seconds >= 0 for seconds in timings)
    assert 0.05 <= timings.run <= waited
    # Between the phases lies what one thread waits for another, and the clocks' own grain.
    assert waited - 0.5 < timings.total <= waited + 0.01
    assert pickle.loads(pickle.dumps(result)).timings == timings


@pytest.mark.parametrize(("chunk", "chunks"), [(None, [0, 1, 2, 3, 4]), (2, [0, 0, 1, 1, 2]), (9, [0] * 5)])
def test_info_has_one_row_for_each_task(chunk, chunks, where, here):
    """`.info` tells of each task, in order, its chunk, host, process, start, seconds and attempt."""
    info = rxExec(abs, rxElemArg(range(5)), taskChunkSize=chunk).info
    assert list(info.columns) == ["task", "chunk", "host", "pid", "start", "seconds", "attempt"]
    assert (list(info["task"]), list(info["chunk"])) == ([0, 1, 2, 3, 4], chunks)
    assert set(info["host"]) == {here}
    assert (set(info["pid"]) == {os.getpid()}) == (where in IN_PROCESS)
    assert info.groupby("chunk")["pid"].nunique().max() == 1
    assert (info["seconds"] >= 0).all()
    assert (info["attempt"] == 0).all()
    assert str(info["start"].dtype.tz) == "UTC"


def test_info_is_that_of_the_task(where):
    """Process and times in `.info` are the task's own."""

    def task(i):
        import time

        began = time.time()
        time.sleep(0.2)
        return os.getpid(), began

    result = rxExec(task, rxElemArg(range(2)))
    assert list(result.info["pid"]) == [pid for pid, _ in result]
    starts = result.info["start"].astype("int64") / 1e9
    assert all(abs(told - began) < 0.1 for told, (_, began) in zip(starts, result, strict=True))
    assert ((result.info["seconds"] > 0.19) & (result.info["seconds"] < 2)).all()


def test_unlist():
    """`unlist` opens lists, tuples, ranges and arrays, at any depth, into one flat list."""
    values = [1, [2, (3, [4])], range(2), np.array([[5.0, 6.0], [7.0, 8.0]]), "ab", {"k": 1}, None]
    expected = [1, 2, 3, 4, 0, 1, 5.0, 6.0, 7.0, 8.0, "ab", {"k": 1}, None]
    assert rxExec(lambda x: x, rxElemArg(values)).unlist() == expected
    assert rxExec(abs, rxElemArg([])).unlist() == []


@pytest.mark.parametrize("again", [lambda x: pickle.loads(pickle.dumps(x)), copy.copy, copy.deepcopy])
def test_it_pickles(result, again):
    """It comes back from pickle and copy with all that it tells."""
    other = again(result)
    assert type(other) is RxResults
    assert list(map(str, other)) == list(map(str, result))
    assert (other.names, other.output, other.rng) == (result.names, result.output, result.rng)
    assert str(other.errors[2]) == str(result.errors[2])
    assert other.info.equals(result.info)


def test_a_short_result_prints_as_a_list():
    """Up to twenty entries it looks like the list it is."""
    assert repr(rxExec(abs, rxElemArg(range(3)))) == "[0, 1, 2]"


def test_a_long_result_prints_a_summary():
    """A long one shows its beginning and a summary with the number of tasks, failures and processes."""
    with pytest.warns(RxTaskWarning):
        result = rxExec(lambda i: 1 / 0 if i == 999 else "x" * 1000, rxElemArg(range(1000)))
    text = repr(result)
    assert len(text) < 6000
    assert "980 more" in text
    assert "1000 results, 1 failed" in text


def test_a_notebook_shows_a_table(result):
    """`_repr_html_` is a table of names and values, with what could be markup escaped."""
    html = result._repr_html_()
    assert "4 results, 1 failed" in html
    assert "&lt;c&gt;" in html
    assert "<c>" not in html
    assert "ZeroDivisionError" in html


def test_the_seed_is_told(result):
    """`.rng` holds kind and seed, given or made up."""
    assert (result.rng.kind, result.rng.seed) == ("MT2203", 5)
    assert rxExec(abs, 1).rng.seed != rxExec(abs, 1).rng.seed


@pytest.mark.parametrize("value", [lambda: 5, type("Made", (), {"x": 5})], ids=["lambda", "class"])
def test_results_that_only_cloudpickle_can_send(value):
    """A task may give a function or a class that it has made."""
    result = rxExec(lambda: value, timesToRun=2)
    assert [(one() if callable(one) and not isinstance(one, type) else one.x) for one in result] == [5, 5]
