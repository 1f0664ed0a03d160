"""Nothing that a task sets in its process reaches another task, a later call or the caller, setting by setting."""

from __future__ import annotations

import asyncio
import atexit
import decimal
import os
import signal
import sys
import textwrap
import threading
import time
import zipfile
from unittest import mock

import matplotlib
import numpy as np
import pandas as pd
import pytest
import sklearn
from traces import TRACES
from traces.guide import BUT_INTERRUPTED, HELD, expected
from traces.sweep import WAYS, seen_afterwards, seen_by_caller
from waiting import let_pass

from rxspark import rxElemArg, rxExec


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


def labels(where, way):
    """Return what can be left in a context."""
    outcomes = {HELD} if way == "interrupted" else {HELD, BUT_INTERRUPTED}
    return [label for label in TRACES if expected(label, where) in outcomes]


def met_by_others(way, tried):
    """Return who meets what tasks have left: other tasks, a later call, the caller."""
    rxExec(abs, -1)  # joblib's first call settles how this process starts others
    callers, clean, undisturbed = seen_by_caller(tried), seen_afterwards(tried), WAYS[way].undisturbed(tried)
    seen = WAYS[way].seen(tried)
    later, afterwards = seen_afterwards(tried), seen_by_caller(tried)
    met = {label: seen[label] - undisturbed[label] for label in tried}
    for label in tried:
        met[label] |= {later[label]} - {clean[label]}
        if afterwards[label] != callers[label]:
            met[label].add(f"the caller: {afterwards[label]}")
    return {label: sorted(found) for label, found in met.items() if found}


# In every run; the other ways by `scripts/test -m slow`.
QUICK = {"same chunk", "next chunk"}
# A call for two traces takes most of a second on Spark Connect, and so does a process for each with a time limit.
LONG = [pytest.mark.slow, pytest.mark.timeout(1800)]


def ways():
    """Return the ways in which tasks come to their end, and their worker does not."""
    return [pytest.param(way, marks=() if way in QUICK else LONG) for way in WAYS if way != "lost"]


def tried_in(where, way, record):
    """Try all that can be left in a context, and record what became of it; gives what was met, which is nothing."""
    tried = labels(where, way)
    met = met_by_others(way, tried)
    for label in tried:
        record(where, label, "MET" if label in met else expected(label, where))
    return met


@pytest.mark.in_each
@pytest.mark.parametrize("way", ways())
def test_no_setting_reaches_another_task_a_later_call_or_the_caller(where, way, record_settings_row):
    """A setting of a task is met by no other task, in its chunk or behind it, by no later call and no caller."""
    assert tried_in(where, way, record_settings_row) == {}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.left_out(local="no worker is there to be lost", dopar_threading="no worker is there to be lost")
def test_no_setting_of_a_task_that_kills_its_worker_reaches_another(where, record_settings_row):
    """Tasks behind one that has died in the middle meet nothing that it has left."""
    assert tried_in(where, "lost", record_settings_row) == {}


def test_what_a_task_registers_for_the_end_of_the_program_runs_at_its_own_end():
    """The last one first, once, in the task's text; an error of it is told there and hurts nobody."""

    def task(number):
        atexit.register(print, "first", number)
        atexit.register(lambda: 1 / 0)
        atexit.register(print, "last")
        atexit.register(print, "not at all")
        atexit.unregister(print) if number == 2 else None
        return number

    done = rxExec(task, rxElemArg([0, 1]), taskChunkSize=2)
    assert done == [0, 1]
    assert done.output[1].startswith("not at all\nlast\nTraceback")
    assert done.output[1].endswith("ZeroDivisionError: division by zero\nfirst 1\n")
    assert "first" not in rxExec(task, rxElemArg([2])).output[0]


def test_what_a_task_registers_waits_for_its_own_end_and_not_for_that_of_a_call_inside_it():
    """Tasks of a call inside a task have an end of their own."""

    def inner():
        atexit.register(print, "inside")

    def task(number):
        atexit.register(print, "at the end", number)
        rxExec(inner, timesToRun=2)
        print("behind the call")
        return number

    done = rxExec(task, rxElemArg([1, 2]))
    assert done.output == {n: f"behind the call\nat the end {n + 1}\n" for n in (0, 1)}


def test_what_equals_everything_does_not_pass_for_a_function_of_a_module():
    """Functions, classes and constants are compared by what they are, as a task may leave anything in their place."""

    def task(number):
        found = textwrap.dedent, type(zipfile.ZIP_STORED)
        textwrap.dedent = mock.ANY
        vars(zipfile)["ZIP_STORED"] = False
        return [found[0] is mock.ANY, found[1]]

    assert rxExec(task, rxElemArg(range(3)), taskChunkSize=3) == [[False, int]] * 3


@pytest.mark.parametrize("chunk", [None, 2])
def test_an_alarm_does_not_go_off_in_a_later_task(chunk):
    """An alarm that a task has set to go off later is cleared with the task."""

    def task(number):
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        if number % 2:
            time.sleep(0.5)
        return number

    def handled(number):
        if _in_main_thread():
            signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(RuntimeError("an alarm of another task")))
        return task(number) if number % 2 == 0 else time.sleep(0.5)

    assert rxExec(handled, rxElemArg([0, 1, 2, 3]), taskChunkSize=chunk) == [0, None, 2, None]
    let_pass(0.4, "an alarm would go off in the caller now")


@pytest.mark.parametrize("chunk", [None, 2])
def test_the_callers_numeric_context_travels(chunk):
    """NumPy's error state, decimal's precision and options of libraries are the caller's in each task."""

    def task():
        try:
            np.ones(1) / np.zeros(1)
            divides = "silently"
        except FloatingPointError:
            divides = "raises"
        return divides, str(decimal.Decimal(1) / 3), pd.get_option("display.precision"), sys.getrecursionlimit()

    def sklearns():
        return sklearn.get_config()["transform_output"], matplotlib.rcParams["font.size"]

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 5000)
    try:
        with (
            np.errstate(divide="raise"),
            decimal.localcontext(prec=5),
            pd.option_context("display.precision", 3),
            sklearn.config_context(transform_output="pandas"),
            matplotlib.rc_context({"font.size": 7}),
        ):
            seen = rxExec(task, timesToRun=4, taskChunkSize=chunk)
            libraries = rxExec(sklearns, timesToRun=4, taskChunkSize=chunk)
    finally:
        sys.setrecursionlimit(limit)
    assert seen == [("raises", "0.33333", 3, limit + 5000)] * 4
    assert libraries == [("pandas", 7)] * 4
    assert rxExec(sklearns) == [("default", matplotlib.rcParams["font.size"])]


@pytest.mark.left_out(spark_cluster="tasks on other hosts have their own environment")
@pytest.mark.left_out(spark_connect="tasks on other hosts have their own environment")
def test_a_variable_that_the_caller_has_removed_is_gone(monkeypatch):
    """Workers that were started with it do not show it either."""
    monkeypatch.setenv("RX_REMOVED", "there")
    assert rxExec(os.getenv, "RX_REMOVED", timesToRun=3) == ["there"] * 3
    monkeypatch.delenv("RX_REMOVED")
    assert rxExec(os.getenv, "RX_REMOVED", timesToRun=3) == [None] * 3


def test_a_task_that_loads_a_module_and_replaces_its_function_has_done_so_for_itself():
    """Also where no task before has loaded that module: it was whole at the end of its import."""

    def task(replace):
        import imaplib  # which nothing else here loads

        found = imaplib.Time2Internaldate
        if replace:
            imaplib.Time2Internaldate = None  # type: ignore[assignment]
        return found is not None

    assert rxExec(task, rxElemArg([True, False, True, False]), taskChunkSize=2) == [True] * 4


FINDER = """
import importlib.machinery, sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, None) if name == "found_by_the_module_alone" else None

sys.meta_path.append(Finder)
"""


def test_a_module_keeps_the_finder_that_it_has_put_among_pythons(tmp_path, monkeypatch):
    """As six and importlib_metadata do: it stays loaded, and its import does not run again in later tasks and calls."""

    def task(number):
        import importlib.util

        import puts_a_finder  # noqa: F401

        return importlib.util.find_spec("found_by_the_module_alone") is not None

    (tmp_path / "puts_a_finder.py").write_text(FINDER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    try:
        assert rxExec(task, rxElemArg([1, 2, 3, 4]), taskChunkSize=2) == [True] * 4
        assert rxExec(task, rxElemArg([1, 2])) == [True] * 2
    finally:
        sys.modules.pop("puts_a_finder", None)


def test_a_broken_environment_is_that_tasks_own_matter():
    """A slip for os.environ.clear() breaks neither the worker nor the caller."""

    def task(number):
        if number == 1:
            os.environ = {}  # type: ignore[assignment]  # noqa: B003 - the mistake is what is tested
        return os.environ.get("PATH") is not None

    assert rxExec(task, rxElemArg(range(4)), taskChunkSize=4) == [True, False, True, True]
    assert os.environ["PATH"]


def test_a_loop_that_runs_in_the_callers_thread_is_no_tasks():
    """Tasks may use asyncio.run where the caller's own thread runs a loop, as a notebook's does."""

    def task():
        async def two():
            return 2

        return asyncio.run(two())

    async def cell():
        mine = asyncio.current_task()
        values = rxExec(task, timesToRun=2)
        assert asyncio.current_task() is mine
        await asyncio.sleep(0)
        return values, asyncio.get_running_loop()

    values, loop = asyncio.run(cell())
    assert values == [2, 2]
    assert loop.is_closed()
