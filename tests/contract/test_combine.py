"""With `combine` the results become one value, the same to the last bit in every context, however the tasks ran."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from trees import by_definition

from rxspark import (
    RxArgumentError,
    RxCombined,
    RxCombineError,
    RxLostTaskError,
    RxShippingError,
    RxTaskError,
    RxTaskWarning,
    RxTimeLimitError,
    rxElemArg,
    rxExec,
    rxGetComputeContext,
    rxGetJobResults,
    rxRemoteGetId,
    rxWaitForJob,
)

TASKS = 45


def row(i):
    """Numbers whose sum depends on the order in which they are added."""
    return np.random.normal(size=3) * 10.0 ** np.random.randint(-8, 8, 3)


def add_to(a, b):
    """Add to the first array itself."""
    a += b
    return a


@pytest.mark.parametrize("call", [{}, {"taskChunkSize": 7}, {"taskChunkSize": 1}, {"taskChunkSize": 99}], ids=str)
def test_the_value_has_the_bits_of_the_tree(call):
    """It is that of the tree over the tasks' numbers, for each way to cut the tasks."""
    each = rxExec(row, rxElemArg(range(TASKS)), RNGseed=777, RNGscope="task")
    expected = by_definition(dict(enumerate(each)), TASKS, np.add)
    found = rxExec(row, rxElemArg(range(TASKS)), RNGseed=777, RNGscope="task", combine=add_to, **call)
    assert isinstance(found, RxCombined)
    assert found.value.tobytes() == expected.tobytes()
    assert (found.count, found.tasks, found.errors, found.output) == (TASKS, TASKS, {}, {})
    assert (found.rng.kind, found.rng.seed) == ("MT2203", 777)
    info = found.info
    assert info["tasks"].sum() == info["tries"].sum() == TASKS
    assert list(info["task"]) == [0, *info["tasks"].cumsum()][:-1]
    assert found.timings.run > 0


def fails_in(i, bad):
    """Fail in some tasks; all write."""
    print("task", i)
    if i in bad:
        raise ValueError(f"no {i}")
    return f"{i},"


def test_failed_tasks_are_left_out_counted_and_named():
    """The others' values come together in order; the errors are there by number, and one warning."""
    with pytest.warns(RxTaskWarning, match=r"3 of 45 tasks failed; task 0: ValueError: no 0"):
        found = rxExec(fails_in, rxElemArg(range(TASKS)), {0, 7, 44}, combine=lambda a, b: a + b)
    assert found.value == "".join(f"{i}," for i in range(TASKS) if i not in (0, 7, 44))
    assert (found.count, list(found.errors), found.info["failed"].sum()) == (42, [0, 7, 44], 3)
    assert all(isinstance(error, RxTaskError) for error in found.errors.values())
    assert found.output == {i: f"task {i}\n" for i in range(TASKS)}
    assert "42 of 45 tasks combined, 3 failed" in repr(found)


@pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning")
def test_nothing_to_combine_is_none_and_a_count_of_zero():
    """No tasks, or none that has a value."""
    nothing = rxExec(abs, rxElemArg([]), combine="sum")
    assert (nothing.value, nothing.count, nothing.errors) == (None, 0, {})
    failed = rxExec(fails_in, rxElemArg(range(3)), {0, 1, 2}, combine="sum")
    assert (failed.value, failed.count, list(failed.errors)) == (None, 0, [0, 1, 2])


def test_the_first_error_ends_the_call_where_that_is_asked_for():
    """It is raised, with what had been combined."""
    with pytest.raises(RxTaskError, match="no 0") as raised:
        rxExec(fails_in, rxElemArg(range(TASKS)), {0}, combine="sum", continueOnFailure=False)
    assert raised.value.results.errors[0].type == "ValueError"
    assert raised.value.results.count <= TASKS - 1


def only_numbers(a, b):
    """Add what can be added."""
    return a + b  # the line of the user's


@pytest.mark.parametrize("call", [{}, {"taskChunkSize": 2}], ids=str)
def test_a_combine_that_raises_is_one_error(call):
    """It names the types of the two values, their tasks and the line; tasks 1 and 2 meet only when all have run."""
    with pytest.raises(RxCombineError, match="failed by TypeError: ") as raised:
        rxExec(lambda i: {} if i > 3 else i, rxElemArg(range(5)), combine=only_numbers, **call)
    text = str(raised.value)
    assert "int (of tasks 0 to 3) and dict (of tasks 4 to 7)" in text
    assert "a + b  # the line of the user's" in text
    assert "rxspark/" not in text


def test_a_combined_value_that_cannot_be_pickled_is_an_error():
    """As that of a task would be."""
    with pytest.raises(RxCombineError, match="cannot be pickled"):
        rxExec(abs, rxElemArg(range(4)), combine=lambda a, b: (x for x in (a, b)))


class Tally:
    """A class of the user's script, with a count of its own objects."""

    made = 0

    def __init__(self, counts):
        self.counts = counts


LABEL = "both"


def together(a, b):
    """Combine two of the script's objects, by a class and a variable of the script."""
    assert isinstance(a, Tally)
    assert isinstance(b, Tally)
    return Tally(a.counts + b.counts + Counter([LABEL]))


def test_combine_travels_like_fun():
    """With the classes, variables and closures of the script."""
    weight = 3
    found = rxExec(lambda i: Tally(Counter({i % 3: weight})), rxElemArg(range(TASKS)), combine=together)
    assert type(found.value) is Tally
    assert found.value.counts == {0: 45, 1: 45, 2: 45, "both": 44}
    lock = threading.Lock()
    with pytest.raises(RxShippingError, match=r"combine.*variable 'lock'"):
        rxExec(abs, rxElemArg([1, 2]), combine=lambda a, b: lock and a + b)


TABLE = np.arange(3.0)


def test_what_combine_changes_is_its_own():
    """A value that many tasks give is not changed for the next ones by a sum in place."""
    found = rxExec(lambda: TABLE, timesToRun=TASKS, combine=add_to)
    assert list(found.value) == [0.0, 45.0, 90.0]
    assert list(TABLE) == [0.0, 1.0, 2.0]
    one = rxExec(lambda: TABLE, combine=add_to)
    one.value += 1
    assert list(TABLE) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("name", "make", "expected"),
    [
        ("sum", lambda i: i, 45),
        ("prod", lambda i: i + 1, 3628800),
        ("min", lambda i: abs(i - 4.5), 0.5),
        ("max", lambda i: abs(i - 4.5), 4.5),
        ("min", lambda i: np.array([i, -i]), [0, -9]),
        ("max", lambda i: pd.Series([i, -i]), [9, 0]),
        ("concat", lambda i: np.array([i]), list(range(10))),
        ("concat", lambda i: [i], list(range(10))),
    ],
)
def test_names_of_functions(name, make, expected):
    """The usual ones have names, for numbers, arrays and lists."""
    assert list(np.ravel(rxExec(make, rxElemArg(range(10)), combine=name).value)) == list(np.ravel(expected))


def test_frames_are_concatenated():
    """Rows of data frames come in the order of the tasks."""
    found = rxExec(lambda i: pd.DataFrame({"i": [i, i], "n": [0, 1]}), rxElemArg(range(10)), combine="concat")
    assert found.value["i"].tolist() == [i for i in range(10) for _ in range(2)]


@pytest.mark.left_out(
    local="the tasks run in the process of pytest itself, which would die",
    dopar_threading="the tasks run in the process of pytest itself, which would die",
)
@pytest.mark.filterwarnings("ignore::UserWarning:joblib", "ignore::rxspark.RxTaskWarning")
@pytest.mark.parametrize("chunk", [None, 20])
def test_a_dead_worker_costs_its_task_and_no_bit(chunk):
    """The others are combined as if that task had failed by itself."""

    def task(i, how):
        value = row(i)
        if i == 9 and how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if i == 9:
            raise ValueError
        return value

    call = {"RNGseed": 5, "taskChunkSize": chunk, "combine": add_to}
    died, failed = (rxExec(task, rxElemArg(range(TASKS)), how, **call) for how in ("dies", "fails"))
    assert isinstance(died.errors[9], RxLostTaskError)
    assert (died.count, failed.count) == (44, 44)
    if chunk is None:  # in a chunk those behind it draw on from where it had begun
        assert died.value.tobytes() == failed.value.tobytes()


@pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning")
def test_a_task_past_its_limit_is_left_out(change_context):
    """Tasks in child processes are combined as others."""
    change_context(taskTimeLimit=2)
    found = rxExec(lambda i: sum(range(10**12)) if i == 3 else i, rxElemArg(range(8)), taskChunkSize=4, combine="sum")
    assert isinstance(found.errors[3], RxTimeLimitError)
    assert (found.value, found.count) == (25, 7)


def test_a_task_that_is_tried_again_counts_once(change_context, tmp_path):
    """The value is that of its last try."""

    def task(i):
        with (tmp_path / str(i)).open("a") as file:
            file.write("x")
        if i == 5 and len((tmp_path / "5").read_text()) < 3:
            raise ConnectionError
        return i

    change_context(taskRetries=2)
    found = rxExec(task, rxElemArg(range(12)), combine="sum")
    assert (found.value, found.count, found.errors) == (66, 12, {})
    assert found.info["tries"].sum() == 14


def test_what_combine_writes_is_kept():
    """With the task before it; what is left is combined by the caller, and shown there."""

    def add(a, b):
        print("adding")
        return a + b

    found = rxExec(rxRemoteGetId, timesToRun=64, taskChunkSize=32, combine=add)
    assert found.value == 64 * 65 // 2
    assert sum(text.count("adding") for text in found.output.values()) == 62


def test_a_job_gives_the_combined_value():
    """The same as a call that waits; its tasks' own results are not to be had."""
    context = rxGetComputeContext()
    waited = rxExec(row, rxElemArg(range(TASKS)), RNGseed=3, combine=add_to)
    with replace(context, wait=False):
        job = rxExec(row, rxElemArg(range(TASKS)), RNGseed=3, combine=add_to)
    assert rxWaitForJob(job) == "finished"
    with pytest.raises(Exception, match="combines its results"):
        list(job)
    found = rxGetJobResults(job)
    assert found.value.tobytes() == waited.value.tobytes()
    assert found.count == TASKS


BAD = {
    "no name": ("summ", ["combine='summ'", 'did you mean "sum"?']),
    "another name": ("median", ["combine='median'", '"concat"']),
    "a number": (3, ["combine=3", "function of two values"]),
    "one argument": (lambda a: a, ["cannot be called with two values"]),
    "three arguments": (lambda a, b, c: a, ["'c'", "(a, b)"]),
    "Python's sum": (sum, ["combine=sum", 'combine="sum"']),
}


async def _later(a, b):
    return a


@pytest.mark.parametrize("name", BAD)
def test_a_combine_that_cannot_be_one_is_refused_before_launch(name):
    """The message names the value and the fix."""
    combine: Any
    combine, told = BAD[name]
    with pytest.raises(RxArgumentError) as raised:
        rxExec(pytest.fail, "launched", combine=combine)
    assert all(words in str(raised.value) for words in told), raised.value


def test_a_combine_that_does_not_fit_is_refused_before_launch():
    """Once on each node the results are named; a coroutine has no value."""
    with pytest.raises(RxArgumentError, match=r"combine='sum' with oncePerElem=True"):
        rxExec(pytest.fail, "launched", oncePerElem=True, combine="sum")
    with pytest.raises(RxArgumentError, match=r"combine=_later.*async def"):
        rxExec(pytest.fail, "launched", combine=_later)
