"""Many jobs: nothing is left behind, neither threads nor processes nor files."""

from __future__ import annotations

import json
import operator
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from waiting import let_pass, wait_until

from rxspark import RxLocalParallel, RxLocalSeq, RxSpark, rxCancelJob, rxElemArg, rxExec, rxGetJobResults, rxGetJobs


def _held() -> tuple[int, int]:
    """Threads and open files of this process."""
    return threading.active_count(), len(os.listdir("/proc/self/fd"))


def _settle(before: tuple[int, int], more: tuple[int, int]) -> None:
    most = before[0] + more[0], before[1] + more[1]
    wait_until(lambda: all(map(operator.le, _held(), most)), f"no more than {most} threads and files", 20)


@pytest.mark.parametrize("jobs", [100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("durable", [False, True])
def test_jobs_leave_nothing(jobs, durable, tmp_path, monkeypatch):
    """After the first ones have made the pool, threads and files stay as many as they were."""
    temporary = tmp_path / "temporary"  # of this test alone, as other programs use the system's too
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with RxLocalSeq(wait=False, shareDir=str(tmp_path) if durable else None):
        rxGetJobResults_of([rxExec(abs, -1)])
        before = _held()
        for start in range(0, jobs, 50):
            submitted = [rxExec(abs, -n) for n in range(start, start + 50)]
            assert rxGetJobResults_of(submitted) == [[n] for n in range(start, start + 50)]
        assert rxGetJobs() == []
    _settle(before, (0, 2))
    assert not (tmp_path / "rxspark-jobs").exists()
    assert [path for path in temporary.rglob("*") if path.suffix in (".bundle", ".journal", ".results")] == []


def rxGetJobResults_of(jobs):
    """The results of all, in their order."""
    for job in jobs:
        assert job.wait(120) == "finished"
    return rxGetJobResults(jobs)


@pytest.mark.parametrize("jobs", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_submitting_and_cancelling_again_and_again(jobs, tmp_path):
    """A job is cancelled whether it is still queued, about to begin or running, and the next one finds workers."""
    with RxLocalParallel(wait=False):
        rxGetJobResults_of([rxExec(abs, rxElemArg([-1, -2]))])
        before = _held()
        for number in range(jobs):
            job = rxExec(lambda: sum(range(10**15)), timesToRun=2)
            let_pass(number % 5 / 20, "it is still queued, about to begin, or running")
            assert rxCancelJob(job) is True
            assert job.status() == "canceled"
        assert rxGetJobResults_of([rxExec(abs, rxElemArg([-1, -2]))]) == [[1, 2]]
    _settle(before, (1, 6))


@pytest.mark.spark
def test_spark_jobs_side_by_side_leave_nothing():
    """Two jobs share the slots under FAIR; many leave no thread in this process nor the JVM, and no broadcast."""
    from rxspark.backends.spark.session import classic_context, stop_own

    stop_own()
    config = {"spark.ui.enabled": "false", "spark.scheduler.mode": "FAIR"}
    try:
        with RxSpark(master="local[2,4]", wait=False, extraSparkConfig=config):
            gate = Path(tempfile.mkdtemp()) / "gate"

            def waits(path):  # until there is such a file
                wait_until(lambda: os.path.exists(path), "the gate is opened", 200)
                return "waited"

            long = rxExec(waits, str(gate), timesToRun=30, taskChunkSize=1)
            short = rxExec(abs, rxElemArg([-1, -2]), taskChunkSize=1)
            wait_until(lambda: long.status() == "running", "the long job runs")
            # With both slots taken a pool of its own would not help; one slot comes free as soon as one task ends.
            gate.touch()
            assert short.wait(60) == "finished"
            assert rxGetJobResults_of([long, short]) == [["waited"] * 30, [1, 2]]

            context = classic_context()
            assert context is not None

            def count() -> int:
                """The JVM's threads for threads of this process; Spark's own pools have a limit, and shrink."""
                threads = context._jvm.java.lang.Thread.getAllStackTraces().keySet()
                return sum(thread.getName().startswith("Thread-") for thread in threads)

            rxGetJobResults_of([rxExec(abs, -1) for _ in range(10)])
            before, threads = _held(), count()
            for _ in range(5):
                rxGetJobResults_of([rxExec(abs, -n) for n in range(10)])
            _settle(before, (1, 4))
            wait_until(lambda: count() <= threads + 5, "the JVM's threads have ended", 20)

            victim = rxExec(waits, "/nowhere", timesToRun=2)
            wait_until(context.statusTracker().getActiveJobsIds, "Spark runs the job")
            context.cancelAllJobs()  # as from the Spark UI
            assert victim.wait(60) == "canceled"
            stranded = rxExec(waits, "/nowhere", timesToRun=2)
            wait_until(context.statusTracker().getActiveJobsIds, "Spark runs the job")
            context.stop()
            assert stranded.wait(60) in ("failed", "canceled")
    finally:
        stop_own()


# A program of its own, whose console can be read: what it and its JVM hold after some jobs, and after many more.
MANY_ON_SPARK = """
import gc, json, os, sys, threading, time
from rxspark import RxSpark, rxCancelJob, rxCleanupJobs, rxElemArg, rxExec, rxGetJobResults, rxGetJobs
from rxspark.backends.spark.session import classic_context

ROUND = 10
TABLE = list(range(300_000))

def task(n, table):
    return n + len(table)

def finished(first):
    jobs = [rxExec(task, rxElemArg([n, -n]), TABLE) for n in range(first, first + ROUND)]
    assert [job.wait(300) for job in jobs] == ["finished"] * ROUND
    expected = [[n + len(TABLE), -n + len(TABLE)] for n in range(first, first + ROUND)]
    assert rxGetJobResults(jobs) == expected and rxGetJobs() == []

def cancelled(number):
    job = rxExec(time.sleep, 600, timesToRun=2)
    time.sleep(number % 5 / 20)  # still queued, about to begin, or running
    assert rxCancelJob(job) and job.status() == "canceled"
    rxCleanupJobs(job)

def held():
    context = classic_context()
    threads = context._jvm.java.lang.Thread.getAllStackTraces().keySet()
    stores = context._jsc.sc().getExecutorMemoryStatus().values().iterator()
    used = 0
    while stores.hasNext():
        most, left = stores.next().productIterator().toList().mkString(" ").split()
        used += int(most) - int(left)
    return {
        "threads": threading.active_count(),
        "open files": len(os.listdir("/proc/self/fd")),
        "the JVM's threads for ours": sum(thread.getName().startswith("Thread-") for thread in threads),
        "bytes of broadcasts": used,
        "files in the temporary folder": sum(len(files) for _, _, files in os.walk(os.environ["TMPDIR"])),
    }

def settled(most):
    until = time.monotonic() + 60
    while True:
        gc.collect()
        classic_context()._jvm.System.gc()
        now = held()
        if all(now[name] <= most[name] for name in now) or time.monotonic() > until:
            return now
        time.sleep(0.5)

config = {"spark.ui.enabled": "false", "spark.scheduler.mode": "FAIR"}  # of whose pools Spark warns one by one
with RxSpark(master="local[2,4]", wait=False, extraSparkConfig=config):
    for first in range(0, 50, ROUND):
        finished(first)
    for number in range(5):
        cancelled(number)
    time.sleep(3)
    before = held()
    for first in range(0, int(sys.argv[1]), ROUND):
        finished(first)
    for number in range(int(sys.argv[2])):
        cancelled(number)
    finished(0)
    most = {**before, "threads": before["threads"] + 1, "open files": before["open files"] + 4}
    most["the JVM's threads for ours"] += 5
    most["files in the temporary folder"] += 2
    print(json.dumps([most, settled(most)]))
"""


@pytest.mark.spark
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("jobs", "cancelled"), [(20, 10), pytest.param(1000, 200, marks=pytest.mark.slow)])
def test_jobs_on_spark_leave_nothing_in_the_program_and_its_jvm(jobs, cancelled, tmp_path):
    """Neither threads, files nor broadcasts, be they finished or cancelled; nor lines of Spark's in the console."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYSPARK_PYTHON": sys.executable,
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", MANY_ON_SPARK, str(jobs), str(cancelled)],
        capture_output=True,
        text=True,
        timeout=1400,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    most, found = json.loads(done.stdout.splitlines()[-1])
    assert {name: number for name, number in found.items() if number > most[name]} == {}
    assert "has not been configured" not in done.stderr
