"""RxSpark finds, makes and stops Spark sessions as it says; in programs, as a process has one Spark."""

from __future__ import annotations

import ast
import glob
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy
import pytest
from engines_end import without_engines_end
from project import ROOT

QUIET = """
import os
os.environ["PYSPARK_PYTHON"] = __import__("sys").executable
from rxspark import *
def plain(master="local[2]", settings={}):
    from pyspark.sql import SparkSession
    builder = SparkSession.builder.master(master).config("spark.ui.enabled", "false")
    for name, value in settings.items():
        builder = builder.config(name, value)
    builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    return builder.getOrCreate()
"""


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program; what it prints last tells."""
    return subprocess.run(
        [sys.executable, "-c", QUIET + code, *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tempfile.gettempdir(),  # not in the checkout, whose rxspark the executors would find before any other
        env={**os.environ, **environment},
    )


def said(code: str, *arguments: str, **environment: str) -> list[str]:
    """The lines that a program prints."""
    done = run(code, *arguments, **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


# One process that lives through what can happen to a session, as each start of Spark takes seconds. Each step says what
# it saw, as `name=value`.
STEP = """
import traceback
def step(run):
    try:
        print(run.__name__, repr(run()), sep="=", flush=True)
    except Exception:
        print(run.__name__, repr(traceback.format_exc()), sep="=", flush=True)
"""

PARTITION = """
def partition(x):
    from pyspark import TaskContext
    return TaskContext.get().partitionId()
"""

LIFE = """
import threading, time
session = plain(settings={"spark.default.parallelism": 50,
    "spark.python.worker.killOnIdleTimeout": True, "spark.python.worker.idleTimeoutSeconds": 5})

@step
def attached():
    with RxSpark():
        return list(rxExec(pow, rxElemArg([2, 3]), 2))

@step
def silent():
    def task(x):
        import ctypes
        if x == 1:
            ctypes.PyDLL(None).sleep(7)  # in C, and no other thread of Python's runs
        return x * 10
    with RxSpark():
        found = rxExec(task, rxElemArg(range(3)), taskChunkSize=3)
        return list(found), found.info["attempt"].tolist()

@step
def slots():
    with RxSpark():
        nodes = len(rxPingNodes()), len(rxGetNodeInfo()), list(rxExec(abs, -1, oncePerElem=True))
        return len(set(rxExec(partition, rxElemArg(range(100))))), nodes

@step
def another_program():
    from pyspark import SparkContext
    from rxspark.backends.spark import package
    from rxspark.backends.spark.session import _applications
    sc = session.sparkContext
    zips = lambda: [file for file in sc.listFiles if "/rxspark-" in file]
    where = lambda: rxExec(lambda: __import__("rxspark").__file__)[0]
    with RxSpark():
        rxExec(abs, -1)
        before, first = zips(), where()
        def start_anew():  # as a restarted kernel does: what this process knows of the application is gone
            _applications.clear()
            package.packed_rxspark._made.clear()
            sc._python_includes.clear()
        start_anew()
        again = list(rxExec(abs, -2)), zips() == before
        start_anew()
        package._DATE = (1990, 1, 1, 0, 0, 0)  # another content
        second = where()
        return again, len(before), len(zips()), first != second

@step
def settings_without_effect():
    import logging
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    logging.getLogger("rxspark").addHandler(handler)
    for _ in range(2):
        with RxSpark(numExecutors=4, extraSparkConfig={"spark.default.parallelism": 50}):
            rxExec(abs, -1)
    logging.getLogger("rxspark").removeHandler(handler)
    return told

@step
def one_bar():
    from rxspark.backends import backend_for
    return session.conf.get("spark.ui.showConsoleProgress"), backend_for(RxSpark()).draws_bar

@step
def forked():
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            with RxSpark():
                told = rxExec(abs, -1)
        except BaseException as error:
            told = f"{type(error).__name__} {error}"
        os.write(writing, str(told).encode())
        os._exit(0)
    os.waitpid(child, 0)
    with RxSpark():
        return os.read(reading, 10_000).decode(), list(rxExec(abs, -3))

@step
def hosts():
    from rxspark.backends.spark.cluster import Located, run_on_each
    elements = [Located("127.0.0.1", 5), Located("192.0.2.7", 6)]  # the other one is no machine's
    return run_on_each(session.sparkContext, elements, lambda value: iter([value + 1]))

@step
def disconnected():
    rxSetComputeContext("spark")
    rxExec(abs, -1)
    rxSparkDisconnect()
    return session.range(5).count(), repr(rxGetComputeContext())

@step
def second():
    other = session.newSession()
    with RxSpark():
        return list(rxExec(abs, -1)), other.range(3).count(), list(rxExec(abs, -2))

@step
def passed_over():
    def objects():
        import gc
        return gc.get_freeze_count()
    with RxSpark():
        return [max(rxExec(objects, timesToRun=20)) for _ in range(6)]

@step
def another_master():
    try:
        with RxSpark(master="yarn"):
            rxExec(abs, -1)
    except RxContextError as error:
        return str(error)

@step
def captured():
    told = []
    for name in ("session", "session.sparkContext", "session.range(3)"):
        globals()["held"] = eval(name)
        try:
            with RxSpark():
                rxExec(lambda i: held.count(), rxElemArg([1, 2]))
        except RxShippingError as error:
            told.append(str(error))
    return told

@step
def replaced():
    with RxSpark():
        before = list(rxExec(abs, -1))
        session.stop()
        return before, list(rxExec(abs, -2))

@step
def stopped():
    threading.Timer(2, plain().stop).start()
    began = time.time()
    try:
        with RxSpark():
            rxExec(time.sleep, 60, timesToRun=2)
    except RxContextError as error:
        return str(error), time.time() - began < 30
"""


@pytest.fixture(scope="module")
def life() -> dict[str, Any]:
    """Observations of each step of that program."""
    return {
        name: ast.literal_eval(value) for name, value in (line.split("=", 1) for line in said(STEP + PARTITION + LIFE))
    }


def test_attaches_to_the_active_session_and_leaves_it_running(life: dict[str, Any]) -> None:
    """RxSpark() runs on the session that is there, and rxSparkDisconnect does not stop it."""
    assert life["attached"] == [4, 9]
    assert life["disconnected"] == (5, "RxLocalSeq()")


def test_a_task_that_is_silent_for_long_is_not_taken_for_dead(life: dict[str, Any]) -> None:
    """A call of C goes past spark.python.worker.idleTimeoutSeconds, at which Spark would end the worker: it answers."""
    assert life["silent"] == ([0, 10, 20], [0, 0, 0])


def test_slots_are_cores_whatever_the_default_parallelism_says(life: dict[str, Any]) -> None:
    """With spark.default.parallelism=50 on two cores a call has three partitions a core, and nodes answer once."""
    assert life["slots"] == (6, (1, 1, [1]))


def test_another_program_on_one_application_adds_nothing_twice(life: dict[str, Any]) -> None:
    """The package is known by its content: the same one is added once, a changed one is what its tasks run."""
    assert life["another_program"] == (([2], True), 1, 2, True)


def test_settings_without_effect_are_named_once(life: dict[str, Any]) -> None:
    """Settings that a session does not have are told at the first call; those that it has are not."""
    (told,) = life["settings_without_effect"]
    assert "numExecutors=4 (there: not set)" in told
    assert "parallelism" not in told


def test_there_is_one_bar_where_spark_draws_its_own(life: dict[str, Any]) -> None:
    """In a session with Spark's console bar, as PySpark's shell has it, the backend says so."""
    assert life["one_bar"] == ("true", True)


def test_a_session_of_the_parent_is_refused_in_a_forked_process(life: dict[str, Any]) -> None:
    """Told at once, with what to do; the parent's session goes on."""
    told, parent = life["forked"]
    assert told.startswith("RxContextError this process (pid ")
    assert "was forked from one that had a Spark session" in told
    assert parent == [3]


def test_what_shall_run_on_a_host_runs_there_or_nowhere(life: dict[str, Any]) -> None:
    """An element whose host is no executor's is not given to another one; its host is told."""
    assert life["hosts"] == ([6], ["192.0.2.7"])


GROWING = """
import time
session = plain("local-cluster[2,1,1024]", {
    "spark.dynamicAllocation.enabled": True, "spark.dynamicAllocation.shuffleTracking.enabled": True,
    "spark.dynamicAllocation.maxExecutors": 7, "spark.dynamicAllocation.executorIdleTimeout": "3s",
    "spark.default.parallelism": 50})
rxSetComputeContext("spark")

@step
def pinged():
    return [node["status"] for node in rxPingNodes().values()]

@step
def partitions():
    return len(set(rxExec(partition, rxElemArg(range(100)))))

@step
def pinged_when_idle():
    deadline = time.time() + 60
    while session.sparkContext._jsc.sc().getExecutorIds().size() and time.time() < deadline:
        time.sleep(0.2)
    return session.sparkContext._jsc.sc().getExecutorIds().size(), list(rxExec(abs, -1, oncePerElem=True))
"""


def test_under_dynamic_allocation_nodes_answer_and_work_is_cut_for_what_may_come() -> None:
    """Executors that come and go: nodes answer, also when all are gone, and there is work for as many as may come."""
    lines = said(STEP + PARTITION + GROWING)
    assert lines == ["pinged=['success']", "partitions=21", "pinged_when_idle=(0, [1])"]


def test_garbage_collections_pass_over_modules_and_nothing_more(life: dict[str, Any]) -> None:
    """PySpark collects garbage behind each partition: what it would look over in vain it passes over, once."""
    *_, before, after = life["passed_over"]
    assert before > 10_000
    assert abs(after - before) < 100


def test_another_master_than_the_active_one_is_refused_by_both_names(life: dict[str, Any]) -> None:
    """Asking for a master while a session with another one is active is an error that names both."""
    assert "'yarn'" in life["another_master"]
    assert "'local[2]'" in life["another_master"]


def test_a_stopped_session_is_replaced(life: dict[str, Any]) -> None:
    """After the session was stopped the next call works, on a new one, and runs each task once."""
    assert life["replaced"] == ([1], [2])


def test_a_second_session_of_the_same_application_changes_nothing(life: dict[str, Any]) -> None:
    """newSession() shares the application: calls work before and after."""
    assert life["second"] == ([1], 3, [2])


def test_a_session_stopped_during_a_call_is_told(life: dict[str, Any]) -> None:
    """Stopping the session under a running call ends it with an RxContextError, at once."""
    message, soon = life["stopped"]
    assert message.startswith("the Spark session was stopped")
    assert soon


def test_a_function_that_holds_a_session_is_refused_by_the_variable(life: dict[str, Any]) -> None:
    """A captured session, context or data frame is found before launch and named."""
    assert len(life["captured"]) == 3
    assert all("FUN → global variable 'held'" in message for message in life["captured"])


def test_a_session_that_we_make_has_the_settings_and_is_the_one_that_we_stop() -> None:
    """Named and extra settings arrive, sessions of ours use the fast socket, executors get the caller's rxspark."""
    lines = said("""
from pyspark import SparkContext
context = rxSparkConnect(master="local[2]", driverMem="700m", extraSparkConfig={"spark.app.name": "mine"})
print(context, SparkContext._active_spark_context.master, rxExec(abs, -1))
print("/rxspark-" in rxExec(lambda: __import__("rxspark").__file__)[0])
conf = SparkContext._active_spark_context.getConf()
for name in ("spark.app.name", "spark.driver.memory", "spark.python.unix.domain.socket.enabled"):
    print(conf.get(name))
rxSparkDisconnect()
print(SparkContext._active_spark_context, rxGetComputeContext())
with context:
    print(rxExec(abs, -2))
""")
    assert lines == [
        "RxSpark(master='local[2]', driverMem='700m', extraSparkConfig={'spark.app.name': 'mine'}) local[2] [1]",
        *("True", "mine", "700m", "true"),
        "None RxLocalSeq()",
        "[2]",
    ]


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


DYING = """
import signal
with RxSpark(master="local[2,4]"):
    found = rxExec(lambda i: os.kill(os.getpid(), signal.SIGKILL) if i == 1 else i, rxElemArg(range(3)))
    print(found[0], type(found[1]).__name__, found[2])
"""


def test_sessions_of_ours_are_quiet() -> None:
    """From the start to the end, with a death that is handled: only the warning of the call, and Java's of itself."""
    done = run("import warnings; warnings.simplefilter('default')\n" + DYING)
    assert done.stdout.splitlines() == ["0 RxLostTaskError 2"]
    lines = without_engines_end(done.stderr).splitlines()
    told = [line for line in lines if not line.startswith("WARNING: Using incubator modules")]
    assert [line for line in told if "RxTaskWarning" not in line] == [], done.stderr


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
    return refused()
rxSparkDisconnect()

os.environ["PYSPARK_PYTHON"] = pythons[2]
@step
def another_minor():
    return refused()

@step
def launched_any():
    return os.path.exists(ran)
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
    kind, message = executors["without_numpy"]
    told, names, driver, executor, fix = message.splitlines()
    assert (kind, told) == ("RxMissingError", "executors lack cloudpickle and numpy:")
    assert names.split() == ["python", "numpy", "cloudpickle", "pandas", "pyarrow", "mkl_random"]
    assert driver.split()[:3] == ["driver", platform.python_version(), numpy.__version__]
    assert executor.split()[1:] == [platform.python_version(), *["missing"] * 5]
    assert "pythonEnv" in fix
    assert not executors["launched_any"]


def test_executors_with_another_minor_version_are_refused_before_launch(executors: dict[str, Any]) -> None:
    """Both versions are told, in the same table."""
    python = another_python()
    if python is None:
        pytest.skip("this machine has no Python of another minor version")
    kind, message = executors["another_minor"]
    told, _, driver, executor, _ = message.splitlines()
    assert (kind, told) == ("RxContextError", "executors have another Python than the driver:")
    assert driver.split()[1] == platform.python_version()
    assert executor.split()[1] == version(python)
    assert not executors["launched_any"]
