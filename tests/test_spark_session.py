"""RxSpark finds, makes and stops Spark sessions as it says; each case is a program, as a process has one Spark."""

from __future__ import annotations

import glob
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.spark

QUIET = """
import os
os.environ["PYSPARK_PYTHON"] = __import__("sys").executable
from rxspark import *
def plain(master="local[2]"):
    from pyspark.sql import SparkSession
    builder = SparkSession.builder.master(master).config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    return builder.getOrCreate()
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program; what it prints last tells."""
    return subprocess.run(
        [sys.executable, "-c", QUIET + code],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tempfile.gettempdir(),  # not in the checkout, whose rxspark the executors would find before any other
        env={**os.environ, **environment},
    )


def said(code: str, **environment: str) -> list[str]:
    """The lines that a program prints."""
    done = run(code, **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def test_attaches_to_the_active_session_and_leaves_it_running() -> None:
    """RxSpark() runs on the session that is there, and rxSparkDisconnect does not stop it."""
    lines = said("""
session = plain()
rxSetComputeContext("spark")
print(rxExec(pow, rxElemArg([2, 3]), 2))
rxSparkDisconnect()
print(session.range(5).count(), rxGetComputeContext())
""")
    assert lines == ["[4, 9]", "5 RxLocalSeq()"]


def test_makes_a_session_and_stops_only_that_one() -> None:
    """Without a session one is made with the master asked for; rxSparkDisconnect stops it; a new call starts anew."""
    lines = said("""
from pyspark import SparkContext
context = rxSparkConnect(master="local[2]", extraSparkConfig={"spark.ui.enabled": False})
print(context, SparkContext._active_spark_context.master, rxExec(abs, -1))
rxSparkDisconnect()
print(SparkContext._active_spark_context, rxGetComputeContext())
with context:
    print(rxExec(abs, -2))
""")
    assert lines == [
        "RxSpark(master='local[2]', extraSparkConfig={'spark.ui.enabled': 'false'}) local[2] [1]",
        "None RxLocalSeq()",
        "[2]",
    ]


def test_another_master_than_the_active_one_is_refused_by_both_names() -> None:
    """Asking for a master while a session with another one is active is an error that names both."""
    lines = said("""
plain("local[2]")
try:
    with RxSpark(master="yarn"):
        rxExec(abs, -1)
except RxContextError as error:
    print(error)
""")
    assert "'yarn'" in lines[0]
    assert "'local[2]'" in lines[0]


def test_a_stopped_session_is_replaced() -> None:
    """After the session was stopped the next call works, on a new one, and runs each task once."""
    lines = said("""
plain()
with RxSpark():
    print(rxExec(abs, -1))
    plain().stop()
    print(rxExec(abs, -2))
""")
    assert lines == ["[1]", "[2]"]


def test_a_second_session_of_the_same_application_changes_nothing() -> None:
    """newSession() shares the application: calls work before and after."""
    lines = said("""
first = plain()
second = first.newSession()
with RxSpark():
    print(rxExec(abs, -1), second.range(3).count(), rxExec(abs, -2))
""")
    assert lines == ["[1] 3 [2]"]


def test_a_session_stopped_during_a_call_is_told() -> None:
    """Stopping the session under a running call ends it with an RxContextError, at once."""
    lines = said("""
import threading, time
session = plain()
threading.Timer(4, session.stop).start()
began = time.time()
try:
    with RxSpark():
        rxExec(time.sleep, 60, timesToRun=2)
except RxContextError as error:
    print(str(error)[:29], time.time() - began < 30)
""")
    assert lines == ["the Spark session was stopped True"]


def test_an_executor_without_mkl_is_named_before_the_job_runs(tmp_path: Path) -> None:
    """Where the driver has mkl_random and an executor lacks it, the call is refused by the host, and no task runs."""
    lacking = tmp_path / "lacking" / "mkl_random"
    lacking.mkdir(parents=True)
    (lacking / "__init__.py").write_text("raise ImportError('not on this machine')")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={lacking.parent}:$PYTHONPATH exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    lines = said(f"""
import socket
os.environ["PYSPARK_PYTHON"] = {str(python)!r}
def task():
    open({str(tmp_path / "ran")!r}, "w").close()
plain("local-cluster[1,1,1024]")
with RxSpark():
    try:
        rxExec(task, RNGseed=1)
    except RxMissingError as error:
        print(socket.gethostname() in str(error), "pip install" in str(error), "PHILOX" in str(error))
    print(os.path.exists({str(tmp_path / "ran")!r}))
    print(rxExec(abs, -1, RNGseed=1, RNGkind="PHILOX"))
""")
    assert lines == ["True True True", "False", "[1]"]


@pytest.mark.parametrize("name", ["session", "session.sparkContext", "session.range(3)"])
def test_a_function_that_holds_a_session_is_refused_by_the_variable(name: str) -> None:
    """A captured session, context or data frame is found before launch and named."""
    lines = said(f"""
session = plain()
held = {name}
def count(i):
    return held.count()
try:
    with RxSpark():
        rxExec(count, rxElemArg([1, 2]))
except RxShippingError as error:
    print(error)
""")
    assert "FUN → global variable 'held'" in lines[0]


def test_user_settings_and_the_unix_socket_reach_a_session_that_we_make() -> None:
    """Named and extra settings arrive, sessions of ours use the fast socket, executors get the caller's rxspark."""
    lines = said("""
from pyspark import SparkContext
with RxSpark(master="local[2]", driverMem="700m", extraSparkConfig={"spark.app.name": "mine"}):
    rxExec(abs, -1)
    print("rxspark.zip" in rxExec(lambda: __import__("rxspark").__file__)[0])
conf = SparkContext._active_spark_context.getConf()
for name in ("spark.app.name", "spark.driver.memory", "spark.python.unix.domain.socket.enabled"):
    print(conf.get(name))
""")
    assert lines == ["True", "mine", "700m", "true"]


def test_the_master_of_spark_defaults_is_taken(tmp_path: Path) -> None:
    """Without a session the master that spark-defaults.conf names is used."""
    (tmp_path / "spark-defaults.conf").write_text("# ours\nspark.master   local[3]\n")
    lines = said(
        """
from pyspark import SparkContext
with RxSpark():
    rxExec(abs, -1)
print(SparkContext._active_spark_context.master)
""",
        SPARK_CONF_DIR=str(tmp_path),
    )
    assert lines == ["local[3]"]


def test_no_session_means_local_cores_and_is_said() -> None:
    """RxSpark() without any session starts one on this machine's cores and says so."""
    done = run("""
from pyspark import SparkContext
with RxSpark():
    rxExec(abs, -1)
print(SparkContext._active_spark_context.master)
""")
    assert done.stdout.splitlines() == ["local[*,4]"]
    assert "starting one on the cores of this machine" in done.stderr


def test_a_program_of_spark_submit_runs_on_the_master_that_was_submitted(tmp_path: Path) -> None:
    """RxSpark() in a spark-submit application takes its master, also where only the JVM knows it (cluster mode)."""
    import pyspark

    program = tmp_path / "program.py"
    program.write_text("""
import os
from pyspark import SparkContext
from rxspark import RxSpark, rxElemArg, rxExec
os.environ.pop("MASTER", None)
def square(x):
    return x * x
with RxSpark():
    print("squares", rxExec(square, rxElemArg([2, 3])), SparkContext._active_spark_context.master)
""")
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    done = subprocess.run(
        [submit, "--master", "local[3]", "--conf", "spark.ui.enabled=false", program],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert "squares [4, 9] local[3]" in done.stdout.splitlines(), done.stderr[-3000:]


def test_a_spark_home_of_another_version_is_refused_by_both_versions(tmp_path: Path) -> None:
    """SPARK_HOME and an installed PySpark of different versions are refused, and both are named."""
    package = tmp_path / "python" / "pyspark"
    package.mkdir(parents=True)
    (package / "version.py").write_text('__version__: str = "3.3.1"\n')
    lines = said(
        """
import importlib.metadata
try:
    with RxSpark(master="local[2]"):
        rxExec(abs, -1)
except RxContextError as error:
    named = ("3.3.1", importlib.metadata.version("pyspark"), os.environ["SPARK_HOME"])
    print([name in str(error) for name in named])
""",
        SPARK_HOME=str(tmp_path),
    )
    assert lines == ["[True, True, True]"]


def test_a_spark_home_is_found_where_pyspark_is_not_installed(tmp_path: Path) -> None:
    """Without an installed PySpark, findspark takes the one of SPARK_HOME."""
    lines = said(f"""
import importlib.util, pyspark
home = os.path.dirname(pyspark.__file__)
for name in [name for name in __import__("sys").modules if name.split(".")[0] in ("pyspark", "py4j")]:
    del __import__("sys").modules[name]
hidden = {str(tmp_path)!r}
os.makedirs(hidden + "/python"); os.symlink(home, hidden + "/python/pyspark")
os.makedirs(hidden + "/python/lib"); os.symlink(os.path.dirname(home) + "/py4j", hidden + "/python/py4j")
for part in ("bin", "jars"): os.symlink(home + "/" + part, hidden + "/" + part)
open(hidden + "/python/lib/py4j-src.zip", "w").close()
class Hide:
    def find_spec(self, name, path=None, target=None):
        top = hidden + "/python"
        if name == "pyspark" and top not in __import__("sys").path:
            raise ModuleNotFoundError(name)
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "pyspark" else real(name, package)
os.environ["SPARK_HOME"] = hidden
with RxSpark(master="local[2]"):
    print(rxExec(abs, -1), __import__("pyspark").__file__.startswith(hidden))
""")
    assert lines == ["[1] True"]


def test_missing_java_is_told_with_the_contexts_that_need_none(tmp_path: Path) -> None:
    """Without Java the error says what is needed and names the local contexts."""
    lines = said(
        """
try:
    with RxSpark(master="local[2]"):
        rxExec(abs, -1)
except RxContextError as error:
    print("RxLocalParallel" in str(error), "Java" in str(error))
""",
        JAVA_HOME=str(tmp_path),
        PATH=str(tmp_path),
    )
    assert lines == ["True True"]


REFUSED = """
def called(x):
    raise SystemExit("launched")
config = {"spark.ui.enabled": False, "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
try:
    with RxSpark(master="local-cluster[1,1,1024]", extraSparkConfig=config):
        rxExec(called, 1)
except RxError as error:
    print(type(error).__name__)
    print(error)
rxSparkDisconnect()
"""


def refused(python: Path) -> list[str]:
    """What a call is told whose executors have another Python."""
    return said(f'os.environ["PYSPARK_PYTHON"] = {str(python)!r}' + REFUSED, PYTHONPATH=str(ROOT))


def test_executors_without_numpy_are_refused_before_launch(tmp_path: Path) -> None:
    """A table shows what the executors have beside what the driver has."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    kind, told, names, driver, executor, fix = refused(tmp_path / "bare" / "bin" / "python")
    assert (kind, told) == ("RxMissingError", "executors lack cloudpickle and numpy:")
    assert names.split() == ["python", "numpy", "cloudpickle", "pandas", "pyarrow", "mkl_random"]
    assert driver.split()[:3] == ["driver", platform.python_version(), numpy.__version__]
    assert executor.split()[1:] == [platform.python_version(), *["missing"] * 5]
    assert "pythonEnv" in fix


def test_executors_with_another_minor_version_are_refused_before_launch() -> None:
    """Both versions are told, in the same table."""
    found = [shutil.which(f"python3.{n}") for n in range(9, 20)]
    found += glob.glob(os.path.join(sys.base_prefix, "..", "3.*", "bin", "python3"))
    for python in filter(None, found):
        told = subprocess.run([python, "--version"], capture_output=True, text=True)
        version = told.stdout.removeprefix("Python ").rpartition(".")[0]
        if told.returncode == 0 and version in {f"3.{n}" for n in range(9, 20) if n != sys.version_info.minor}:
            break
    else:
        pytest.skip("this machine has no Python of another minor version")
    kind, told, _, driver, executor, _ = refused(Path(python))
    assert (kind, told) == ("RxContextError", "executors have another Python than the driver:")
    assert driver.split()[1] == platform.python_version()
    assert executor.split()[1] == version
