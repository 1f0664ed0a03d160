"""RxResults: a list in the order of the tasks, and what it tells beside the values."""

from __future__ import annotations

import copy
import functools
import os
import pickle
import time
import warnings
from typing import Any

import numpy as np
import pytest

from rxspark import RxResults, RxTaskError, RxTaskWarning, rxElemArg, rxExec, rxOptions

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
    assert result + result == [*result, *result]
    assert sorted(result[:2]) == [-6, -3]
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


def test_an_entry_is_found_by_its_name(result):
    """Named elements, and rxElem1 and so on, are keys; a name that there is none of is told with the nearest one."""
    assert (result["b"], result["d"]) == (-6, 6)
    assert result["<c>"] is result.errors[2]
    assert rxExec(abs, rxElemArg([-1, -2]))["rxElem2"] == 2
    with pytest.raises(KeyError, match=r"no result has the name 'e'; there are 'a', 'b', '<c>', 'd'"):
        result["e"]
    with pytest.raises(KeyError, match="did you mean 'rxElem2'"):
        rxExec(abs, rxElemArg([-1, -2]))["rxelem2"]
    assert rxExec(lambda: 7, oncePerElem=True)[result.info["host"][0].partition(".")[0].upper().replace("-", "_")] == 7


def test_a_slice_is_the_results_of_its_tasks(result):
    """Its tasks keep their numbers and names, in whichever order they are taken."""
    assert (list(result[4:]), result[4:].names, len(result[4:].info)) == ([], [], 0)
    for part, numbers in ((result[1:3], [1, 2]), (result[::-2], [3, 1]), (result[1:][1:2], [2])):
        assert type(part) is RxResults
        assert list(part) == [result[n] for n in numbers]
        assert part.names == [result.names[n] for n in numbers]
        assert part.errors == {n: result[n] for n in numbers if n == 2}
        assert part.output == {n: f"task {n}\n" for n in sorted(numbers)}
        assert part.info.equals(result.info.loc[numbers].reset_index(drop=True))
        assert part.rng == result.rng
    assert rxExec(abs, rxElemArg([-1, -2, -3]))[1:].names == ["rxElem2", "rxElem3"]
    assert pickle.loads(pickle.dumps(result[1:3])).info.equals(result[1:3].info)


@pytest.mark.parametrize(
    "change",
    [
        lambda z: z.append(1),
        lambda z: z.extend([1]),
        lambda z: z.insert(0, 1),
        lambda z: z.remove(-3),
        lambda z: z.pop(),
        lambda z: z.clear(),
        lambda z: z.sort(key=str),
        lambda z: z.reverse(),
        lambda z: z.__setitem__(0, 1),
        lambda z: z.__setitem__(slice(2), []),
        lambda z: z.__delitem__(0),
        lambda z: z.__iadd__([1]),
        lambda z: z.__imul__(2),
    ],
)
def test_results_are_read_only(result, change):
    """Each method that changes a list in place is refused, with the way to a list that can be changed."""
    before = list(result)
    with pytest.raises(TypeError, match=r"read-only.*list\(z\)"):
        change(result)
    assert list(result) == before
    assert len(result.info) == len(result.names) == 4
    change(list(result))


def test_a_warning_that_is_raised_carries_the_results():
    """Where warnings are errors, no value is lost: the error has them all, and it is the call's own line that warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RxTaskWarning, match="1 of 3 tasks failed; task 1") as caught:
            rxExec(lambda x: 6 // x, rxElemArg([1, 0, 2]))
    results = caught.value.results
    assert (results[0], results[2], list(results.errors)) == (6, 3, [1])
    assert caught.traceback[-1].frame.code.name != "rxExec"


class _Complains:
    """A value that warns when it is rebuilt."""

    def __reduce__(self):
        return _complain, (os.getpid(),)


def _complain(made_by):
    if os.getpid() != made_by:  # the worker itself finds out whether what it sends can be read
        warnings.warn("made by another version", UserWarning, stacklevel=1)
    return "rebuilt"


def test_a_value_whose_rebuilding_warns_is_not_lost(where):
    """Also where warnings are errors: the warning is shown, and the value is there."""
    complains: Any = _Complains
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("error")
        assert rxExec(complains) == ["rebuilt"]
    assert [str(one.message) for one in told] == ([] if where in IN_PROCESS else ["made by another version"])


def test_the_first_error_carries_what_had_finished():
    """With `continueOnFailure=False` the error that is raised has the values of the tasks before it."""
    with pytest.raises(RxTaskError, match="ZeroDivisionError") as caught:
        rxExec(lambda x: 6 // x, rxElemArg([1, 2, 0]), taskChunkSize=3, continueOnFailure=False)
    assert list(caught.value.results)[:2] == [6, 3]
    assert list(caught.value.results.errors) == [2]


def test_a_long_error_is_bounded_like_console_text():
    """Message, traceback and warning of an error lose their middle; the exception itself, as long, stays behind."""

    def fail(size):
        raise ValueError("begin" + "x" * size + "end")

    before = rxOptions(consoleLimit=2000)
    try:
        with pytest.warns(RxTaskWarning) as told:
            long, short = rxExec(fail, rxElemArg([5_000_000, 5]))
    finally:
        rxOptions(**before)
    assert long.message.startswith("beginxxx")
    assert long.message.endswith("xxxend")
    assert "characters left out" in long.message
    assert len(long.message) < 2100
    assert len(long.traceback) < 2100
    assert long.original is None
    assert (short.message, str(short.original)) == ("beginxxxxxend", "beginxxxxxend")
    assert len(str(told[0].message)) < 1500


def test_failures_by_the_thousand_stay_small():
    """A failed task costs about a kilobyte, and the texts of failures that are alike are kept once."""
    with pytest.warns(RxTaskWarning, match="2000 of 2000 tasks failed"):
        results: Any = rxExec(lambda i: 1 // 0, rxElemArg(range(2000)))
    assert len(pickle.dumps(results)) < 1000 * len(results)
    assert len({id(error.traceback) for error in results}) < 200


def test_results_hold_their_values_once(where):
    """A pickle of results has each value once, and not the pickles by which the values came."""
    results = rxExec(lambda i: os.urandom(1_000_000), rxElemArg(range(4)))
    assert len(pickle.dumps(results)) < 4_100_000


def test_timings_account_for_the_whole_call(where):
    """`.timings` are the seconds of the phases, of which `run` is the tasks' own; they add up to what one waits."""
    began = time.perf_counter()
    result = rxExec(time.sleep, rxElemArg([0.02, 0.03]), taskChunkSize=2)
    waited = time.perf_counter() - began
    timings = result.timings
    assert timings._fields == ("plan", "ship", "check", "queue", "run", "fetch", "decode")
    assert all(seconds >= 0 for seconds in timings)
    assert 0.05 <= timings.run <= waited
    # Between the phases lies what one thread waits for another, and the clocks' own grain.
    assert waited - 0.5 < timings.total <= waited + 0.01
    assert pickle.loads(pickle.dumps(result)).timings == timings


@pytest.mark.parametrize(("chunk", "chunks"), [(None, [0, 1, 2, 3, 4]), (2, [0, 0, 1, 1, 2]), (9, [0] * 5)])
def test_info_has_one_row_for_each_task(chunk, chunks, where, hosts):
    """`.info` tells of each task, in order, its chunk, host, process, start, seconds, attempt and tries."""
    info = rxExec(abs, rxElemArg(range(5)), taskChunkSize=chunk).info
    assert list(info.columns) == ["task", "chunk", "host", "pid", "start", "seconds", "attempt", "tries"]
    assert (list(info["task"]), list(info["chunk"])) == ([0, 1, 2, 3, 4], chunks)
    assert set(info["host"]) <= set(hosts)
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
    assert html.count("<code") == html.count("background:none;color:inherit") == 4  # no box of a notebook's theme


def test_the_seed_is_told(result):
    """`.rng` holds kind and seed, given or made up."""
    assert (result.rng.kind, result.rng.seed) == ("MT2203", 5)
    assert rxExec(abs, 1).rng.seed != rxExec(abs, 1).rng.seed


@pytest.mark.parametrize("value", [lambda: 5, type("Made", (), {"x": 5})], ids=["lambda", "class"])
def test_results_that_only_cloudpickle_can_send(value):
    """A task may give a function or a class that it has made."""
    result = rxExec(lambda: value, timesToRun=2)
    assert [(one() if callable(one) and not isinstance(one, type) else one.x) for one in result] == [5, 5]


def test_objects_of_the_script_come_back_whatever_their_class_has():
    """As they travel to the tasks: what pickle and cloudpickle refuse is made anew."""

    class Holder:
        @functools.cached_property
        def once(self):  # there is a lock in the property up to Python 3.11
            return 3

        @functools.cache  # noqa: B019 - users do so
        def cached(self):
            return 4

    def make():
        made = Holder()
        return made, made.once, made.cached()

    made, *values = rxExec(make, timesToRun=2)[1]
    assert (made.once, made.cached(), values) == (3, 4, [3, 4])
    assert type(made) is Holder
