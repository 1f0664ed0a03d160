"""The Spark application behind RxSpark: found, or made, and stopped only if made here."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import logging
import os
import re
import shlex
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rxspark.backends.foreign import full_text, plain_cause, reason, with_java
from rxspark.backends.java import java_problem
from rxspark.backends.yarn import HADOOP_CONF_DIR, jars_archive
from rxspark.contexts import ENVIRONMENT, RxSpark
from rxspark.errors import RxContextError, RxMissingError
from rxspark.filesystem import share_folder
from rxspark.options import rxGetOption
from rxspark.patience import within

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql.connect.session import SparkSession

__all__ = [
    "Application",
    "active_session",
    "application_for",
    "classic_context",
    "connect_session",
    "has_ended",
    "in_time",
    "packed_rxspark",
    "stop_own",
]

logger = logging.getLogger("rxspark")

Answer = TypeVar("Answer")

_LOCAL_MASTER = "local[*,4]"  # all cores; a task that fails by the death of its worker is tried four times

_lock = threading.RLock()


@dataclass(frozen=True)
class Application:
    """A running Spark application, prepared for rxspark's tasks."""

    context: SparkContext
    own: bool
    """Whether rxspark made it, and so may stop it."""

    @property
    def local(self) -> bool:
        """Whether its tasks run in workers of this very process's own environment; local-cluster's do not."""
        return re.match(r"local(\[|$)", str(self.context.master)) is not None


_applications: dict[str, Application] = {}
"""By Spark's id of the application: those that have been prepared."""


def application_for(context: RxSpark) -> Application:
    """The application for a compute context: the active one, else a new one.

    Raises
    ------
    RxContextError
        When PySpark or Java are missing or do not fit, or another master is active than the one asked for.
    """
    with _lock:
        active = classic_context()
        if active is not None:
            _check_master(context, str(active.master))
            return _prepared(active, own=False)
        return _prepared(_new_context(context), own=True)


def stop_own() -> None:
    """Stop the application that rxspark made, if there is one."""
    with _lock:
        for key, application in list(_applications.items()):
            del _applications[key]
            if application.own:
                application.context.stop()


def classic_context() -> SparkContext | None:
    """The SparkContext that is active in this process, or None; a stopped one counts as none."""
    if "pyspark" not in sys.modules:
        return None
    from pyspark import SparkContext

    # No public call tells whether there is one without making one; the attribute has been there since Spark 1.
    active: SparkContext | None = SparkContext._active_spark_context
    return None if active is None or has_ended(active) else active


def has_ended(context: SparkContext) -> bool:
    """Whether an application was stopped, from here or from its JVM's side."""
    from py4j.protocol import Py4JError

    try:
        return context._jsc is None or bool(context._jsc.sc().isStopped())
    except (Py4JError, OSError):  # the JVM itself is gone
        return True


def connect_session(context: RxSpark) -> SparkSession | None:
    """The Spark Connect session for a compute context: the active one, or that with the server it names; else None.

    Raises
    ------
    RxContextError
        When there is an active one, and the context asks for a classic application.
    """
    module = sys.modules.get("pyspark.sql.connect.session")
    active = None if module is None else _active_of(module.SparkSession)
    wanted = context.master if (context.master or "").startswith("sc://") else None
    if active is not None and context.master not in (None, wanted):
        raise RxContextError(
            f"RxSpark(master={context.master!r}), but a Spark Connect session is active in this process; use RxSpark() "
            f"to run on it, or stop it first"
        )
    if active is None and wanted is not None:
        active = _connected(wanted)
    return active


def active_session(context: RxSpark) -> Any:
    """The session for tables of a compute context, whose application is running."""
    from pyspark.sql import SparkSession

    return connect_session(context) or SparkSession.builder.getOrCreate()


def _active_of(kind: Any) -> Any:
    """The active session, or the default one: another thread may have made it."""
    from pyspark.errors import PySparkException

    try:
        return kind.active()
    except PySparkException:
        return None


def _connected(server: str) -> Any:
    _find_pyspark()
    try:
        from pyspark.sql.connect.session import SparkSession

        return in_time(server, lambda: SparkSession.builder.remote(server).getOrCreate())
    except ImportError as error:
        raise RxContextError(f"{error}. A Spark Connect session needs pip install 'rxspark[connect]'") from error


def in_time(server: str, ask: Callable[[], Answer]) -> Answer:
    """What a Spark Connect server answers; PySpark would try for ten minutes to reach it."""
    limit = rxGetOption("connectTimeout")
    try:
        return within(limit, ask, "connect")
    except TimeoutError:
        raise RxContextError(
            f"{server} has not answered for {limit} seconds (rxOptions(connectTimeout={limit}))"
        ) from None


def _check_master(context: RxSpark, active: str) -> None:
    if context.master is not None and context.master != active:
        raise RxContextError(
            f"RxSpark(master={context.master!r}), but a Spark session with master {active!r} is active in this "
            f"process; use RxSpark() to run on it, or stop it first"
        )


def _prepared(context: SparkContext, own: bool) -> Application:
    key = str(context.applicationId)
    if key not in _applications:
        _applications.clear()  # one application a process: those from before have ended
        context.addPyFile(packed_rxspark())
        _applications[key] = Application(context, own)
    return _applications[key]


def packed_rxspark() -> str:
    """A zip of this package, for executors that lack it or have another version; sources and compiled code."""
    package = Path(__file__).parents[1]
    path = Path(tempfile.mkdtemp(prefix="rxspark-")) / "rxspark.zip"
    atexit.register(_remove, path)
    with zipfile.PyZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writepy(str(package))
        for source in package.rglob("*.py"):
            archive.write(source, source.relative_to(package.parent))
    return str(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()


def _new_context(context: RxSpark) -> SparkContext:
    _find_pyspark()
    import pyspark
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    problem = java_problem(pyspark.__version__)
    if problem is not None:
        raise RxContextError(problem)
    if SparkContext._active_spark_context is not None and SparkContext._active_spark_context._jsc is not None:
        _leave_jvm()  # we are here as its JVM is gone
    master = context.master or _master_from_elsewhere()
    if master is None and "PYSPARK_GATEWAY_PORT" not in os.environ:  # else spark-submit's JVM is there, and knows it
        master = _LOCAL_MASTER
        logger.warning("no Spark session is active: starting one on the cores of this machine")
    builder = SparkSession.builder.appName("rxspark")
    builder = builder.master(master) if master else builder
    for name, value in {**_defaults(master or ""), **_on_yarn(context, master or ""), **context.settings()}.items():
        builder = builder.config(name, value)
    try:
        with _executors_python(context.pythonEnv):
            return builder.getOrCreate().sparkContext
    except Exception as error:
        told = f"no Spark session with master {master!r} could be started: {reason(full_text(error))}"
        failure, cause = with_java(RxContextError(told), error), plain_cause(error)
        _leave_jvm()
        raise failure from cause


def _leave_jvm() -> None:
    """Take a JVM that has died, or in which no session could start, out of PySpark's books.

    It would be asked for the next session again, with the settings that this one failed by.
    """
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if "PYSPARK_GATEWAY_PORT" in os.environ:  # spark-submit's, which runs this very process
        return
    gateway = SparkContext._gateway
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    SparkSession._instantiatedSession = None
    if gateway is not None:
        with contextlib.suppress(Exception):  # it is dead
            gateway.shutdown()
        if getattr(gateway, "proc", None) is not None:
            gateway.proc.stdin.close()  # at which it ends


@contextlib.contextmanager
def _executors_python(archive: str | None) -> Iterator[None]:
    """Tell the session that starts which Python its executors run: that in the archive, or set, else one like this.

    Without a word Spark starts whatever "python3" the path has, although this process has an environment of its own.
    """
    if archive is None:
        os.environ.setdefault("PYSPARK_PYTHON", _elsewhere("spark.pyspark.python") or sys.executable)
        yield
        return
    before = os.environ.get("PYSPARK_PYTHON")
    os.environ["PYSPARK_PYTHON"] = f"./{ENVIRONMENT}/bin/python"
    try:
        yield
    finally:
        os.environ.pop("PYSPARK_PYTHON")
        if before is not None:
            os.environ["PYSPARK_PYTHON"] = before


def _on_yarn(context: RxSpark, master: str) -> dict[str, str]:
    """What sessions on YARN need besides: Hadoop's configuration on executors, and Spark's jars on the cluster.

    Without the latter each start uploads 400 MB; spark-submit has uploaded them by now, if it is there.
    """
    if not master.startswith("yarn") or "PYSPARK_GATEWAY_PORT" in os.environ:
        return {}
    settings = {"spark.executorEnv.HADOOP_CONF_DIR": HADOOP_CONF_DIR}
    if any(name in context.settings() or _elsewhere(name) for name in ("spark.yarn.jars", "spark.yarn.archive")):
        return settings
    try:
        return settings | {"spark.yarn.archive": jars_archive(share_folder(context))}
    except RxMissingError as error:
        logger.warning("Spark uploads its jars at this start and each next one: %s", error)
        return settings


def _defaults(master: str) -> dict[str, str]:
    """Settings of the sessions that we make; those of the context go before them."""
    settings = {
        # Between the JVM and its Python workers: 5 ms a partition in place of 25 by TCP (PySpark 4.1 and newer).
        "spark.python.unix.domain.socket.enabled": "true",
        # What a call gives is wanted here, whatever its size: Spark's limit would only abort the job.
        "spark.driver.maxResultSize": "0",
        "spark.ui.showConsoleProgress": "false",  # it would write over our own progress bar
    }
    if master.startswith("local"):
        # The name of a laptop may lead to an address that is not there (VPN, another network).
        settings |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    else:
        # By default below a container's working folder, whose path on YARN is longer than a socket's may be.
        settings["spark.python.unix.domain.socket.dir"] = "/tmp"
    return settings


def _master_from_elsewhere() -> str | None:
    """The master that spark-submit, or a spark-defaults.conf, names."""
    if os.environ.get("MASTER"):
        return os.environ["MASTER"]
    submitted = os.environ.get("PYSPARK_SUBMIT_ARGS", "").split()
    if "--master" in submitted[:-1]:
        return submitted[submitted.index("--master") + 1]
    return _elsewhere("spark.master")


def _elsewhere(wanted: str) -> str | None:
    """What spark-submit's arguments or a spark-defaults.conf give a setting."""
    for word in shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", "")):
        if word.startswith(f"{wanted}="):
            return word.partition("=")[2]
    home = os.environ.get("SPARK_HOME")
    folder = os.environ.get("SPARK_CONF_DIR") or (os.path.join(home, "conf") if home else None)
    defaults = Path(folder, "spark-defaults.conf") if folder else None
    if defaults is None or not defaults.is_file():
        return None
    for line in defaults.read_text().splitlines():
        name, _, value = line.strip().replace("=", " ", 1).partition(" ")
        if name == wanted:
            return value.strip()
    return None


def _find_pyspark() -> None:
    """Make `import pyspark` work: installed, or in SPARK_HOME by findspark; refuse two that differ."""
    installed = importlib.util.find_spec("pyspark")
    if installed is None:
        _from_spark_home()
    elif os.environ.get("SPARK_HOME"):
        _refuse_mismatch(os.environ["SPARK_HOME"], os.path.dirname(str(installed.origin)))


def _from_spark_home() -> None:
    try:
        import findspark

        findspark.init()
    except ImportError:
        raise RxContextError(_NO_PYSPARK) from None
    except Exception as error:  # what findspark raises when it finds nothing: plain ones of several types
        raise RxContextError(f"{_NO_PYSPARK} (findspark: {error})") from error


_NO_PYSPARK = (
    "PySpark is not installed, and no Spark was found. Install it (pip install 'rxspark[spark]'), or set SPARK_HOME to "
    "a Spark distribution and install findspark. RxLocalSeq, RxLocalParallel and RxForeachDoPar need no Spark"
)


def _refuse_mismatch(home: str, package: str) -> None:
    """SPARK_HOME decides which Spark starts, the installed package which Python code talks to it."""
    there, installed = _version_of(Path(home, "python", "pyspark")), _version_of(Path(package))
    if there is not None and installed is not None and there != installed:
        raise RxContextError(
            f"SPARK_HOME={home} has Spark {there}, but the installed PySpark is {installed} ({package}); the two must "
            f"be of one version. Unset SPARK_HOME to use the installed one, or uninstall it to use SPARK_HOME's"
        )


def _version_of(package: Path) -> str | None:
    try:
        text = (package / "version.py").read_text()
    except OSError:
        return None
    found: dict[str, Any] = {}
    exec(compile(text, str(package / "version.py"), "exec"), found)
    return str(found["__version__"])
