"""Errors of Spark reach the user as errors of ours: one line that says why, the JVM's pages behind it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SESSION = """
    import os, sys, threading, time, warnings
    warnings.simplefilter("ignore")
    import psutil
    from rxspark import *
    from pyspark import SparkContext

    def shown(name, call):
        try:
            told = repr(call())
        except RxError as error:
            shown = "".join(__import__("traceback").format_exception(error))
            told = type(error).__name__, "\\tat " in shown, "Py4J" in shown, "\\tat " in error.java, str(error)
        print(name, repr(told), sep="=", flush=True)

    config = {"spark.ui.enabled": "false", "spark.hadoop.fs.s3a.secret.key": "hunter2"}
    def call(function=abs, elements=(-1, -2), **settings):
        kept = dict(shareDir=os.getcwd(), autoCleanup=False)
        with RxSpark(master="local[2,4]", extraSparkConfig={**config, **settings}, **kept):
            return rxExec(function, rxElemArg(elements))

    shown("port", lambda: call(**{"spark.driver.port": "1"}))
    shown("mended", call)
    context = SparkContext._active_spark_context

    def nap(mark):
        open(mark, "w").close()
        time.sleep(30)

    def once_there(mark, act):
        while not os.path.exists(mark):
            time.sleep(0.1)
        act()

    def canceled():
        threading.Thread(target=once_there, args=("canceled", context.cancelAllJobs)).start()
        return call(nap, ["canceled"])
    shown("canceled", canceled)

    python, context.pythonExec = context.pythonExec, "/nope/python"
    shown("python", call)
    context.pythonExec = python

    def orphaned():
        java = [p for p in psutil.Process().children(recursive=True) if p.name() == "java"]
        threading.Thread(target=once_there, args=("orphaned", lambda: [p.kill() for p in java])).start()
        return call(nap, ["orphaned"])
    shown("orphaned", orphaned)
    shown("again", call)
"""


@pytest.mark.timeout(600)
def test_errors_of_spark_are_translated(tmp_path: Path):
    """A bad setting, a cancelled job, a Python that is not there, a JVM that is killed; the next call goes well.

    No error, log or record of a job shows a secret among the settings.
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SESSION)], cwd=tmp_path, capture_output=True, text=True, timeout=550
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kept = [file.read_bytes() for file in tmp_path.rglob("*.json")]
    assert any(b"secret.key" in text for text in kept)  # records of jobs
    assert b"hunter2" not in b"".join(kept)
    assert "hunter2" not in done.stdout + done.stderr
    told = {line.partition("=")[0]: eval(line.partition("=")[2]) for line in done.stdout.splitlines() if "=" in line}
    assert told["mended"] == told["again"] == "[1, 2]"
    wanted = {
        "port": ("RxContextError", "startPort should be between 1024 and 65535"),
        "canceled": ("RxCanceledError", "cancelled from elsewhere"),
        "python": ("RxContextError", 'Cannot run program "/nope/python"'),
        "orphaned": ("RxContextError", "the Spark session was stopped while the call ran"),
    }
    for name, (kind, reason_) in wanted.items():
        found, java_shown, py4j_shown, java_kept, message = told[name]
        assert (found, java_shown) == (kind, False), told[name]
        assert reason_ in message.partition("\n")[0]
        assert name == "orphaned" or (java_kept and not py4j_shown), told[name]
