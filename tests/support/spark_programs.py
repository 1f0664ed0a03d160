"""Programs of tests that start a Spark each, as a process has one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

QUIET = """
import os
os.environ["PYSPARK_PYTHON"] = __import__("sys").executable
from rxspark import *
def plain(master="local[2]", settings={}):
    from pyspark.sql import SparkSession
    builder = SparkSession.builder.master(master).config("spark.ui.enabled", "false")
    for name, value in settings.items():
        builder = builder.config(name, value)
    builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    return builder.getOrCreate()
"""


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program; what it prints last tells."""
    return subprocess.run(
        [sys.executable, "-c", QUIET + code, *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tempfile.gettempdir(),  # not in the checkout, whose rxspark the executors would find before any other
        env={**os.environ, **environment},
    )


def said(code: str, *arguments: str, **environment: str) -> list[str]:
    """The lines that a program prints."""
    done = run(code, *arguments, **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


# One process that lives through what can happen to a session, as each start of Spark takes seconds. Each step says what
# it saw, as `name=value`.
STEP = """
import traceback
def step(run):
    try:
        print(run.__name__, repr(run()), sep="=", flush=True)
    except Exception:
        print(run.__name__, repr(traceback.format_exc()), sep="=", flush=True)
"""

PARTITION = """
def partition(x):
    from pyspark import TaskContext
    return TaskContext.get().partitionId()
"""
