"""Programs on Spark Connect end when they have done their work, whatever has become of the server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from connect_server import connect_server

pytestmark = pytest.mark.timeout(400)

NOBODY_THERE = """
from rxspark import *

rxOptions(connectTimeout=2)
rxSetComputeContext("spark", master="sc://127.0.0.1:1")
try:
    rxExec(pow, 2, 3)
except RxContextError as error:
    print("told:", error)
"""

PROGRAM = """
import os, signal, sys, threading, time
from pyspark.sql.connect.session import SparkSession
from waiting import wait_until
from rxspark import *

server, started = int(sys.argv[2]), sys.argv[3]
session = SparkSession.builder.remote(sys.argv[1]).create()

def task(k):
    if k == 3:
        open(started, "w").close()
        time.sleep(300)
    return bytes(1_000_000)

def when_it_has_begun(act):
    wait_until(lambda: os.path.exists(started), "the last task has begun", 100)
    act()

def during_a_call(number):
    threading.Thread(target=when_it_has_begun, args=[lambda: os.killpg(server, number)], daemon=True).start()
    rxOptions(connectTimeout=8)
    try:
        rxExec(task, rxElemArg(range(4)), taskChunkSize=1)
    except RxContextError as error:
        print("told:", error)

def leave_a_job(act):
    with RxSpark(wait=False):
        job = rxExec(task, rxElemArg(range(4)), taskChunkSize=1)
    when_it_has_begun(act)
    print(job.status())

with RxSpark():
    print(rxExec(abs, rxElemArg([-1, -2])))
    {act}
"""

SILENT = "told: the Spark Connect server has not answered"


def run(code: str, *arguments: object) -> str:
    """Run a program to its end, for which it has a fraction of the time that PySpark's client would try."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYSPARK_PYTHON": sys.executable,
    }
    command = [sys.executable, "-W", "error::UserWarning", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    return done.stdout


def test_a_server_that_is_not_there_is_named() -> None:
    """RxSpark(master="sc://...") tells which address does not answer, and the program ends."""
    assert run(NOBODY_THERE) == (
        "told: sc://127.0.0.1:1 has not answered for 2 seconds (rxOptions(connectTimeout=2))\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("act", "told"),
    [
        pytest.param("during_a_call(signal.SIGKILL)", SILENT, id="dies in a call"),
        pytest.param("during_a_call(signal.SIGSTOP)", SILENT, id="falls silent in a call"),
        pytest.param("os.killpg(server, signal.SIGKILL)", "", id="dies after the calls"),
        pytest.param("leave_a_job(lambda: None)", "running", id="still runs a job"),
        pytest.param("leave_a_job(lambda: os.killpg(server, signal.SIGKILL))", "running", id="dies in a job"),
        pytest.param("leave_a_job(session.stop)", "running", id="runs a job of a session that was stopped"),
    ],
)
def test_a_program_ends_where_its_server(act: str, told: str, tmp_path: Path) -> None:
    """No thread, and nothing that PySpark does at the end, waits for a server that cannot answer."""
    with connect_server() as server:
        try:
            printed = run(PROGRAM.format(act=act), server.url, server.pid, tmp_path / "started")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
    assert printed.startswith("[1, 2]\n" + told)
