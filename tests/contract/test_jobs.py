"""Jobs in the background keep the same promises in every context: at once a job, later the same results."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from waiting import wait_until

from rxspark import (
    ComputeContext,
    RxCanceledError,
    RxJob,
    RxJobError,
    RxNotFinished,
    RxTaskError,
    RxTaskWarning,
    rxCancelJob,
    rxCleanupJobs,
    rxElemArg,
    rxExec,
    rxGetJobInfo,
    rxGetJobOutput,
    rxGetJobResults,
    rxGetJobs,
    rxGetJobStatus,
    rxWaitForJob,
)


@pytest.fixture(autouse=True)
def not_waiting(context: ComputeContext) -> Iterator[ComputeContext]:
    """The context, and that its calls do not wait; no test leaves a job behind."""
    with replace(context, wait=False) as made:
        yield made
    rxCleanupJobs(rxGetJobs(), force=True)


def _draw(number: int, gate: str) -> tuple[int, float]:
    """Wait until the gate is opened, and give a random number."""
    wait_until(lambda: os.path.exists(gate), "the gate is opened", 200)
    return number, random.random()


def _busy_from(number: int, first_busy: int, folder: str) -> int:
    """Answer, or compute for ever inside of one native call."""
    Path(folder, f"started-{number}").touch()
    if number >= first_busy:
        sum(range(10**15))
    return number


def test_a_job_comes_at_once_and_gives_what_a_waiting_call_gives(context: ComputeContext, tmp_path: Path) -> None:
    """Same values, names and random numbers as with wait=True; the results are there once, and then removed."""
    gate = tmp_path / "gate"
    call: dict[str, Any] = {"elemArgs": {f"n{i}": (i,) for i in range(6)}, "RNGseed": 7, "taskChunkSize": 2}
    job = rxExec(_draw, gate=str(gate), **call)
    assert isinstance(job, RxJob)  # with the gate closed no task can have ended
    with pytest.raises(RxJobError, match=r"is (queued|running).*rxWaitForJob"):
        rxGetJobResults(job)
    assert rxWaitForJob(job, timeout=0.1) in ("queued", "running")
    gate.touch()
    assert rxWaitForJob(job, timeout=120) == "finished"
    results = rxGetJobResults(job)
    with context:
        waited_for = rxExec(_draw, gate=str(gate), **call)
    assert results == waited_for
    assert results.names == waited_for.names == [f"n{i}" for i in range(6)]
    assert rxGetJobStatus(job) == "missing"
    with pytest.raises(RxJobError, match="its results were fetched"):
        rxGetJobResults(job)


def test_results_can_be_kept_and_are_removed_by_cleanup_only() -> None:
    """With autoCleanup=False they can be fetched again; rxCleanupJobs refuses what nobody has read, unless forced."""
    kept, unread = rxExec(abs, -1, timesToRun=2, autoCleanup=False), rxExec(abs, -2)
    assert rxWaitForJob([kept, unread.id], timeout=120) == ["finished", "finished"]
    assert [rxGetJobResults(kept), rxGetJobResults(kept.id)] == [[1, 1], [1, 1]]
    with pytest.raises(RxJobError, match="nobody has read its results"):
        rxCleanupJobs([unread, kept])
    assert rxGetJobStatus([kept, unread]) == ["missing", "finished"]
    rxCleanupJobs(unread, force=True)
    assert rxGetJobStatus(unread) == "missing"


def test_a_failed_task_is_an_entry_and_not_a_failed_job() -> None:
    """With continueOnFailure the job finishes and its results hold the error; without, it fails by that error."""
    goes_on = rxExec(lambda i: 1 / i, rxElemArg([1, 0]))
    stops = rxExec(lambda i: 1 / i, rxElemArg([0, 0]), continueOnFailure=False)
    assert rxWaitForJob([goes_on, stops], timeout=120) == ["finished", "failed"]
    with pytest.warns(RxTaskWarning, match="1 of 2 tasks failed") as told:
        results = rxGetJobResults(goes_on)
    assert told[0].filename == __file__
    assert results[0] == 1.0
    assert isinstance(results[1], RxTaskError)
    with pytest.raises(RxTaskError, match="ZeroDivisionError") as raised:
        rxGetJobResults(stops)
    assert stops.id in raised.value.__notes__[0]


def test_cancelling_frees_the_slots_and_keeps_what_was_finished(tmp_path: Path) -> None:
    """A job that is busy inside of native code ends, once and for all; the next one has the workers."""
    job = rxExec(_busy_from, rxElemArg(range(4)), 1, str(tmp_path), taskChunkSize=1)
    first: object = next(iter(job))
    wait_until((tmp_path / "started-1").exists, "the second task has begun")
    assert first == (0, 0)
    assert (rxCancelJob(job), rxCancelJob(job)) == (True, False)
    assert rxGetJobStatus(job) == "canceled"
    with pytest.raises(RxCanceledError, match="1 of 4 tasks have finished"):
        rxGetJobResults(job)
    partial = rxGetJobResults(job, partial=True)
    assert partial == [0, RxNotFinished, RxNotFinished, RxNotFinished]
    after = rxExec(abs, rxElemArg([-1, -2]))
    assert rxWaitForJob(after, timeout=60) == "finished"


def test_cancelling_a_job_does_not_touch_a_call_that_waits(context: ComputeContext, tmp_path: Path) -> None:
    """Workers of the background are not those of the foreground."""
    job = rxExec(_busy_from, rxElemArg([0]), 0, str(tmp_path), taskChunkSize=1)

    def slow(number: int) -> int:
        time.sleep(0.5)
        return number

    with context:
        threading.Timer(0.3, job.cancel).start()
        results = rxExec(slow, rxElemArg(range(3)), taskChunkSize=1)
    assert results == [0, 1, 2]
    assert set(results.info["attempt"]) == {0}
    assert rxWaitForJob(job, timeout=60) == "canceled"


def test_progress_output_and_callbacks() -> None:
    """Values come as tasks finish, the console of the tasks can be read, and whoever asked is told of the end."""
    ended, told = [], threading.Event()
    job = rxExec(lambda i: print(f"at {i}") or i * i, rxElemArg(range(5)))
    job.add_done_callback(lambda one: ended.append(one.status()))
    job.add_done_callback(lambda one: told.set())
    assert sorted(job) == [(i, i * i) for i in range(5)]
    assert told.wait(60)
    assert ended == ["finished"]
    assert rxGetJobOutput(job).splitlines() == [f"[task {i}] at {i}" for i in range(5)]
    info = rxGetJobInfo(job)
    assert (info["state"], info["tasks"], info["done"]) == ("finished", 5, 5)
    assert job.id in repr(rxGetJobs(states="finished"))
    assert "5/5" in repr(job)
    assert 'value="5"' in job._repr_html_()


def test_a_callback_may_wait_for_another_job(context: ComputeContext) -> None:
    """One that was submitted before, one that it submits, and a call that waits: it holds up none of them."""
    told: list[Any] = []
    first, second = rxExec(lambda: time.sleep(0.3) or 1), rxExec(lambda: 2)

    def called(job: RxJob[int]) -> None:
        told.append(rxWaitForJob(second, timeout=60))
        third = rxExec(lambda: 3)  # in the context in which the callback was added, which does not wait
        told.append(rxWaitForJob(third, timeout=60))
        with context:
            told.append(rxExec(lambda: 4))
        ended.set()

    ended = threading.Event()
    first.add_done_callback(called)
    assert ended.wait(120)
    assert told == ["finished", "finished", [4]]


def test_what_a_callback_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Be it added before or after the end; the next callback is called all the same."""
    job, called = rxExec(time.sleep, 0.2), threading.Event()
    job.add_done_callback(lambda job: 1 / 0)
    job.add_done_callback(lambda job: called.set())
    assert called.wait(60)
    job.add_done_callback(lambda job: 1 / 0)
    assert [record.message for record in caplog.records] == [f"a callback of {job.id} raised"] * 2


def test_this_process_stays_as_it_is_while_a_job_runs(capsys: pytest.CaptureFixture[str], where: str) -> None:
    """Neither its console, nor its environment, random numbers or working directory are the job's."""

    def task() -> int:
        os.environ["RXSPARK_TEST_TASK"] = "yes"
        os.chdir("/")
        random.seed(1)
        print("from the task")
        time.sleep(1)
        return os.getpid()

    state, folder, out = random.getstate(), os.getcwd(), sys.stdout
    job = rxExec(task)

    def finished_and_nothing_seen():
        assert sys.stdout is out
        assert "RXSPARK_TEST_TASK" not in os.environ
        assert (os.getcwd(), random.getstate()) == (folder, state)
        return rxGetJobStatus(job) == "finished"

    wait_until(finished_and_nothing_seen, "the job has finished")
    assert rxGetJobResults(job) != [os.getpid()]
    assert capsys.readouterr().out == ""


def test_arguments_are_taken_as_they_were_at_the_call() -> None:
    """A change of an argument after rxExec has returned is not seen by the tasks."""
    large, ones = np.ones(300_000), [np.ones(20_000), np.ones(20_000)]
    jobs = [rxExec(lambda x, y: float(x.sum() + y.sum()), large, rxElemArg(ones), taskChunkSize=1) for _ in range(2)]
    large[:] = 0
    for one in ones:
        one[:] = 0
    assert rxWaitForJob(jobs, timeout=120) == ["finished", "finished"]
    assert rxGetJobResults(jobs) == [[320_000.0, 320_000.0]] * 2


def test_no_tasks_make_a_job_with_nothing_in_it() -> None:
    """A call without any task is a job too, and its results are empty."""
    job = rxExec(abs, rxElemArg([]))
    assert rxWaitForJob(job, timeout=60) == "finished"
    assert rxGetJobResults(job) == []


def test_an_empty_list_of_jobs_says_why() -> None:
    """`rxGetJobs()[-1]` after the results were fetched tells where the job has gone."""
    with pytest.raises(IndexError, match=r"removes a job, unless autoCleanup=False"):
        rxGetJobs(states="queued")[-1]
