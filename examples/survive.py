"""A program that is killed half-way, and one that comes back for what is left.

    python examples/survive.py --context local|localpar|dopar|spark

Shows ``shareDir``: a job has a folder there, to which each worker writes what a chunk gave. The first program kills
itself by ``kill -9`` when half of its chunks are there. The second lists the jobs, resumes the one that it finds, and
compares with a run that nothing has disturbed. What to see: chunks that were finished do not run again, and the
numbers are the same, bit for bit.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import read_options

from rxspark import rxElemArg, rxExec, rxGetJobResults, rxGetJobs, rxResumeJob, rxSetComputeContext, rxWaitForJob

CHUNKS, SIZE = 30, 2
FOLDER = "SURVIVE_FOLDER"


def walk(number: int, ran: str | None = None) -> float:
    """The end of a random walk of a thousand steps; leaves a line in a file for every run."""
    if ran is not None:
        with open(ran, "a") as file:
            file.write(f"{number}\n")
        time.sleep(0.02)
    return sum(random.gauss(0, 1) for _ in range(1000))


def be_killed(folder: str) -> None:
    """The first program: it gets no further than half of its job."""
    job = rxExec(walk, rxElemArg(range(CHUNKS * SIZE)), f"{folder}/ran", taskChunkSize=SIZE, RNGseed=777)
    for there, _ in enumerate(job, 1):
        if there >= CHUNKS * SIZE // 2:
            os.kill(os.getpid(), signal.SIGKILL)


def come_back(folder: str) -> None:
    """The second program: it knows the folder, and nothing else."""
    (job,) = rxGetJobs()
    print(f"{job}\n")
    there = job.info()["done"]
    before = Path(folder, "ran").read_text().split()
    results = rxGetJobResults(job) if job.status() == "finished" else None
    if results is None:
        rxWaitForJob(rxResumeJob(job))
        results = rxGetJobResults(job)
    ran = Path(folder, "ran").read_text().split()[len(before) :]
    print(f"{there} tasks had finished; {len(ran)} ran after the return, {len(results)} results are there")
    again = set(ran) & set(before)
    print(f"tasks that had begun before, and were in chunks that had not been finished: {len(again)}")

    rxSetComputeContext("local")
    undisturbed = rxExec(walk, rxElemArg(range(CHUNKS * SIZE)), taskChunkSize=SIZE, RNGseed=777)
    print(f"the same numbers as without the interruption: {results == undisturbed}")


def main() -> None:
    """Start this very program once more, which is killed; then come back."""
    options = read_options(__doc__)
    folder = os.environ.get(FOLDER)
    if folder:
        rxSetComputeContext(options.context, wait=False, shareDir=folder)
        be_killed(folder)
        return
    with tempfile.TemporaryDirectory() as made:
        killed = subprocess.run([sys.executable, *sys.argv], env={**os.environ, FOLDER: made})
        print(f"the first program was ended by signal {-killed.returncode}")
        time.sleep(2)  # its workers finish the chunks that they have begun
        rxSetComputeContext(options.context, wait=False, shareDir=made)
        come_back(made)


if __name__ == "__main__":
    main()
