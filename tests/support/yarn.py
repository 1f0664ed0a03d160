"""Programs on a real YARN, with as few applications as possible, since each takes its time to start."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pyspark
from brief_java import BRIEF
from project import EXAMPLES, ROOT

from rxspark import RxLocalSeq, rxExec, rxHadoopListFiles

# Prints the libraries of this environment that MKL loads for rxspark: the others are 600 MB.
MKL = """
import os, sys, numpy
from rxspark import rxRngNewStream
for kind in ("MT2203", "SOBOL"):
    with rxRngNewStream(kind, seed=1):
        numpy.random.normal(size=9)
mapped = {line.split()[-1] for line in open("/proc/self/maps")}
print(*(os.path.basename(path) for path in mapped if os.path.dirname(path) == os.path.join(sys.prefix, "lib")))
"""

_HEAVY = [f"lib/python3.*/*-packages/{name}*" for name in ("numpy", "pandas", "mkl", "hdfs_native")]

# Patterns of files without which an archive still runs Python, cloudpickle and the import of rxspark.
SMALL = [*_HEAVY, "lib/libmkl*", "share/*", "opt/*"]


@functools.cache
def left_out() -> list[str]:
    """Patterns of the files that a small archive does without."""
    used = subprocess.run([sys.executable, "-c", MKL], check=True, capture_output=True, text=True).stdout.split()
    unused = [f"lib/{path.name}" for path in Path(sys.prefix, "lib").glob("lib*") if path.name not in used]
    return ["share/*", "opt/*", "etc/*", "*/tests/*", *unused]


def pack() -> list[str]:
    """Arguments of `python -m rxspark pack` for a small archive: the part of this environment that tests need."""
    return ["pandas", *(f"--exclude={pattern}" for pattern in left_out())]


JARS = "local:" + os.path.join(pyspark.__path__[0], "jars", "*")
SETTINGS = {
    "spark.yarn.jars": JARS,
    "spark.ui.enabled": "false",
    "spark.yarn.am.extraJavaOptions": BRIEF,
    "spark.driver.extraJavaOptions": BRIEF,
    "spark.executor.extraJavaOptions": BRIEF,
}
SIZE = {
    "numExecutors": 2,
    "executorCores": 1,
    "executorMem": "600m",
    "driverMem": "512m",
    "executorOverheadMem": "400m",
}


def around(cluster: Path, **more: str) -> dict[str, str]:
    """The environment variables of a program on the cluster; the Python of its executors is not among them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYSPARK_PYTHON"}
    return {**kept, "HADOOP_CONF_DIR": str(cluster), "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(ROOT), **more}


def run(code: str, folder: Path, cluster: Path, *arguments: str, ends: int = 0, **more: str) -> list[str]:
    """Run a program that ends with this exit code; the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=around(cluster, **more),
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == ends, done.stderr[-4000:]
    return done.stdout.splitlines()


def files(folder: str, ending: str) -> list[str]:
    """The files below a folder whose names end so."""
    return [name for name in rxHadoopListFiles(folder, recursive=True).names if name.endswith(ending)]


def wins(games: int, chunk: int) -> int:
    """The games won in this process, with the seed of the dice example."""
    sys.path.insert(0, str(EXAMPLES))
    from dice import play_dice

    with RxLocalSeq():
        return list(rxExec(play_dice, timesToRun=games, taskChunkSize=chunk, RNGseed=777)).count("Win")
