"""A job that another process cancels while its owner waits for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from waiting import wait_until

from rxspark import RxLocalSeq, RxNotFinished, rxCancelJob, rxCleanupJobs, rxGetJobResults, rxGetJobStatus

OWNER = """
import time
from rxspark import *

def task(number):
    time.sleep(0.2)
    return number

if __name__ == "__main__":
    with {context}:
        job = rxExec(task, rxElemArg(range(200)), taskChunkSize=1)
        print(job.id, flush=True)
        print(rxWaitForJob(job), job.status(), flush=True)
"""


@pytest.mark.parametrize("context", ["RxLocalParallel", "RxLocalSeq"])
@pytest.mark.parametrize("begun", [False, True])
def test_the_owner_ends_cleanly_and_keeps_what_had_finished(context, begun, tmp_path):
    """The owner is told "canceled" and ends without an error; the results that there were stay."""
    script = tmp_path / "owner.py"
    script.write_text(OWNER.format(context=f"{context}(wait=False, shareDir={str(tmp_path)!r})"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    owner = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    job = owner.stdout.readline().strip()
    if begun:
        wait_until(lambda: any(tmp_path.rglob("*.results")), "a partition is kept")
    with RxLocalSeq(shareDir=str(tmp_path)):
        rxCancelJob(job)
        told, errors = owner.communicate(timeout=60)
        assert (told.split(), errors, owner.returncode) == (["canceled", "canceled"], "", 0)
        assert rxGetJobStatus(job) == "canceled"
        values = rxGetJobResults(job, partial=True)
        finished = [value for value in values if not isinstance(value, RxNotFinished)]
        assert finished == sorted(finished)
        assert finished or not begun
        assert len(finished) < 200
        rxCleanupJobs(job, force=True)
