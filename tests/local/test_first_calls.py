"""The first calls of a program, by several threads at once: what is made once a process is made once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from engines_end import without_engines_end

PROGRAM = """
import sys, threading
import joblib
from rxspark import *

CONTEXTS = [{contexts}]
ready, found = threading.Barrier(8), {{}}

def first(number):
    with CONTEXTS[number % len(CONTEXTS)], joblib.parallel_config("loky", n_jobs=2):
        ready.wait()
        try:
            z = rxExec(lambda a, b: a * b, rxElemArg(range(3)), number, RNGseed=1)
            if isinstance(z, RxJob):
                z.wait()
                z = z.results()
            found[number] = list(z)
        except BaseException as error:
            found[number] = repr(error)

if __name__ == "__main__":
    threads = [threading.Thread(target=first, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {{number: [0, number, 2 * number] for number in range(8)}}, found
    print("done")
"""

SPARK = "RxSpark(master='local[2]')"


@pytest.mark.parametrize(
    "contexts",
    [
        "RxLocalParallel(shareDir={share!r})",
        "RxLocalParallel(wait=False)",
        "RxForeachDoPar()",
        "RxForeachDoPar(wait=False), RxLocalParallel(), RxForeachDoPar(), RxLocalParallel(wait=False)",
        pytest.param(SPARK, marks=pytest.mark.spark),
        pytest.param(f"{SPARK}, RxLocalParallel(), RxLocalParallel(wait=False), {SPARK}", marks=pytest.mark.spark),
    ],
)
def test_threads_may_make_their_first_calls_at_once(contexts: str, tmp_path: Path) -> None:
    """All calls run, whichever contexts they are under."""
    script, share = tmp_path / "program.py", tmp_path / "share"
    share.mkdir()
    script.write_text(PROGRAM.format(contexts=contexts.format(share=str(share))))
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=150,
        env={
            **os.environ,
            "TMPDIR": str(tmp_path),  # where nobody has made a folder yet
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert "Traceback" not in without_engines_end(done.stderr), done.stderr


REMOVED = """
import os
import joblib
from rxspark import *

os.environ.update(SET_LATE="1", KEPT="1")

def started():
    joblib.Parallel()(joblib.delayed(abs)(number) for number in range(4))
    return RxForeachDoPar()

def spark():
    from pyspark.sql import SparkSession
    SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    return RxSpark()

if __name__ == "__main__":
    with joblib.parallel_config("loky", n_jobs=2), {context}:
        del os.environ["SET_LATE"]
        print(rxExec(lambda: (os.getenv("SET_LATE"), os.getenv("KEPT")), timesToRun=2))
"""


@pytest.mark.parametrize("context", ["started()", pytest.param("spark()", marks=pytest.mark.spark)])
def test_a_variable_that_workers_had_before_the_first_call_goes_with_the_callers(context: str) -> None:
    """Set once rxspark is loaded, inherited by workers that the program starts, and removed: it is gone there too."""
    done = subprocess.run(
        [sys.executable, "-c", REMOVED.format(context=context)],
        capture_output=True,
        text=True,
        timeout=150,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (done.returncode, done.stdout) == (0, "[(None, '1'), (None, '1')]\n"), done.stderr
