"""The death of a worker costs the task that killed it, and nothing else."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from rxspark import RxLostTaskError, RxTaskError, RxTaskWarning, rxElemArg, rxExec

pytestmark = [
    pytest.mark.left_out(
        local="the tasks run in the process of pytest itself, which would die",
        dopar_threading="the tasks run in the process of pytest itself, which would die",
    ),
    pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:joblib"),
]


def die(how):
    """End this process."""
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), getattr(signal, how))


@pytest.mark.parametrize(
    ("how", "told", "chunk"), [("SIGSEGV", "SIGSEGV", None), ("SIGKILL", "SIGKILL", 4), ("exit", "exit status 3", 1)]
)
def test_a_death_costs_one_task(how, told, chunk):
    """The task's error is an RxLostTaskError that tells how the worker ended; all others' values arrive."""
    with pytest.warns(RxTaskWarning, match="1 of 6 tasks failed"):
        result = rxExec(lambda i: die(how) if i == 2 else i, rxElemArg(range(6)), taskChunkSize=chunk)
    assert [value for value in result if not isinstance(value, RxTaskError)] == [0, 1, 3, 4, 5]
    error = result[2]
    assert isinstance(error, RxLostTaskError)
    assert (error.task, error.type, result.errors) == (2, "WorkerDied", {2: error})
    assert told in error.message
    assert rxExec(abs, rxElemArg([-1, -2])) == [1, 2]


def test_a_segmentation_fault_shows_the_line():
    """The error of a task that crashed in native code shows the Python line that was running."""
    error = rxExec(die, "SIGSEGV")[0]
    assert "test_death.py" in str(error)


def test_several_deaths_in_one_chunk():
    """Each killer is found, also when all tasks of a chunk kill their worker."""
    result = rxExec(lambda i: die("SIGKILL") if i in (0, 1, 3) else i, rxElemArg(range(5)), taskChunkSize=5)
    assert list(result.errors) == [0, 1, 3]
    assert all(isinstance(error, RxLostTaskError) for error in result.errors.values())
    assert (result[2], result[4]) == (2, 4)


def test_a_death_under_stop_at_the_first_error():
    """With continueOnFailure=False the loss of a task is the error that is raised."""
    with pytest.raises(RxLostTaskError, match="SIGKILL"):
        rxExec(lambda i: die("SIGKILL") if i == 1 else i, rxElemArg(range(4)), continueOnFailure=False)
    assert rxExec(abs, -1) == [1]


def test_a_death_changes_no_number():
    """Behind a task that died the stream of the chunk goes on where that task began."""

    def draw(i, killer):
        if i == 2:
            if killer:
                die("SIGKILL")
            raise ValueError
        return float(np.random.normal()), float(np.random.default_rng().random())

    died, raised = (rxExec(draw, rxElemArg(range(6)), killer, taskChunkSize=6, RNGseed=777) for killer in (True, False))
    assert [died[i] for i in (0, 1, 3, 4, 5)] == [raised[i] for i in (0, 1, 3, 4, 5)]


def test_a_worker_that_dies_once_costs_nothing(tmp_path):
    """A death by chance, which does not come again, is made good."""
    mark = tmp_path / "died"

    def once(i):
        if i == 1 and not mark.exists():
            mark.touch()
            die("SIGKILL")
        return i

    assert rxExec(once, rxElemArg(range(4))) == [0, 1, 2, 3]


def test_a_death_under_a_long_search_path(monkeypatch, tmp_path):
    """It costs one task then, too: the path is longer than what the system takes as the argument of a program."""
    monkeypatch.setattr(sys, "path", [*sys.path, *(f"{tmp_path}/{i:090}" for i in range(4000))])
    result = rxExec(lambda i: die("SIGKILL") if i == 1 else i, rxElemArg(range(4)), taskChunkSize=2)
    assert list(result.errors) == [1]
    assert [result[i] for i in (0, 2, 3)] == [0, 2, 3]


def test_the_console_of_the_survivors_arrives():
    """The text of the other tasks is in `.output`, and nothing that they left behind is met by any."""

    def talk(i):
        print("task", i, Path.cwd() == Path("/"))
        os.chdir("/")
        return die("SIGKILL") if i == 1 else i

    assert rxExec(talk, rxElemArg(range(3)), taskChunkSize=3).output == {0: "task 0 False\n", 2: "task 2 False\n"}
