"""A task that fails by its own error is tried again where that is asked for, and gives what it gives without one."""

from __future__ import annotations

import time

import numpy as np
import pytest

from rxspark import (
    RxTaskError,
    RxTaskWarning,
    RxTimeLimitError,
    rxElemArg,
    rxExec,
    rxOptions,
)


class BusyError(Exception):
    """A class of the user's script, which travels by value."""


def draw(i, held, folder, failures):
    """Draw numbers; fail so many times before, each time with changed arguments and the stream in another place."""
    file = folder / f"{i}.tries"
    numbers = [float(np.random.normal()), float(np.random.default_rng().random())]
    with file.open("a") as tries:
        tries.write("x")
    print("try", i)
    held.append(i)
    if len(file.read_text()) <= failures:
        np.random.normal(size=1000)
        raise BusyError(f"not now, {len(held)}")
    return numbers, held


@pytest.mark.parametrize("chunk", [None, 3], ids=["no chunks", "chunks"])
def test_a_result_after_retries_is_the_one_without(chunk, change_context, tmp_path):
    """The numbers, also of the tasks behind it in one stream, and the arguments; .info has the tries."""

    def run(failures):
        folder = tmp_path / str(failures)
        folder.mkdir()
        numbers = rxElemArg([failures if i in (1, 4) else 0 for i in range(6)])
        return rxExec(draw, rxElemArg(range(6)), [], folder, numbers, RNGseed=777, taskChunkSize=chunk)

    without = run(0)
    change_context(taskRetries=2)
    after = run(2)
    assert list(after) == list(without)
    assert after.errors == {}
    assert list(after.info["tries"]) == [1, 3, 1, 1, 3, 1]
    assert list(without.info["tries"]) == [1] * 6
    assert after.output[1] == "try 1\n" * 3
    assert after.output[2] == "try 2\n"


def test_the_last_error_lists_those_before(change_context, tmp_path):
    """When no retry is left, the task has failed, and its error tells how each try did."""
    change_context(taskRetries=2)
    with pytest.warns(RxTaskWarning, match="1 of 2 tasks failed"):
        results = rxExec(draw, rxElemArg(range(2)), [], tmp_path, rxElemArg([0, 9]))
    error = results[1]
    assert isinstance(error, RxTaskError)
    assert (error.type, error.message, error.earlier) == ("BusyError", "not now, 1", ("BusyError: not now, 1",) * 2)
    assert "try 2 failed by BusyError: not now, 1" in str(error)
    assert list(results.info["tries"]) == [1, 3]
    assert (tmp_path / "1.tries").read_text() == "xxx"


@pytest.mark.parametrize(
    ("on", "tries"), [(BusyError, 3), ((OSError, BusyError), 3), (OSError, 1), (Exception, 3), (None, 3)], ids=str
)
def test_only_the_named_errors_are_worth_a_retry(on, tries, change_context, tmp_path):
    """A class of the script's own too; without any named all errors are."""
    change_context(taskRetries=2, retryOn=on)
    with pytest.warns(RxTaskWarning):
        results = rxExec(draw, rxElemArg([7]), [], tmp_path, 9)
    assert list(results.info["tries"]) == [tries]
    assert (tmp_path / "7.tries").read_text() == "x" * tries


def test_an_exit_is_not_tried_again(change_context, tmp_path):
    """SystemExit and KeyboardInterrupt say that a task wants to end."""

    def leave(kind, name):
        (tmp_path / name).open("a").write("x")
        raise kind

    change_context(taskRetries=2)
    with pytest.warns(RxTaskWarning, match="2 of 2"):
        rxExec(leave, rxElemArg([SystemExit, KeyboardInterrupt]), rxElemArg(["exit", "interrupt"]))
    assert [(tmp_path / name).read_text() for name in ("exit", "interrupt")] == ["x", "x"]


def test_the_first_error_ends_the_call_behind_its_retries_only(change_context, tmp_path):
    """continueOnFailure=False sees the task's last try."""
    change_context(taskRetries=1)
    assert [numbers[1] for numbers in rxExec(draw, 0, [], tmp_path, 1, timesToRun=1, continueOnFailure=False)] == [[0]]
    with pytest.raises(RxTaskError, match="BusyError: not now"):
        rxExec(draw, 1, [], tmp_path, 2, timesToRun=1, continueOnFailure=False)


def test_the_wait_before_a_retry_doubles_and_does_not_count_against_the_limit_of_time(change_context, tmp_path):
    """0.4 and 0.8 seconds under a limit of one: the task may take as long in each of its tries."""
    change_context(taskRetries=2, retryDelay=0.4, taskTimeLimit=1)
    began = time.monotonic()
    results = rxExec(draw, rxElemArg(range(2)), [], tmp_path, rxElemArg([0, 2]))
    assert results.errors == {}
    assert time.monotonic() - began >= 1.2
    assert results.info["seconds"][1] >= 1.2
    assert list(results.info["tries"]) == [1, 3]


def test_a_limit_of_time_is_final(change_context, tmp_path):
    """A task that is stopped is not tried again, not even where it could succeed."""

    def slow():
        (tmp_path / "tries").open("a").write("x")
        time.sleep(60)

    change_context(taskRetries=3, taskTimeLimit=0.5)
    with pytest.warns(RxTaskWarning):
        results = rxExec(slow)
    assert isinstance(results[0], RxTimeLimitError)
    assert (tmp_path / "tries").read_text() == "x"


def test_the_options_hold_where_the_context_says_nothing(change_context, tmp_path):
    """And a context's 0 overrides them."""
    before = rxOptions(taskRetries=2, retryOn=[BusyError])
    try:
        assert list(rxExec(draw, 1, [], tmp_path, 2).info["tries"]) == [3]
        change_context(taskRetries=0)
        with pytest.warns(RxTaskWarning):
            assert list(rxExec(draw, 2, [], tmp_path, 2).info["tries"]) == [1]
    finally:
        rxOptions(**before)
