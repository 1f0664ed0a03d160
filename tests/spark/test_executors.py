"""Executors that cannot run tasks are told before anything is launched."""

from __future__ import annotations

import ast
import glob
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from engines_end import without_engines_end
from project import ROOT
from spark_programs import STEP, run, said

ANOTHER_PYTHON = """
import pandas
os.environ["PYSPARK_PYTHON"] = "python3"
session = plain()
numbers = session.createDataFrame(pandas.DataFrame({"x": range(9), "y": range(9)}))
rxSetComputeContext("spark")
models = lambda: rxGlm("y ~ x", numbers), lambda: rxKmeans("~ x", numbers, 2)
for call in (lambda: rxExec(abs, -1), rxPingNodes, *models):
    try:
        call()
    except RxContextError as error:
        print(str(error).replace(chr(10), " "))
"""


def test_a_session_with_another_python_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """A session of the user's own whose python3 lacks NumPy: which one it is, the line to write, no page of Java."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    done = run(ANOTHER_PYTHON, PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    told = done.stdout.splitlines()
    assert len(told) == 4, done.stderr
    for message in told:
        assert f"run {tmp_path}/bin/python3, Python {platform.python_version()}, which lacks numpy" in message
        assert 'os.environ["PYSPARK_PYTHON"] = sys.executable' in message
    assert "Traceback" not in without_engines_end(done.stderr)
    assert "\tat " not in done.stderr


# One process that starts three clusters one after the other, whose executors have another Python each.
EXECUTORS = """
import socket, sys
config = {"spark.ui.enabled": False, "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
context = RxSpark(master="local-cluster[1,1,1024]", extraSparkConfig=config)
pythons, ran = sys.argv[1:4], sys.argv[4]
def launched():
    open(ran, "w").close()

def refused(**options):
    try:
        with context:
            rxExec(launched, **options)
    except RxError as error:
        return type(error).__name__, str(error)

os.environ["PYSPARK_PYTHON"] = pythons[0]
@step
def without_mkl():
    told = refused(RNGseed=1), socket.gethostname(), os.path.exists(ran)
    with context:
        return *told, list(rxExec(abs, -1, RNGseed=1, RNGkind="PHILOX"))
rxSparkDisconnect()

os.environ["PYSPARK_PYTHON"] = pythons[1]
@step
def without_numpy():
    return *refused(), os.path.exists(ran)
rxSparkDisconnect()

os.environ["PYSPARK_PYTHON"] = pythons[2]
@step
def another_minor():
    return *refused(), os.path.exists(ran)
"""


@pytest.fixture(scope="module")
def executors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Errors of calls whose executors lack mkl_random, NumPy, and the driver's version of Python."""
    folder = tmp_path_factory.mktemp("executors")
    lacking = folder / "lacking" / "mkl_random"
    lacking.mkdir(parents=True)
    (lacking / "__init__.py").write_text("raise ImportError('not on this machine')")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={lacking.parent}:$PYTHONPATH exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "bare"], check=True)
    pythons = [str(python), str(folder / "bare" / "bin" / "python"), another_python() or sys.executable]
    lines = said(STEP + EXECUTORS, *pythons, str(folder / "ran"), PYTHONPATH=str(ROOT))
    return {name: ast.literal_eval(value) for name, value in (line.split("=", 1) for line in lines)}


def another_python() -> str | None:
    """A Python of another minor version, where this machine has one."""
    found = [shutil.which(f"python3.{n}") for n in range(9, 20)]
    found += glob.glob(os.path.join(sys.base_prefix, "..", "3.*", "bin", "python3"))
    return next((python for python in found if python and version(python) not in ("", this_version())), None)


def version(python: str) -> str:
    """Its major and minor version, empty where it does not run."""
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip()


def this_version() -> str:
    """The major and minor version of the Python of the tests."""
    return ".".join(map(str, sys.version_info[:2]))


def test_an_executor_without_mkl_is_named_before_the_job_runs(executors: dict[str, Any]) -> None:
    """Where the driver has mkl_random and an executor lacks it, the call is refused by the host, and no task runs."""
    (kind, message), host, ran, with_philox = executors["without_mkl"]
    assert kind == "RxMissingError"
    assert all(word in message for word in (host, "pip install", "PHILOX"))
    assert not ran
    assert with_philox == [1]


def test_executors_without_numpy_are_refused_before_launch(executors: dict[str, Any]) -> None:
    """A table shows what the executors have beside what the driver has."""
    kind, message, ran = executors["without_numpy"]
    told, names, driver, executor, fix = message.splitlines()
    assert (kind, told) == ("RxMissingError", "executors lack cloudpickle and numpy:")
    assert names.split() == ["python", "numpy", "cloudpickle", "pandas", "pyarrow", "mkl_random"]
    assert driver.split()[:3] == ["driver", platform.python_version(), numpy.__version__]
    assert executor.split()[1:] == [platform.python_version(), *["missing"] * 5]
    assert "pythonEnv" in fix
    assert not ran


def test_executors_with_another_minor_version_are_refused_before_launch(executors: dict[str, Any]) -> None:
    """Both versions are told, in the same table."""
    python = another_python()
    if python is None:
        pytest.skip("this machine has no Python of another minor version")
    kind, message, ran = executors["another_minor"]
    told, _, driver, executor, _ = message.splitlines()
    assert (kind, told) == ("RxContextError", "executors have another Python than the driver:")
    assert driver.split()[1] == platform.python_version()
    assert executor.split()[1] == version(python)
    assert not ran
