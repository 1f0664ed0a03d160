"""Callbacks of jobs and the end of the program."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from engines_end import without_engines_end

PROGRAM = """
import sys, time
from rxspark import *

def called(job):
    time.sleep(0.3)
    print("called", job.status(), flush=True)
    if "again" in sys.argv:
        print("again", rxWaitForJob(rxExec(time.sleep, 0.1), timeout=30), flush=True)

if __name__ == "__main__":
    with {context}:
        job = rxExec(time.sleep, {seconds})
        job.add_done_callback(called)
        if "wait" in sys.argv:
            print(rxWaitForJob(job, timeout=60), flush=True)
"""

CONTEXTS = [
    "RxLocalSeq(wait=False)",
    "RxLocalParallel(wait=False)",
    "RxForeachDoPar(wait=False)",
    pytest.param("RxSpark(wait=False, master='local[1]')", marks=pytest.mark.spark),
]


def _lines(context: str, seconds: float, *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(context=context, seconds=seconds), *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
    )
    assert "Traceback" not in without_engines_end(done.stderr), done.stderr
    assert done.returncode == 0
    return done.stdout.splitlines()


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_program_that_ends_with_its_job_has_run_the_callback(context: str) -> None:
    """Whoever waits for the job may end the program at once: that waits for the callback."""
    assert _lines(context, 0.5, "wait") == ["finished", "called finished"]


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_end_of_the_program_is_told_to_callbacks(context: str) -> None:
    """A job that the end of the program cancels has one that says so; what it submits then is cancelled, too."""
    assert _lines(context, 60, "again") == ["called canceled", "again canceled"]
