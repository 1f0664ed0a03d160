"""RxSpark finds a Spark, makes a session and stops it as it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from engines_end import without_engines_end
from spark_programs import run, said


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


def test_what_a_killed_program_has_written_for_spark_goes_with_the_next_one(tmp_path: Path) -> None:
    """The configuration of the log and rxspark for executors, in the folder for temporary files."""

    def left() -> list[str]:
        return sorted(path.name for path in tmp_path.rglob("*") if path.suffix in (".properties", ".zip"))

    program = 'with RxSpark(master="local[2]"):\n    rxExec(abs, -1)\n'
    assert run(f"{program}import os\nos.kill(os.getpid(), 9)", TMPDIR=str(tmp_path)).returncode == -9
    assert [name.rpartition(".")[2] for name in left()] == ["properties", "zip"]
    said(program, TMPDIR=str(tmp_path))
    assert left() == []


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
