"""A job that another program resumes finds there what its tasks need."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# A program of its own, as jobs outlive programs: it submits one job, and prints its id.
from drivers import read_id, start_driver, wait_for_parts

from rxspark import (
    RxLocalParallel,
    RxLocalSeq,
    RxTaskWarning,
    rxElemArg,
    rxExec,
    rxGetJobResults,
    rxResumeJob,
    rxWaitForJob,
)


def test_shared_objects_come_back_with_a_resumed_job(tmp_path):
    """The file of rxShare ends with its process; a job that is to survive takes it along."""
    after = "job.wait()"
    before = (
        "import numpy as np; shared = rxShare(np.arange(100_000.0)); "
        "task = lambda number, folder, pause: (time.sleep(pause), float(shared.sum() + number))[1]"
    )
    driver = start_driver(
        tmp_path,
        f"RxLocalParallel(wait=False, shareDir={str(tmp_path)!r})",
        tasks=6,
        pause=0.5,
        before=before,
        after=after,
    )
    job_id = read_id(driver)
    wait_for_parts(tmp_path, job_id, 1)
    driver.kill()
    driver.wait()
    with RxLocalSeq(shareDir=str(tmp_path)):
        job = rxResumeJob(job_id)
        assert job.wait(60) == "finished"
        assert job.results() == [4999950000.0 + number for number in range(6)]


def test_who_resumes_brings_the_environment(tmp_path, monkeypatch):
    """It stands in no file; the tasks see that of the process that runs them, as those of a new call would."""
    monkeypatch.setenv("RXSPARK_TEST_PASSWORD", "first")
    with RxLocalParallel(wait=False, shareDir=str(tmp_path)):
        job = rxExec(lambda i: i or {"second": 7}[os.environ["RXSPARK_TEST_PASSWORD"]], rxElemArg([1, 0]))
        assert rxWaitForJob(job, timeout=60) == "finished"
    with pytest.warns(RxTaskWarning, match="KeyError"):
        rxGetJobResults(job, partial=True)
    monkeypatch.setenv("RXSPARK_TEST_PASSWORD", "second")
    with RxLocalParallel(shareDir=str(tmp_path)):
        assert rxWaitForJob(rxResumeJob(job, only="failed"), timeout=60) == "finished"
        assert rxGetJobResults(job) == [1, 7]


SCRIPT_CLASS = """
from rxspark import *

class Point:
    def __init__(self, x):
        self.x = x

    def twice(self):
        return 2 * self.x

if __name__ == "__main__":
    with {context}(shareDir={folder!r}, wait=False):
        job = rxExec(Point, rxElemArg([1, 2]))
        job.wait()
        print(job.id)
"""


@pytest.mark.parametrize("context", ["RxLocalSeq", "RxLocalParallel"])
def test_objects_of_a_class_of_the_script_reach_the_next_program(context, tmp_path):
    """They go by value wherever the tasks ran, as the next program has another `__main__`."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT_CLASS.format(context=context, folder=str(tmp_path)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=True)
    with RxLocalSeq(shareDir=str(tmp_path)):
        points = rxGetJobResults(ran.stdout.strip())
    assert [point.twice() for point in points] == [2, 4]
    assert type(points[0]) is type(points[1])
