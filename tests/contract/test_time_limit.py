"""A task past its limit of time is stopped, whatever it is doing, and costs nothing but itself."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from waiting import wait_until

from rxspark import (
    RxLostTaskError,
    RxTaskError,
    RxTaskWarning,
    RxTimeLimitError,
    rxElemArg,
    rxExec,
    rxGetComputeContext,
    rxOptions,
)

pytestmark = pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning")


def stuck(i, native):
    """Task 2 does not end: in Python, or inside the regular expressions' native code, which holds Python's lock."""
    if i != 2:
        return i
    if native:
        re.match("(a+)+b", "a" * 40)
    while True:
        pass


@pytest.mark.parametrize("native", [False, True], ids=["Python", "native"])
def test_a_task_past_the_limit_is_stopped_and_named(change_context, native):
    """Its slot holds an RxTimeLimitError with limit, task and the line that ran; all others' values arrive, soon."""
    change_context(taskTimeLimit=0.7)
    begun = time.monotonic()
    with pytest.warns(RxTaskWarning, match="1 of 5 tasks failed"):
        result = rxExec(stuck, rxElemArg(range(5)), native, taskChunkSize=5)
    assert time.monotonic() - begun < 30
    assert [value for value in result if not isinstance(value, RxTaskError)] == [0, 1, 3, 4]
    error = result[2]
    assert isinstance(error, RxTimeLimitError)
    assert (error.task, error.type, result.errors) == (2, "TimeLimitExceeded", {2: error})
    assert "taskTimeLimit=0.7 seconds" in error.message
    assert "in stuck" in error.traceback


def test_the_limit_changes_no_number(change_context):
    """With a limit the streams are as without one, also behind a task that was stopped."""

    def draw(i, fail):
        if i == 2 and fail == "late":
            time.sleep(60)
        if i == 2 and fail:
            raise ValueError
        return float(np.random.normal()), float(np.random.default_rng().random())

    def numbers(fail):
        result = rxExec(draw, rxElemArg(range(6)), fail, taskChunkSize=3, RNGseed=777)
        return [result[i] for i in (0, 1, 3, 4, 5)]

    without = numbers("soon")
    change_context(taskTimeLimit=1)
    assert numbers("late") == without
    assert numbers("soon") == without


def test_a_long_search_path_is_no_hindrance(change_context, monkeypatch, tmp_path):
    """Though it is longer than what the system takes as the argument of a program; the tasks have it, too."""
    monkeypatch.setattr(sys, "path", [*sys.path, *(f"{tmp_path}/{i:090}" for i in range(4000))])
    last = sys.path[-1]
    change_context(taskTimeLimit=60)
    result: Any = rxExec(
        lambda i: os._exit(3) if i == 1 else (i, last in sys.path), rxElemArg(range(3)), taskChunkSize=3
    )
    assert isinstance(result[1], RxLostTaskError)
    assert [value[0] for value in (result[0], result[2])] == [0, 2]
    if rxGetComputeContext().alias != "spark":
        assert result[0][1]


def test_only_the_tasks_own_time_counts(change_context):
    """A hundred short tasks together may take longer than the limit of each; loading packages is not theirs."""
    change_context(taskTimeLimit=0.4)
    assert rxExec(time.sleep, rxElemArg([0.05] * 20), taskChunkSize=10) == [None] * 20


def test_a_task_that_dies_under_a_limit_is_lost_not_late(change_context):
    """Death has its own error, and by chance it costs nothing."""
    change_context(taskTimeLimit=20)
    result = rxExec(lambda i: os.kill(os.getpid(), signal.SIGKILL) if i == 1 else i, rxElemArg(range(3)))
    assert isinstance(result[1], RxLostTaskError)
    assert (result[0], result[2]) == (0, 2)


def test_the_first_late_task_ends_a_call_that_stops_at_errors(change_context, tmp_path):
    """With continueOnFailure=False the limit is the error that is raised; later tasks of the chunk do not run."""
    change_context(taskTimeLimit=0.5)

    def work(i, folder):
        Path(folder, str(i)).touch()
        time.sleep(60 * (i == 1))

    with pytest.raises(RxTimeLimitError):
        rxExec(work, rxElemArg(range(4)), str(tmp_path), taskChunkSize=4, continueOnFailure=False)
    assert sorted(os.listdir(tmp_path)) == ["0", "1"]


def test_the_option_is_the_limit_of_contexts_without_one(change_context):
    """The option sets it for all; the context's own goes first."""
    before = rxOptions(taskTimeLimit=0.5)
    try:
        assert isinstance(rxExec(time.sleep, 30)[0], RxTimeLimitError)
        change_context(taskTimeLimit=20)
        assert rxExec(time.sleep, 0.8) == [None]
    finally:
        rxOptions(**before)


def test_what_a_late_task_has_started_ends_with_it(change_context, tmp_path):
    """A program that the task started does not outlive it."""
    change_context(taskTimeLimit=1)
    mark = tmp_path / "pid"
    rxExec(lambda path: os.system(f"echo $$ > {path}; exec sleep 600"), str(mark))
    pid = int(mark.read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), "the program has ended", 5)


def _is_zombie(pid):
    return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] == "Z"


def unexpected_child():
    """A process that has ended and that this task has not started, None if there is none."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] or None
    except ChildProcessError:
        return None


def test_tasks_of_later_calls_do_not_meet_the_processes_of_a_call_with_a_limit(change_context):
    """Not even one that has ended: a task that waits for any of its processes gets one of its own."""
    change_context(taskTimeLimit=60)
    for process in {*rxExec(os.getpid, timesToRun=8)} - {os.getpid()}:
        with suppress(ProcessLookupError):  # it has gone with its call
            os.kill(process, signal.SIGKILL)
    change_context(taskTimeLimit=None)
    assert rxExec(unexpected_child, timesToRun=8) == [None] * 8


def test_calls_of_several_threads_leave_each_other_their_processes(change_context, tmp_path):
    """The end of one call ends none that runs for another: no task of that one runs twice."""
    change_context(taskTimeLimit=60)

    def noted(i):
        (tmp_path / str(i)).open("a").write("x")
        time.sleep(0.4)
        return i

    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(rxExec, noted, rxElemArg(range(4)), taskChunkSize=2)
        while not long.done():
            assert rxExec(abs, -1) == [1]
    assert long.result() == [0, 1, 2, 3]
    assert [(tmp_path / str(i)).read_text() for i in range(4)] == ["x"] * 4


def take_signal(how):
    """Do something with the signal by which a child process is asked which line runs."""
    if how == "register":
        faulthandler.register(signal.SIGUSR1)
    elif how == "unregister":
        faulthandler.unregister(signal.SIGUSR1)
    elif how == "handler":
        signal.signal(signal.SIGUSR1, print)
    else:
        while True:
            pass


@pytest.mark.parametrize("how", ["register", "unregister", "handler"])
def test_a_task_that_takes_the_signal_costs_no_later_one_its_traceback(change_context, how):
    """The next task in its process that is past the limit still tells the line at which it was."""
    change_context(taskTimeLimit=0.7)
    result = rxExec(take_signal, rxElemArg([how, "stay"]), taskChunkSize=2)
    assert result[0] is None
    assert result[1].type == "TimeLimitExceeded"
    assert "in take_signal" in result[1].traceback
