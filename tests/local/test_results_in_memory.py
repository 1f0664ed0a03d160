"""Results take no more memory in the caller than they must."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HELD_ONCE = """
import os, sys
import joblib
os.environ["PYSPARK_PYTHON"] = sys.executable
from rxspark import *

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) // 1000

if __name__ == "__main__":
    with {context}, joblib.parallel_config("loky", n_jobs=2):
        rxExec(abs, -1, timesToRun=2)
        before = peak()
        z = rxExec(lambda i: bytearray(os.urandom(20_000_000)), rxElemArg(range(10)))
        print(len(z), peak() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read as Linux tells it")
@pytest.mark.parametrize(
    "context",
    [
        "RxLocalSeq()",
        "RxLocalParallel()",
        "RxForeachDoPar()",
        pytest.param("RxSpark(master='local[2,4]')", marks=pytest.mark.spark),
    ],
)
def test_results_are_in_memory_once(context, tmp_path):
    """Of 200 MB of results the caller never holds twice as much: a partition's pickles go as its values come."""
    program = tmp_path / "program.py"
    program.write_text(HELD_ONCE.format(context=context))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, env=environment)
    count, megabytes = map(int, done.stdout.split())
    assert count == 10
    assert 190 < megabytes < 300
