"""The PySpark that is there, and whether it can start a Spark: told before it is tried."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pyspark
import pytest

from rxspark import RxContextError, process
from rxspark.backends.spark import install, package
from rxspark.backends.spark.python import check_python

PACKAGE = Path(pyspark.__file__).parent


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for sys.path, whose PySpark is the client of Spark Connect, as pip installs it: without a Spark."""
    left_out = {"core", "java_gateway.py", "jars", "bin"}
    package = tmp_path / "pyspark"
    package.mkdir()
    for part in PACKAGE.iterdir():
        if part.name not in left_out:
            (package / part.name).symlink_to(part)
    monkeypatch.delenv("SPARK_HOME", raising=False)
    return tmp_path


def told(program: str, folder: Path, **environment: str) -> str:
    """Output of a program that finds PySpark in a folder."""
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


CALL = """
from rxspark import *
try:
    with RxSpark(master="local[1]"):
        rxExec(abs, -1)
except RxContextError as error:
    print(error)
"""


def test_the_client_of_spark_connect_alone_is_told_with_what_it_can_do(client: Path) -> None:
    """With pyspark-client only, RxSpark names what is there, the server that it could use, and what to install."""
    message = told(CALL, client)
    assert f"{client / 'pyspark'} is the client of Spark Connect alone (PySpark {pyspark.__version__})" in message
    assert "RxSpark(master='sc://host:15002')" in message
    assert f"pip install pyspark=={pyspark.__version__}" in message


IMPORTED = """
import pyspark
from rxspark import *
rxOptions(reportProgress=0)
assert not hasattr(pyspark, "SparkContext")
print(rxExec(abs, -1))
with RxSpark():
    try:
        rxExec(abs, -1)
    except RxContextError as error:
        print(error)
"""


def test_calls_that_need_no_spark_run_where_the_client_is_imported(client: Path) -> None:
    """It has no SparkContext to ask for: local contexts run, and RxSpark says the same as before."""
    result, _, message = told(IMPORTED, client).partition("\n")
    assert result == "[1]"
    assert "is the client of Spark Connect alone" in message


def test_the_doctor_goes_on_where_there_is_no_spark(client: Path) -> None:
    """With the client only, its check is WRONG with that message, and all checks are made."""
    program = "from rxspark.doctor import *; from rxspark import RxSpark; print(report(examine(RxSpark()), False))"
    lines = told(program, client).splitlines()
    assert any(line.startswith("WRONG  PySpark:") and "Spark Connect alone" in line for line in lines)
    assert any(line.startswith("WRONG  round trip:") and "Spark Connect alone" in line for line in lines), lines
    assert any(line.startswith("ok     share folder:") for line in lines)


def test_a_spark_home_that_holds_no_spark_is_named(tmp_path: Path) -> None:
    """SPARK_HOME on a folder of Python code: told with what it lacks, in place of a missing file of PySpark's own."""
    (tmp_path / "version.py").write_text((PACKAGE / "version.py").read_text())
    message = told(CALL, PACKAGE.parent, SPARK_HOME=str(tmp_path))
    assert f"SPARK_HOME={tmp_path} holds no bin/spark-submit and no jars" in message
    (tmp_path / "version.py").write_text('__version__ = "3.3.1"')
    assert f"SPARK_HOME={tmp_path} has Spark 3.3.1, but" in told(CALL, PACKAGE.parent, SPARK_HOME=str(tmp_path))


# Where PySpark warns of pandas: at its start, where data frames come and go, and where functions over batches are made.
PLACES = ("pyspark.testing.utils", "pyspark.sql.pandas.conversion", "pyspark.sql.pandas.functions")


@pytest.mark.parametrize(
    ("installed", "own", "silent"),
    [("2.3.3", True, ()), ("2.3.3", False, ()), ("3.0.1", True, PLACES), ("3.0.1", False, PLACES[2:])],
)
def test_pandas_3_is_no_news_at_each_start(
    installed: str, own: bool, silent: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PySpark's warning of pandas 3 is left out there, in the user's sessions where rxspark makes functions alone."""
    monkeypatch.setattr(install, "version", lambda name: installed)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        install.quiet_about_pandas(own)
        for place in PLACES:
            for text in ("PySpark does not yet fully support pandas >= 3.0.0. Some", "another"):
                warnings.warn_explicit(text, FutureWarning, f"{place}.py", 1, place)
        assert (list(warnings.filters) == before) is not bool(silent)
    told = [warning.filename.removesuffix(".py") for warning in seen if "pandas" in str(warning.message)]
    assert told == [place for place in PLACES if place not in silent]
    assert len(seen) == len(told) + len(PLACES)


@pytest.mark.parametrize(("command", "helps"), [("python3-of-nobody", True), ("/nowhere/bin/python3", False)])
def test_who_names_a_python_by_its_path_is_not_told_to_activate_an_environment(command: str, helps: bool) -> None:
    """The variable changes what a mere name stands for, and no path."""
    with pytest.raises(RxContextError, match=f"run {command}, which is not there") as raised:
        check_python(command)
    assert ("activate the environment" in str(raised.value)) is helps
    assert 'os.environ["PYSPARK_PYTHON"] = sys.executable' in str(raised.value)


def test_the_package_for_executors_is_named_by_its_content(tmp_path: Path) -> None:
    """Any process makes the same bytes under the same name, another content has another; it can be imported."""
    code = """
import hashlib, os, pathlib
for module in os.environ.get("LOADED", "").split():
    __import__(module)
from rxspark.backends.spark.package import packed_rxspark
file = pathlib.Path(packed_rxspark())
print(file.name, hashlib.sha1(file.read_bytes()).hexdigest())
"""
    others = {
        "1": "",
        "2": "pandas multiprocessing.pool unittest.mock",
        "3": "rxspark.execute rxspark.rng.numba_random",
    }
    runs = {told(code, PACKAGE.parent, PYTHONHASHSEED=seed, LOADED=loaded) for seed, loaded in others.items()}
    assert len(runs) == 1
    path = Path(package.packed_rxspark())
    assert runs.pop().split()[0] == path.name
    with zipfile.ZipFile(path) as archive:
        assert {"rxspark/__init__.pyc", "rxspark/worker/runner.pyc"} <= set(archive.namelist())
        assert {name.rpartition(".")[2] for name in archive.namelist()} == {"pyc"}
    run = [sys.executable, "-P", "-c", "import rxspark.worker.runner as r; print(r.__file__, r.__cached__)"]
    loaded = subprocess.run(run, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(path)})
    assert loaded.stdout.split() == [f"{path}/rxspark/worker/runner.pyc"] * 2, loaded.stderr

    other = shutil.copytree(process.PACKAGE, tmp_path / "rxspark", ignore=shutil.ignore_patterns("__pycache__"))
    assert told(code, tmp_path).split()[0] == path.name
    (other / "version.py").write_text("NUMBER = 2")
    assert told(code, tmp_path).split()[0] != path.name


def test_a_python_that_cannot_run_tasks_is_named_with_the_line_that_mends_it(tmp_path: Path) -> None:
    """Another environment without NumPy, none at all, one that fails; that of this process is the same one."""
    assert check_python(sys.executable)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    for command, fault in (
        (tmp_path / "bare" / "bin" / "python", "which lacks numpy and cloudpickle"),
        (tmp_path / "none", "which is not there"),
        (broken, "which cannot be run"),
    ):
        with pytest.raises(RxContextError) as raised:
            check_python(str(command))
        message = str(raised.value)
        assert all(part in message for part in (f"{command}, ", fault, sys.executable)), message
        assert 'os.environ["PYSPARK_PYTHON"] = sys.executable' in message
    assert not check_python("./environment/bin/python")  # in an archive: the executors are asked
