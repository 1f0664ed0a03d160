"""A process that was forked from one that has made calls: its calls are its own, the jobs of the other one are not."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from rxspark import RxLocalSeq, rxExec

PROGRAM = """
import os, signal, sys, time
import joblib
from rxspark import *

CONTEXTS = [RxLocalSeq(), RxLocalParallel(), RxForeachDoPar(), RxLocalSeq(wait=False), RxLocalParallel(wait=False)]

def call_in_each():
    for context in CONTEXTS:
        with context, joblib.parallel_config("loky", n_jobs=2):
            z = rxExec(abs, rxElemArg([-1, -2]))
            if isinstance(z, RxJob):
                assert rxWaitForJob(z, timeout=60) == "finished"
                z = z.results()
        assert z == [1, 2], (context, z)

def told(job):
    try:
        return job.results()
    except RxJobError as error:
        return str(error)

if __name__ == "__main__":
    call_in_each()
    with RxLocalParallel(wait=False):
        ended = rxExec(abs, -3)
        ended.wait()
        running = rxExec(time.sleep, 5)
    with RxLocalParallel(wait=False, shareDir=sys.argv[1]):
        kept = rxExec(abs, -4)
    child = os.fork()
    if child == 0:
        signal.alarm(100)
        assert (running.status(), running.wait(1)) == ("undetermined", "undetermined")
        assert f"belongs to process {os.getppid()}, from which this one was forked" in told(running)
        assert ended.results() == [3]
        assert kept.status() == "queued"
        call_in_each()
        assert (kept.wait(60), kept.results()) == ("finished", [4])
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    call_in_each()
    assert (running.wait(60), kept.status()) == ("finished", "finished")
    assert ended.results() == [3]
    print("done")
"""


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=200, env={**os.environ}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "AssertionError" not in done.stderr, done.stderr
    return done.stdout


def test_a_forked_process_has_workers_and_jobs_of_its_own(tmp_path) -> None:
    """Its calls run in each context, jobs too; those of the parent answer, and go on undisturbed."""
    assert _run(PROGRAM, str(tmp_path)) == "done\n"


DAEMON = """
import multiprocessing
import joblib
from rxspark import *

def work(queue):
    with {context}, joblib.parallel_config("loky", n_jobs=2):
        z = rxExec(pow, rxElemArg([2, 3]), 2)
        if isinstance(z, RxJob):
            z.wait()
            z = z.results()
    queue.put((list(z), multiprocessing.current_process().daemon))

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=work, args=[queue], daemon=True)
    process.start()
    print(queue.get(timeout=60))
"""


SLOW_START = """
import os, sys, time
if any("popen_loky" in argument for argument in sys.orig_argv):
    try:
        os.mkdir({first!r})
    except FileExistsError:
        time.sleep(2)
"""


@pytest.mark.parametrize("context", ["RxLocalSeq", "RxLocalParallel", "RxForeachDoPar"])
@pytest.mark.parametrize("wait", [True, False])
def test_a_daemonic_process_may_have_workers(context: str, wait: bool, tmp_path, monkeypatch) -> None:
    """As Celery's and multiprocessing's are; their workers end with them, in peace, though one has just started."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_START.format(first=str(tmp_path / "first")))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert _run(DAEMON.format(context=f"{context}(wait={wait})")) == "([4, 9], True)\n"


def text_of(name: str) -> str:
    """Text of a task that writes a name many times, past Python's own streams."""

    def task() -> None:
        for _ in range(50):
            os.write(1, f"{name}\n".encode())
            time.sleep(0.002)

    return str(rxExec(task).output[0])


def test_texts_of_forked_processes_are_apart() -> None:
    """Each process that was forked from one that has made calls keeps the text of its own tasks, and no other's."""
    with RxLocalSeq():
        rxExec(print, "before")  # whose file would serve the next call
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(text_of, "ab", chunksize=1) == ["a\n" * 50, "b\n" * 50]
