"""A failing task: its own error in its own place, whatever it raised; everything else arrives."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from waiting import stays_true

from rxspark import RxShippingError, RxTaskError, RxTaskWarning, rxElemArg, rxExec

ignore_failed = pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning")


class Awkward(Exception):  # noqa: N818
    """Its constructor takes other arguments than it hands on, so it does not unpickle."""

    def __init__(self, code, text):
        super().__init__(f"{text} ({code})")


class Holding(Exception):  # noqa: N818
    """It holds what cannot be pickled."""

    def __init__(self):
        super().__init__("held")
        self.lock = threading.Lock()


class Speechless(Exception):  # noqa: N818
    """It cannot say what it is."""

    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


class Quitting(Exception):  # noqa: N818
    """Its own code ends the program that asks it for anything."""

    def _quit(self):
        raise SystemExit(3)

    __str__ = __repr__ = __reduce__ = _quit


class QuitsTheCaller:
    """It pickles, and would end the program that unpickles it."""

    def __reduce__(self):
        return sys.exit, (3,)


class Explosive:
    """It pickles, and raises when it is unpickled."""

    def __reduce__(self):
        return int, ("not a number",)


def fail(kind):
    """Raise, or return, something difficult."""
    if kind == "result: lock":
        return threading.Lock()
    if kind == "result: explosive":
        return Explosive()
    if kind == "result: exit":
        return QuitsTheCaller()
    if kind == "result: deep":
        value: list[object] = []
        for _ in range(100_000):
            value = [value]
        return value
    raise {
        "plain": ValueError("wrong value"),
        "key": KeyError("name"),
        "awkward": Awkward(7, "odd"),
        "lock": Holding(),
        "speechless": Speechless(),
        "quitting": Quitting(),
        "exit": SystemExit(3),
        "interrupt": KeyboardInterrupt(),
        "stop": StopIteration(5),
        "generator exit": GeneratorExit(),
        "group": ExceptionGroup("several", [ValueError("one"), TypeError("two")]),
        "assertion": AssertionError(),
        "base": BaseException("at the root"),
        "ours": RxShippingError("raised by the user"),
        "warning": RxTaskWarning("raised by the user"),
        "recursion": RecursionError("deep"),
        "memory": MemoryError(),
        "unicode": ValueError("\ud800 ü"),
    }[kind]


KINDS = {
    "plain": ("ValueError", "wrong value"),
    "key": ("KeyError", "'name'"),
    "awkward": ("Awkward", "odd (7)"),
    "lock": ("Holding", "held"),
    "speechless": ("Speechless", ""),
    "quitting": ("Quitting", "could not be made"),
    "exit": ("SystemExit", "3"),
    "interrupt": ("KeyboardInterrupt", ""),
    "stop": ("StopIteration", "5"),
    "generator exit": ("GeneratorExit", ""),
    "group": ("ExceptionGroup", "several (2 sub-exceptions)"),
    "assertion": ("AssertionError", ""),
    "base": ("BaseException", "at the root"),
    "ours": ("RxShippingError", "raised by the user"),
    "warning": ("RxTaskWarning", "raised by the user"),
    "recursion": ("RecursionError", "deep"),
    "memory": ("MemoryError", ""),
    "unicode": ("ValueError", "\ud800 ü"),
    "result: lock": ("PicklingError", "lock"),
    "result: explosive": ("ValueError", "not a number"),
    "result: exit": ("SystemExit", "3"),
    "result: deep": ("PicklingError", "list"),
}


@ignore_failed
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_task_raises_is_the_error_of_that_task(kind):
    """The slot of a failed task holds an RxTaskError with the user's type and message; the others have values."""
    name, message = KINDS[kind]
    result = rxExec(lambda i: fail(kind) if i == 1 else i, rxElemArg(range(3)), taskChunkSize=3)
    error = result[1]
    assert isinstance(error, RxTaskError)
    assert (result[0], result[2], result.errors) == (0, 2, {1: error})
    assert (error.task, error.type) == (1, name)
    assert message in error.message
    assert pickle.loads(pickle.dumps(error)).message == error.message
    assert str(error).startswith(name)


@ignore_failed
def test_the_traceback_is_the_users_own():
    """It begins at FUN, and shows the user's file, line and source, with none of our frames."""

    def below(x):
        return 1 / x

    def above(x):
        return below(x)

    error = rxExec(above, 0)[0]
    lines = error.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "return below(x)" in error.traceback
    assert "return 1 / x" in error.traceback
    assert error.traceback.count(Path(__file__).name) == 2
    assert "rxspark/worker" not in error.traceback
    assert isinstance(error.original, ZeroDivisionError)


@ignore_failed
def test_the_traceback_of_a_chain_shows_both():
    """`raise ... from ...` and an error during the handling of another one show both."""

    def chained(explicit):
        try:
            dict[str, int]()["first"]
        except KeyError as error:
            raise ValueError("second") from (error if explicit else None or error.__cause__)

    def during():
        try:
            dict[str, int]()["first"]
        except KeyError:
            int("second")

    explicit, implicit = rxExec(chained, True)[0], rxExec(during)[0]
    assert "KeyError: 'first'" in explicit.traceback
    assert "direct cause" in explicit.traceback
    assert "KeyError: 'first'" in implicit.traceback
    assert "During handling" in implicit.traceback
    assert (explicit.type, implicit.type) == ("ValueError", "ValueError")


@ignore_failed
def test_wrong_arguments_found_only_in_the_task_have_a_short_traceback():
    """An error in the very call of FUN has no frame of the user's, and none of ours either."""
    error: Any = rxExec(lambda *args: int(*args), "x", "y", "z")[0]
    assert error.type == "TypeError"
    assert "runner.py" not in str(error)
    assert "runner.py" not in str(rxExec(int, "x")[0])


@pytest.mark.parametrize("chunk", [None, 1, 3, 100])
@pytest.mark.parametrize("failing", [[0], [4], [8], list(range(9)), [1, 2, 7]], ids=str)
def test_failures_are_independent_of_chunks(failing, chunk):
    """Whichever tasks fail, and however they are cut, all others run; there is one warning a call."""
    with pytest.warns(RxTaskWarning) as caught:
        result = rxExec(lambda i: 1 / 0 if i in failing else i, rxElemArg(range(9)), taskChunkSize=chunk)
    assert [i for i, value in enumerate(result) if isinstance(value, RxTaskError)] == failing
    assert [value for i, value in enumerate(result) if i not in failing] == [i for i in range(9) if i not in failing]
    assert list(result.errors) == failing
    assert [warning.category for warning in caught] == [RxTaskWarning]
    assert f"{len(failing)} of 9 tasks failed" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_no_warning_without_failure():
    """A call whose tasks all succeed warns of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rxExec(abs, rxElemArg(range(-5, 0))) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_stop_at_the_first_error(chunk, tmp_path):
    """With continueOnFailure=False the user's error is raised, with the number of its task."""
    with pytest.raises(RxTaskError, match=r"ValueError: wrong value \(task 0 on") as caught:
        rxExec(lambda i: fail("plain") if i == 0 else i, rxElemArg(range(6)), continueOnFailure=False)
    assert (caught.value.task, caught.value.type) == (0, "ValueError")
    assert "test_failures.py" in str(caught.value)
    assert rxExec(abs, rxElemArg([-1, -2]), continueOnFailure=False, taskChunkSize=chunk) == [1, 2]


@pytest.mark.left_out(dopar_threading="a thread that sleeps cannot be ended from outside")
def test_the_first_error_does_not_wait_for_the_others(where):
    """With continueOnFailure=False the error is raised within seconds though other tasks would take minutes."""
    long = 3 if where == "local" else 30

    def task(i):
        if i == 0:
            raise ValueError("at once")
        time.sleep(long)

    started = time.monotonic()
    with pytest.raises(RxTaskError, match="at once"):
        rxExec(task, rxElemArg(range(8)), taskChunkSize=1, continueOnFailure=False)
    assert time.monotonic() - started < 12
    assert rxExec(abs, rxElemArg(range(4))) == [0, 1, 2, 3]


@pytest.mark.left_out(dopar_threading="a thread that sleeps cannot be ended from outside")
def test_what_still_runs_is_ended(tmp_path):
    """With continueOnFailure=False the tasks that were running do not go on behind the caller's back."""
    folder = str(tmp_path)

    def task(i):
        if i == 0:
            time.sleep(0.3)
            raise ValueError("soon")
        time.sleep(5)  # Spark itself gives a worker two seconds to end
        Path(folder, str(i)).touch()

    with pytest.raises(RxTaskError, match="soon"):
        rxExec(task, rxElemArg(range(3)), taskChunkSize=1, continueOnFailure=False)
    stays_true(lambda: not list(tmp_path.iterdir()), "a task went on", 5.5)


def test_an_element_that_cannot_be_unpickled_costs_its_task_alone():
    """An element argument whose own code raises in the worker is the error of its task."""
    with pytest.warns(RxTaskWarning, match="1 of 3"):
        result = rxExec(lambda x: x, rxElemArg([[1], Explosive(), [3]]), taskChunkSize=3)
    assert (result[0], result[2]) == ([1], [3])
    assert result.errors[1].message.startswith("invalid literal")


def test_a_constant_that_cannot_be_unpickled_fails_the_call():
    """Where FUN's constants cannot be rebuilt no task can run: the call says so, and the next one works."""
    with pytest.raises(RxShippingError, match="not a number"):
        rxExec(lambda i, x: x, rxElemArg(range(3)), Explosive())
    assert rxExec(abs, -1) == [1]


def test_unlist_raises_the_error_of_a_failed_task():
    """`unlist` has no place for an error, and raises it."""
    with pytest.warns(RxTaskWarning):
        result = rxExec(lambda x: 1 / x, rxElemArg([1, 0]))
    with pytest.raises(RxTaskError, match="ZeroDivisionError"):
        result.unlist()


def fork(end):
    """Fork a process in which FUN ends as told, and give its exit status."""
    if os.fork() == 0:
        if end == "return":
            return "of the forked process"
        raise {"exit": SystemExit(4), "text": SystemExit("farewell"), "error": ValueError("in the forked process")}[end]
    return os.waitstatus_to_exitcode(os.wait()[1])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forks beside threads, from Python 3.12 on
@pytest.mark.parametrize(("end", "status"), [("return", 0), ("exit", 4), ("text", 1), ("error", 1)])
def test_a_forked_process_ends_with_fun(end, status):
    """It answers in nobody's place and runs nobody's next task; what it dies of is in the task's output."""
    result = rxExec(fork, rxElemArg([end, end]), taskChunkSize=2)
    assert result == [status, status]
    text = {"text": "farewell", "error": "ValueError: in the forked process"}.get(end, "")
    assert text in "".join(result.output.values())
