"""Idle Python workers of Spark: they end with their JVM, and say nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

# As PySpark's daemon runs a worker, on a socket whose other end the JVM has closed, once a task has run.
WORKER = """
import os, socket, sys, types
import pyspark.worker
from rxspark.backends.spark.idle_worker import end_with_the_jvm

connection = socket.socket(fileno=int(sys.argv[1]))
infile, outfile = connection.makefile("rb"), connection.makefile("wb")
end_with_the_jvm()
end_with_the_jvm()
try:
    pyspark.worker.main(infile, outfile)
finally:
    outfile.flush()
"""

OWN_SESSION = """
from rxspark import *
rxSetComputeContext(RxSpark(master="local[2]", extraSparkConfig={"spark.ui.enabled": "false"}))
print(rxExec(abs, rxElemArg([-1, -2, -3, -4]), taskChunkSize=1))
"""


def run_worker(connection: socket.socket) -> subprocess.Popen[str]:
    """Start a worker at one end of a socket."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(connection.fileno())],
        pass_fds=[connection.fileno()],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHON_UNIX_DOMAIN_ENABLED": "true"},
    )


def test_a_worker_ends_quietly_where_the_jvm_has_closed_its_socket() -> None:
    """No traceback, and the exit code is that of a program that has done its work."""
    ours, theirs = socket.socketpair()
    with run_worker(theirs) as worker:
        theirs.close()
        ours.close()
        _, told = worker.communicate(timeout=60)
    assert (worker.returncode, told) == (0, "")


def test_a_worker_reads_the_task_that_comes() -> None:
    """The first bytes are PySpark's all the same: -1 in place of a partition's number tells the worker to leave."""
    ours, theirs = socket.socketpair()
    with run_worker(theirs) as worker:
        theirs.close()
        ours.sendall((-1).to_bytes(4, "big", signed=True))
        _, told = worker.communicate(timeout=60)
        ours.close()
    assert (worker.returncode, told) == (255, "")


@pytest.mark.timeout(200)
def test_a_program_that_ends_right_after_its_call_prints_nothing_of_spark() -> None:
    """The end of a session that rxspark has started leaves no traceback behind the program's own last line."""
    done = subprocess.run([sys.executable, "-c", OWN_SESSION], capture_output=True, text=True, timeout=150, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[1, 2, 3, 4]")
    assert "Traceback" not in done.stderr, done.stderr
