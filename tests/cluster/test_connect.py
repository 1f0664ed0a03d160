"""RxSpark on a Spark Connect server: what is not seen by the contract suite, which runs there too."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from connect_server import connect_server
from project import ROOT
from waiting import let_pass, wait_until

from rxspark import (
    RxContextError,
    RxLocalSeq,
    RxSpark,
    rxCancelJob,
    rxElemArg,
    rxExec,
    rxGetJobResults,
    rxGetJobs,
    rxResumeJob,
    rxWaitForJob,
)
from rxspark.backends.spark.capabilities import CAPABILITIES, capability_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server whose sessions bring 32 MB at most in one job."""
    with connect_server(**{"spark.driver.maxResultSize": "32m"}) as started:
        yield started.url


@pytest.fixture(scope="module", autouse=True)
def _session(server: str) -> Iterator[None]:
    """A session with it, as a user's own program has one."""
    from pyspark.sql.connect.session import SparkSession

    from rxspark.backends.spark.session import stop_own

    stop_own()
    session = SparkSession.builder.remote(server).create()
    yield
    session.stop()


def test_the_workers_are_asked_in_one_job_of_the_first_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number, versions, packages, generators and the share folder are one question, which later calls know."""
    from rxspark.backends.spark import connect

    asked: list[int] = []

    def counted(session: connect.ConnectSession, run: Any) -> Any:
        answers = ask(session, run)
        asked.append(len(answers))
        return answers

    ask = connect.ConnectSession._ask
    monkeypatch.setattr(connect.ConnectSession, "_ask", counted)
    with RxSpark(hdfsShareDir=f"file://{tmp_path}"):
        for kind in ("MT2203", "PHILOX"):
            rxExec(lambda: np.random.normal(), timesToRun=2, RNGseed=1, RNGkind=kind, packagesToLoad="pandas")
    assert asked == [2]  # the server's slots


def test_large_constants_and_elements_come_by_artifacts() -> None:
    """Data too large for a plan, constants of 40 MB and elements of 8 MB, reach the tasks whole."""
    constant, elements = np.arange(5_000_000.0), [np.full(1_000_000, k) for k in range(3)]

    def look(element: np.ndarray, constant: np.ndarray) -> tuple[float, float]:
        return float(element.sum()), float(constant[-1])

    with RxSpark():
        assert rxExec(look, rxElemArg(elements), constant) == [(k * 1e6, 4_999_999.0) for k in range(3)]


def test_large_constants_and_results_go_by_the_share_folder(tmp_path: Path) -> None:
    """With hdfsShareDir nothing has a limit: 48 MB of results where a job may bring 32; the folder is left clean."""
    with RxSpark(hdfsShareDir=f"file://{tmp_path}"):
        found = rxExec(lambda k, x: x + k, rxElemArg([1, 2]), np.arange(3_000_000.0))
    assert [float(values[-1]) for values in found] == [3_000_000.0, 3_000_001.0]
    assert [file for file in tmp_path.rglob("*") if file.is_file() and file.name.endswith(".results")] == []


def test_a_task_that_is_silent_for_long_is_not_taken_for_dead() -> None:
    """A call of C goes past idleTimeoutSeconds, at which the server would end the worker: the first attempt answers."""
    from pyspark.sql.connect.session import SparkSession

    settings = {"killOnIdleTimeout": "true", "idleTimeoutSeconds": "5"}
    session = SparkSession.active()

    def task(x: int) -> int:
        if x == 1:
            ctypes.PyDLL(None).sleep(7)  # in C, and no other thread of Python's runs
        return x * 10

    for name, value in settings.items():
        session.conf.set(f"spark.sql.execution.pyspark.udf.{name}", value)
    with RxSpark():
        found = rxExec(task, rxElemArg(range(3)), taskChunkSize=3)
    for name in settings:
        session.conf.unset(f"spark.sql.execution.pyspark.udf.{name}")
    assert (list(found), found.info["attempt"].tolist()) == ([0, 10, 20], [0, 0, 0])


def test_one_result_that_is_too_large_is_named_and_the_others_come() -> None:
    """A value past spark.driver.maxResultSize is the error of its own task, with setting and size."""
    with RxSpark(), pytest.warns(match="1 of 3 tasks failed"):
        found = rxExec(lambda k: bytes(40_000_000) if k == 1 else k, rxElemArg([0, 1, 2]), taskChunkSize=1)
    assert [found[0], found[2]] == [0, 2]
    assert "spark.driver.maxResultSize=32m" in str(found[1])


def test_a_job_is_cancelled_by_its_tag_and_frees_the_slots() -> None:
    """After rxCancelJob a call runs at once, although the tasks of the job would have slept for minutes."""
    with RxSpark(wait=False):
        job = rxExec(time.sleep, rxElemArg([200.0] * 2))
        wait_until(lambda: job.status() == "running", "the job runs")
        let_pass(2, "its tasks have come to sleep")
        began = time.monotonic()
        assert rxCancelJob(job)
        assert rxWaitForJob(job, timeout=60) == "canceled"
        after = rxExec(pow, rxElemArg([3, 4]), 2)
        assert rxWaitForJob(after, timeout=120) == "finished"
        assert rxGetJobResults(after) == [9, 16]
    assert time.monotonic() - began < 150


def test_another_master_is_refused() -> None:
    """A context that asks for an application of its own does not run silently on the active session."""
    with RxSpark(master="yarn"), pytest.raises(RxContextError, match="a Spark Connect session is active"):
        rxExec(pow, 2, 3)


def test_a_server_that_is_not_there_is_named() -> None:
    """RxSpark(master="sc://...") tells which address does not answer, after rxOptions("connectTimeout") seconds."""
    code = (
        "from rxspark import *\n"
        "rxOptions(connectTimeout=3)\n"
        "rxSetComputeContext('spark', master='sc://127.0.0.1:1')\n"
        "try:\n    rxExec(pow, 2, 3)\nexcept RxContextError as error:\n    print('told:', error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, cwd=ROOT)
    assert "told: sc://127.0.0.1:1 has not answered for 3 seconds" in done.stdout, done.stderr


_ON_ONE_SESSION = """
import os, sys
from pyspark.sql.connect.session import SparkSession
from rxspark import RxSpark, rxExec
from rxspark.backends.spark import package

SparkSession.builder.remote(sys.argv[1]).create()
if sys.argv[2] == "changed":
    package._DATE = (1990, 1, 1, 0, 0, 0)
with RxSpark():
    print(rxExec(lambda: __import__("rxspark").__file__)[0], flush=True)
os._exit(0)  # which leaves the session to the next program
"""


def test_programs_that_share_a_session_run_their_own_rxspark(server: str) -> None:
    """The same package is there once; a changed one is what its tasks run, on workers that have loaded the other."""
    shared = f"{server}/;session_id={uuid.uuid4()}"
    told = []
    for kind in ("first", "same", "changed"):
        command = [sys.executable, "-P", "-c", _ON_ONE_SESSION, shared, kind]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        told.append(done.stdout)
    assert told[0] == told[1] != told[2]


_PROGRAM = """
import os, signal, sys, threading, time
from pathlib import Path

import numpy as np
from connect_server import connect_server
from pyspark.sql.connect.session import SparkSession
from rxspark import RxContextError, RxSpark, rxElemArg, rxExec, rxOptions
from waiting import wait_until

folder = Path(sys.argv[1])
marks = folder / "marks"

def task(k):
    (marks / f"{k}-{time.time_ns()}").touch()
    if k >= 4 and not (folder / "again").exists():
        time.sleep(300)
    return float(np.random.uniform())

def kill_when_four_have_finished_and_two_run(pid):
    four_have_finished = lambda: len(list(folder.rglob("*.results"))) >= 4
    wait_until(lambda: four_have_finished() and len(list(marks.iterdir())) >= 6, "four have finished and two run", 200)
    os.kill(pid, signal.SIGKILL)

rxOptions(connectTimeout=20)
with connect_server() as server:
    SparkSession.builder.remote(server.url).create()
    threading.Thread(target=kill_when_four_have_finished_and_two_run, args=[server.pid], daemon=True).start()
    try:
        with RxSpark(hdfsShareDir=f"file://{folder}"):
            rxExec(task, rxElemArg(range(6)), taskChunkSize=1, RNGseed=5)
    except RxContextError as error:
        print("told:", error, flush=True)
    os._exit(0)
"""


def test_a_job_goes_on_where_the_server_died(tmp_path: Path) -> None:
    """Kill -9 of the server during a call is told in time; in another context just the rest of the job runs."""
    (tmp_path / "marks").mkdir()
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    places = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    done = subprocess.run(
        [sys.executable, program, tmp_path],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "PYTHONPATH": places},
    )
    assert "told: the Spark Connect server has not answered" in done.stdout, done.stderr
    (tmp_path / "again").touch()
    with RxLocalSeq(shareDir=str(tmp_path)):
        (job,) = [job for job in rxGetJobs() if list(tmp_path.rglob(job.id))]  # this process has jobs of its own
        assert rxWaitForJob(rxResumeJob(job), timeout=120) == "finished"
        resumed = rxGetJobResults(job)
        assert resumed == rxExec(lambda _: float(np.random.uniform()), rxElemArg(range(6)), taskChunkSize=1, RNGseed=5)
    runs = sorted(mark.name.partition("-")[0] for mark in (tmp_path / "marks").iterdir())
    assert [runs.count(str(k)) for k in range(4)] == [1, 1, 1, 1]
    assert runs.count("4") == runs.count("5") == 2


def test_the_table_of_capabilities_tells_of_both_kinds() -> None:
    """Each line says how either kind of session does it, and the doctor's text has them all."""
    assert all(how.classic and how.connect for how in CAPABILITIES.values())
    assert len(capability_table("connect").splitlines()) == len(CAPABILITIES)
    assert "operation tag" in capability_table("connect")
    assert "job group" in capability_table("classic")
