"""Ctrl-C in a blocking call: one is enough; what was running ends, the prompt returns, the next call works."""

from __future__ import annotations

import codecs
import faulthandler
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import let_pass, wait_until

from rxspark import RxLocalSeq, rxExec

PROGRAM = """
import os, sys, time
os.environ["PYSPARK_PYTHON"] = sys.executable
import joblib
from waiting import let_pass, wait_until
from rxspark import *

def task(i):
    open(os.path.join({folder!r}, f"started-{{i}}"), "w").close()
    time.sleep(6)
    open(os.path.join({folder!r}, f"ended-{{i}}"), "w").close()

if __name__ == "__main__":
    with {context}, joblib.parallel_config("loky", n_jobs=2):
        rxExec(abs, -1, timesToRun=2)
        began = time.time()
        try:
            rxExec(task, rxElemArg(range(4)), taskChunkSize=1)
        except KeyboardInterrupt:
            print("interrupted", time.time() - began < 5)
        if "pyspark" in sys.modules:
            from pyspark import SparkContext
            for _ in range(100):
                active = SparkContext._active_spark_context.statusTracker().getActiveJobsIds()
                if not active:
                    break
                time.sleep(0.1)
            print("active jobs", list(active))
        print(rxExec(abs, -5, timesToRun=2))
        time.sleep(7)  # a task that went on would have ended by now
"""

PARTIAL = """
import os, sys, time
os.environ["PYSPARK_PYTHON"] = sys.executable
import joblib
from rxspark import *

def task(i):
    if i == 3:
        open({started!r}, "w").close()
        time.sleep(60)
    return 10 * i

if __name__ == "__main__":
    with {context}, joblib.parallel_config("loky", n_jobs=2):
        rxExec(abs, -1, timesToRun=2)
        try:
            rxExec(task, rxElemArg({{"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}}), taskChunkSize=2)
        except KeyboardInterrupt as interrupt:
            results = interrupt.results
            print([results[name] for name in "abcd"], isinstance(results["d"], RxNotFinished))
            print(len(results), sorted(results.info["task"])[:3], results.errors)
"""

CONTEXTS = [
    "RxLocalSeq()",
    "RxLocalParallel()",
    "RxForeachDoPar()",
    pytest.param("RxSpark(master='local[2,4]')", marks=pytest.mark.spark),
]


@pytest.mark.parametrize("context", CONTEXTS)
def test_one_interrupt_ends_a_blocking_call(context: str, tmp_path: Path) -> None:
    """One SIGINT ends the call, nothing goes on behind it, and the context is still good for the next call."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(folder=str(tmp_path), context=context))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    program = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment, stderr=subprocess.PIPE
    )
    wait_until(lambda: program.poll() is not None or any(tmp_path.glob("started-*")), "a task has begun", 120)
    let_pass(0.5, "the caller waits for it")
    program.send_signal(signal.SIGINT)
    told, complaints = program.communicate(timeout=120)
    lines = told.splitlines()
    assert lines[:1] == ["interrupted True"], complaints[-3000:]
    assert lines[-1] == "[5, 5]"
    assert "Spark" not in context or "active jobs []" in lines
    assert not list(tmp_path.glob("ended-*"))


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_interrupt_carries_what_had_finished(context: str, tmp_path: Path) -> None:
    """Its `.results` have the values of whole chunks and of those that had begun; the rest is not finished."""
    started, script = tmp_path / "started", tmp_path / "program.py"
    script.write_text(PARTIAL.format(started=str(started), context=context))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    program = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment, stderr=subprocess.PIPE
    )
    wait_until(lambda: program.poll() is not None or started.exists(), "the fourth task has begun", 120)
    let_pass(0.5, "the results of the others are with the caller")
    program.send_signal(signal.SIGINT)
    told, complaints = program.communicate(timeout=120)
    assert told.splitlines() == ["[0, 10, 20, <not finished>] True", "5 [0, 1, 2] {}"], complaints[-3000:]


GOES_ON = """
import os, sys, time
import joblib
from waiting import wait_until
from rxspark import *

def task(i):
    print("of task", i)
    if i == 20:
        open({started!r}, "w").close()
    if i > 20:
        time.sleep(0.02)
    if i == 60:
        open({ended!r}, "w").close()

with RxForeachDoPar(), joblib.parallel_config("threading", n_jobs=2):
    try:
        rxExec(task, rxElemArg(range(80)), taskChunkSize=80)
    except KeyboardInterrupt:
        os.write(1, b"interrupted\\n")
    wait_until(lambda: os.path.exists({ended!r}), "a task has printed after Ctrl-C")
    os.write(1, b"by the caller\\n")
    print("printed by the caller", flush=True)
    print(rxExec(abs, -5), flush=True)
"""


def test_tasks_that_go_on_in_threads_leave_the_console_to_the_caller(tmp_path: Path) -> None:
    """Threads cannot be ended: what they still print is seen nowhere, and what the caller writes is seen at once."""
    started, script = tmp_path / "started", tmp_path / "program.py"
    script.write_text(GOES_ON.format(started=str(started), ended=str(tmp_path / "ended")))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-X", "dev", "-W", "ignore", str(script)]  # which tells of all that fails at the end
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, stderr=subprocess.PIPE)
    wait_until(lambda: program.poll() is not None or started.exists(), "some tasks have printed", 120)
    program.send_signal(signal.SIGINT)
    told, complaints = program.communicate(timeout=120)
    assert (told.splitlines(), complaints) == (
        ["interrupted", "by the caller", "printed by the caller", "[5]"],
        "",
    )


def test_a_task_that_raises_keyboard_interrupt_itself_is_only_a_failed_task(tmp_path: Path) -> None:
    """KeyboardInterrupt raised by FUN, in the caller's own process too, is that task's error."""
    code = """
from rxspark import *
def task(i):
    if i == 1:
        raise KeyboardInterrupt("mine")
    return i
print(rxExec(task, rxElemArg([0, 1, 2])))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[0, <RxTaskError task 1: KeyboardInterrupt: mine>, 2]"


def test_an_interrupted_task_leaves_nothing_in_the_callers_process() -> None:
    """Lasting settings, also those of which an event tells, and what it has registered, are as before."""

    def search(name: str) -> codecs.CodecInfo | None:
        return codecs.lookup("ascii") if name == "left_by_a_task" else None

    def left() -> tuple[object, ...]:
        name = Path("/proc/self/comm").read_text()
        return resource.getrlimit(resource.RLIMIT_NOFILE), name, faulthandler.unregister(signal.SIGUSR1)

    def task() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        Path("/proc/self/comm").write_text("left")
        faulthandler.register(signal.SIGUSR1)
        codecs.register(search)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    before = left()
    with RxLocalSeq(), pytest.raises(KeyboardInterrupt):
        rxExec(task)
    assert left() == before
    with pytest.raises(LookupError):
        codecs.lookup("left_by_a_task")
    with RxLocalSeq():
        assert rxExec(left, timesToRun=2) == [before, before]
