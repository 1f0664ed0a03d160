"""Faults of every kind in every context that has workers: what they cost, as a table at the end of the run."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from rxspark import RxLostTaskError, rxElemArg, rxExec

pytestmark = [
    pytest.mark.left_out(
        local="the tasks run in the process of pytest itself, which would die",
        dopar_threading="the tasks run in the process of pytest itself, which would die",
    ),
    pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:joblib"),
]

# How a task ends its worker, and what its error says of it.
FAULTS = {
    "segmentation fault": "SIGSEGV",
    "killed": "SIGKILL",
    "exit 0": "exit status 0",
    "exit 3": "exit status 3",
    "out of memory": "SIGABRT",
    "stack overflow": "SIGSEGV",
}


def die(fault):
    """End this process in one of the ways."""
    if fault == "segmentation fault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault.startswith("exit"):
        os._exit(int(fault[-1]))
    elif fault == "out of memory":
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        held = []
        try:
            while True:
                held.append(bytearray(1 << 26))
        except MemoryError:  # in native code nobody catches it
            os.abort()
    faulthandler._stack_overflow()  # type: ignore[attr-defined]  # in native code: Python 3.14 counts its own


def work(i, fault, folder):
    """Leave a trace of each run that came to its end; the faulty ones come to none.

    What takes less than writing it down is worth may run again; this takes longer.
    """
    time.sleep(0.02)
    if fault is not None:
        time.sleep(0.3)
        die(fault)
    with open(Path(folder, str(i)), "a") as file:
        file.write("x")
    return i


def test_each_fault_costs_its_own_task(where, tmp_path, record_fault_row):
    """As many tasks are lost as were faulty, each error tells how; no other task is lost or runs twice."""
    faults = [None, *(found for fault in FAULTS for found in (fault, None))]
    result = rxExec(work, rxElemArg(range(len(faults))), rxElemArg(faults), str(tmp_path), taskChunkSize=1)
    lost = {number: error for number, error in result.errors.items() if isinstance(error, RxLostTaskError)}
    twice = sum(len(file.read_text()) > 1 for file in tmp_path.iterdir())
    record_fault_row(where, len(FAULTS), len(lost), twice)
    assert list(result.errors) == list(lost) == [number for number, fault in enumerate(faults) if fault]
    for number, error in lost.items():
        assert FAULTS[str(faults[number])] in error.message, error
    assert [value for number, value in enumerate(result) if number not in lost] == list(range(0, len(faults), 2))
    assert twice == 0


@pytest.mark.parametrize("chunk", [None, 4])
def test_no_finished_task_runs_twice(where, chunk, tmp_path, record_fault_row):
    """With several tasks a partition, those that were finished beside a death, or before it, do not run again.

    On other hosts than the caller's, as all behind a Spark Connect server are, the crashed worker's own chunk does, and
    no other.
    """
    faults: list[str | None] = [None] * 12
    faults[5] = faults[9] = "killed"
    result = rxExec(work, rxElemArg(range(12)), rxElemArg(faults), str(tmp_path), taskChunkSize=chunk)
    twice = {int(file.name) for file in tmp_path.iterdir() if len(file.read_text()) > 1}
    record_fault_row(f"{where}, {chunk or 'no'} chunk", 2, len(result.errors), len(twice))
    assert list(result.errors) == [5, 9]
    assert all(isinstance(error, RxLostTaskError) for error in result.errors.values())
    assert [result[i] for i in range(12) if i not in (5, 9)] == [0, 1, 2, 3, 4, 6, 7, 8, 10, 11]
    if where not in ("spark-cluster", "spark-connect", "spark-lab"):
        assert not twice
    else:
        assert twice <= ({4, 8} if chunk else {3})  # without a size, tasks 3 and 9 are one of six partitions
