"""Processes that are forked from one with a Spark session: they are told what to do, and leave the session alone."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import logging, multiprocessing, os, signal, sys, threading
from rxspark import *
from rxspark.backends.spark import session

def task(i):  # forks in its worker
    child = os.fork()
    if child == 0:
        os._exit(i)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def in_a_fork():
    signal.alarm(60)
    try:
        told = rxExec(abs, -1)
    except RxContextError as error:
        told = str(error)
    rxSparkDisconnect()
    with RxLocalParallel():
        return told, list(rxExec(abs, rxElemArg([-1, -2]))), list(rxExec(abs, -3))

def put(queue):
    queue.put(in_a_fork())

def told(found):
    (pid, refused), *rest = (found[0].partition(", which answers only there")[::2], *found[1:])
    print(pid.partition(" was forked")[1:], "post_fork" in refused, *rest)

if __name__ == "__main__":
    logging.disable()
    rxSetComputeContext("spark", master="local[2,4]")
    print(rxExec(task, rxElemArg([3, 4])))
    with RxSpark(wait=False):
        job = rxExec(abs, rxElemArg([-5, -6]))

    fork = multiprocessing.get_context("fork")
    queue = fork.Queue()
    process = fork.Process(target=put, args=[queue])
    process.start()
    told(queue.get(timeout=100))
    process.join()

    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.write(writing, repr(in_a_fork()).encode())
        sys.exit(0)  # with all that is registered for the end of a program
    print(os.waitpid(child, 0)[1])
    told(eval(os.read(reading, 10_000)))

    rxWaitForJob(job)
    print(job.results(), rxExec(task, rxElemArg([5, 6])))
"""

REFUSED = "(' was forked', ' from one that had a Spark session') True [1, 2] [3]\n"


def _run(program: str) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=280, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_forked_processes_leave_the_session_of_their_parent_alone() -> None:
    """Their calls on Spark say what to do, other contexts run, and neither disconnecting nor their end stops it."""
    assert _run(PROGRAM) == f"[3, 4]\n{REFUSED}0\n{REFUSED}[5, 6] [5, 6]\n"


STARTING = """
import os, signal, sys, threading
from rxspark import RxSpark, rxSparkDisconnect
from rxspark.backends.spark import session

begun, end = threading.Event(), threading.Event()

def start():  # as a thread does whose first call starts Spark
    with session._lock:
        begun.set()
        end.wait()

thread = threading.Thread(target=start)
thread.start()
begun.wait()
if not (child := os.fork()):
    signal.alarm(20)
    rxSparkDisconnect()
    os._exit(0)
print(os.waitpid(child, 0)[1])
end.set()
"""


def test_a_process_that_is_forked_while_a_thread_starts_spark_does_not_wait_for_it() -> None:
    """The parent's thread is not there, and will never end."""
    assert _run(STARTING) == "0\n"
