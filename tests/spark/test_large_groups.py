"""Groups of rows that the memory of a Python worker does not hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PROGRAM = """
import json, warnings
from rxspark import RxSpark, RxTaskWarning, rxExec, rxExecBy

if __name__ == "__main__":
    warnings.simplefilter("ignore", RxTaskWarning)
    settings = {"spark.executor.pyspark.memory": "640m", "spark.ui.enabled": "false"}
    with RxSpark(master="local[2,4]", extraSparkConfig=settings):
        rxExec(abs, -1)
        from pyspark.sql import SparkSession

        columns = ["if(id % 1000 = 0, id % 3000 div 1000 + 1, 0) as k", *(f"rand() as {name}" for name in "abcdef")]
        table = SparkSession.active().range(1_500_000).selectExpr(*columns)
        z = rxExecBy(table, "k", lambda keys, data: len(data))
        errors = {number: str(error) for number, error in z.errors.items()}
        print(json.dumps([z.keys["rows"].tolist(), list(z[1:]), errors]))
"""


def test_a_group_that_does_not_fit_a_worker_is_named_and_costs_itself_alone() -> None:
    """Key, rows, bytes and the setting to raise are in its error; groups of other partitions have their values."""
    places = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": places, "PYSPARK_PYTHON": sys.executable}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, timeout=280)
    assert ran.returncode == 0, ran.stderr[-3000:]
    rows, others, errors = json.loads(ran.stdout.splitlines()[-1])
    assert (rows, others) == ([1_498_500, 500, 500, 500], [500, 500, 500])
    assert list(errors) == ["0"]
    told = errors["0"]
    assert told.startswith("MemoryError: memory does not hold the "), told
    assert "k=0: 1,498,500 rows, about " in told
    assert "RxSpark(extraSparkConfig={'spark.executor.pyspark.memory': ...}), which has 640 MB now" in told
