"""Jobs whose results are combined: what there is so far, and the same bits after whatever has disturbed them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from trees import by_definition
from waiting import wait_until

from rxspark import (
    RxCombineError,
    RxJobError,
    RxLocalParallel,
    RxLocalSeq,
    RxTaskWarning,
    rxCancelJob,
    rxElemArg,
    rxExec,
    rxGetJobResults,
    rxGetJobs,
    rxGetJobStatus,
    rxResumeJob,
    rxWaitForJob,
)
from rxspark.files.paths import open_path
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob

TASKS = 40


def add_to(a, b):
    """Add to the first array itself."""
    a += b
    return a


def draw(number, folder):
    """Draw numbers whose sum depends on the order; from task 20 on only when a file is there; task 5 fails until then.

    Each start is noted.
    """
    import random

    with open(os.path.join(folder, "ran"), "a") as file:
        file.write(f"{number}\n")
    value = np.array([random.gauss(0, 1) * 10.0 ** random.randint(-8, 8)])
    there = os.path.join(folder, "open")
    if number == 5 and not os.path.exists(there):
        raise OSError("the service is down")
    wait_until(lambda: number < 20 or os.path.exists(there), "the gate is opened", 200)
    return value


def ran(folder):
    """The tasks that were started since the last time."""
    path = folder / "ran"
    numbers = sorted(map(int, path.read_text().split()))
    path.unlink()
    return numbers


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    """The values of the tasks, one by one."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "open").touch()
    with RxLocalSeq():
        return list(rxExec(draw, rxElemArg(range(TASKS)), str(folder), RNGseed=3, taskChunkSize=7, RNGscope="task"))


@pytest.fixture(params=["in memory", "in a folder"])
def share(request, tmp_path):
    """Where jobs are kept."""
    return None if request.param == "in memory" else str(tmp_path)


def submit(folder):
    """Submit the job."""
    return rxExec(
        draw, rxElemArg(range(TASKS)), str(folder), RNGseed=3, taskChunkSize=7, RNGscope="task", combine=add_to
    )


@pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning")
def test_what_there_is_so_far_can_be_had(values, share, tmp_path):
    """By the same tree, and with what is missing not counted; also from the folder alone."""
    with RxLocalSeq(wait=False, shareDir=share, autoCleanup=False):
        job = submit(tmp_path)
        wait_until(lambda: job.info()["done"] == 14, "14 tasks have finished")
        jobs = [job]
        if share is not None:
            jobs.append(RxJob(RemoteJob(JobFolder(open_path(os.path.join(share, "rxspark-jobs", job.id))))))
        for one in jobs:
            found = one.results(partial=True)
            expected = by_definition({i: values[i] for i in range(14) if i != 5}, TASKS, np.add)
            assert found.value.tobytes() == expected.tobytes()
            assert (found.count, found.tasks, list(found.errors)) == (13, TASKS, [5])
        with pytest.raises(RxJobError, match="running"):
            job.results()
        (tmp_path / "open").touch()
        assert rxWaitForJob(job, 60) == "finished"
        expected = by_definition({i: values[i] for i in range(TASKS) if i != 5}, TASKS, np.add)
        for one in jobs:
            assert one.results(autoCleanup=False).value.tobytes() == expected.tobytes()


@pytest.mark.parametrize("context", [RxLocalSeq, RxLocalParallel])
def test_a_job_that_is_resumed_has_the_same_bits(values, context, share, tmp_path):
    """After a cancel, with the failed task left out; then with it, by only="failed": its whole partition runs again."""
    with RxLocalSeq(wait=False, shareDir=share, autoCleanup=False):
        job = submit(tmp_path)
        wait_until(lambda: job.info()["done"] == 14, "14 tasks have finished")
        assert rxCancelJob(job)
    (tmp_path / "open").touch()
    ran(tmp_path)
    with context(wait=False, shareDir=share, autoCleanup=False):
        rxWaitForJob(rxResumeJob(job))
        assert ran(tmp_path) == list(range(14, TASKS))
        with pytest.warns(RxTaskWarning, match="1 of 40 tasks failed; task 5"):
            found = rxGetJobResults(job)
        expected = by_definition({i: values[i] for i in range(TASKS) if i != 5}, TASKS, np.add)
        assert (found.value.tobytes(), found.count) == (expected.tobytes(), TASKS - 1)
        rxWaitForJob(rxResumeJob(job, only="failed"))
        assert ran(tmp_path) == list(range(7))
        found = rxGetJobResults(job)
        expected = by_definition(dict(enumerate(values)), TASKS, np.add)
        assert (found.value.tobytes(), found.count, found.errors) == (expected.tobytes(), TASKS, {})
        with pytest.raises(RxJobError, match="nothing is missing"):
            rxResumeJob(job, only="failed")


def test_elements_of_an_iterator_are_combined_as_they_come(share):
    """The tree needs not know how many there will be."""
    with RxLocalSeq(wait=False, shareDir=share):
        job = rxExec(str, rxElemArg(str(i) for i in range(100)), combine=lambda a, b: f"({a}{b})")
        with pytest.raises(RxJobError, match="combines its results"):
            list(job)
        rxWaitForJob(job, 60)
        found: Any = rxGetJobResults(job)
    assert found.value == by_definition({i: str(i) for i in range(100)}, 100, lambda a, b: f"({a}{b})")
    assert (found.count, found.tasks) == (100, 100)


def test_a_job_whose_combine_fails_says_so(share):
    """Its state is failed, and its error that of a call which waits, also for what there is so far."""
    with RxLocalSeq(wait=False, shareDir=share, autoCleanup=False):
        job = rxExec(lambda i: i if i < 16 else "text", rxElemArg(range(32)), taskChunkSize=4, combine="sum")
        rxWaitForJob(job, 60)
        assert rxGetJobStatus(job) == "failed"
        with pytest.raises(RxCombineError, match=r"int \(of tasks 0 to 15\) and str \(of tasks 16 to 31\)"):
            rxGetJobResults(job)
        with pytest.raises(RxCombineError, match="int"):
            rxGetJobResults(job, partial=True)
        assert [one.id for one in rxGetJobs()] == [job.id]
