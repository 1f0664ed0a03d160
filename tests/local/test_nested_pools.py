"""Pools, processes and threads inside tasks: right values, and a program that ends although nobody has closed them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from engines_end import without_engines_end

# The pools are kept where nobody collects them, as by a library that keeps one for its next call.
PROGRAM = """
import builtins, sys, time
import joblib
from rxspark import *

def nested(how):
    import concurrent.futures, multiprocessing, threading
    if how == "joblib":
        return joblib.Parallel(2)(joblib.delayed(pow)(i, 2) for i in range(3))
    if how == "loky":
        import loky
        builtins.loky_kept = loky.ProcessPoolExecutor(2)
        return list(loky_kept.map(pow, range(3), [2] * 3))
    if how == "spawn":
        builtins.spawn_kept = multiprocessing.get_context("spawn").Pool(2)
        return spawn_kept.starmap(pow, [(i, 2) for i in range(3)])
    if how == "futures":
        context = multiprocessing.get_context("spawn")
        builtins.futures_kept = concurrent.futures.ProcessPoolExecutor(2, mp_context=context)
        return list(futures_kept.map(pow, range(3), [2] * 3))
    if how == "threads":
        builtins.threads_kept = concurrent.futures.ThreadPoolExecutor(2)
        return list(threads_kept.map(pow, range(3), [2] * 3))
    multiprocessing.get_context("spawn").Process(target=time.sleep, args=[600]).start()
    threading.Thread(target=time.sleep, args=[600]).start()
    return [0, 1, 4]

if __name__ == "__main__":
    with {context}, joblib.parallel_config("loky", n_jobs=2):
        z = rxExec(nested, rxElemArg(["joblib", "loky", "spawn", "futures", "threads", "left"]), taskChunkSize=3)
        if isinstance(z, RxJob):
            z.wait()
            z = z.results()
    assert z == [[0, 1, 4]] * 6, z
    print("done")
"""


@pytest.mark.parametrize(
    "context",
    [
        "RxLocalParallel()",
        "RxLocalParallel(taskTimeLimit=120)",
        "RxLocalParallel(wait=False)",
        "RxForeachDoPar()",
        pytest.param("RxSpark(master='local[2]')", marks=pytest.mark.spark),
    ],
)
def test_a_program_whose_tasks_leave_pools_ends(context: str, tmp_path) -> None:
    """The pools give right values; none of them, and no process or thread, keeps the program or its console open."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(context=context))
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=150,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert "Traceback" not in without_engines_end(done.stderr)
