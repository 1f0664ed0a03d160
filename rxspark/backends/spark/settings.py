"""Settings of the Spark sessions that rxspark makes, and what others have set before it."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable
from pathlib import Path

from rxspark.backends.spark.yarn import HADOOP_CONF_DIR, jars_archive, log_in_to_hdfs
from rxspark.contexts import ARGUMENTS, RxSpark
from rxspark.data.local_files import local_folder
from rxspark.errors import RxMissingError
from rxspark.user_paths import share_folder

__all__ = ["chosen_master", "session_settings", "set_elsewhere", "without_effect"]

logger = logging.getLogger("rxspark")

_JAVA_OPTIONS = "spark.driver.extraJavaOptions"

# The driver's JVM logs errors, but for those of tasks and executors, which the call itself tells in its own words.
_LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
# Else PySpark's own shell would set the level of all to "warn", and say so.
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
logger.executor.name = org.apache.spark.executor.Executor
logger.executor.level = off
logger.tasks.name = org.apache.spark.scheduler.TaskSetManager
logger.tasks.level = off
logger.scheduler.name = org.apache.spark.scheduler.TaskSchedulerImpl
logger.scheduler.level = off
"""


def session_settings(context: RxSpark, master: str) -> dict[str, str]:
    """The settings of a session for a compute context: those that it names go before ours."""
    return {**_defaults(master), **_quiet(context), **_on_yarn(context, master), **context.settings()}


def without_effect(context: RxSpark, setting: Callable[[str, str], str]) -> str:
    """Name the settings that a compute context asks for, and that a session which is there has not; "" if none."""
    arguments = {name: argument for argument, name in ARGUMENTS.items()}
    asked = context.settings().items()
    differ = [(name, value) for name, value in asked if not _has_effect(name, value.lower(), setting(name, "").lower())]
    shown = [f"{arguments.get(name, name)}={value} (there: {setting(name, '') or 'not set'})" for name, value in differ]
    return ", ".join(shown)


def _has_effect(name: str, asked: str, there: str) -> bool:
    """Compare a setting with that of a session, where Spark puts options of its own before those of Java."""
    return there == asked or (name.endswith("JavaOptions") and there.endswith(f" {asked}"))


def _defaults(master: str) -> dict[str, str]:
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


def _quiet(context: RxSpark) -> dict[str, str]:
    """Log what matters, unless somebody has said what to log."""
    options = context.settings().get(_JAVA_OPTIONS) or set_elsewhere(_JAVA_OPTIONS) or ""
    folder = _conf_folder()
    if "log4j" in options or (folder is not None and list(folder.glob("log4j*.properties"))):
        return {}
    if _JAVA_OPTIONS in context.settings():
        return {}
    file = Path(local_folder(None), "log4j2.properties")
    file.write_text(_LOGGING)
    return {_JAVA_OPTIONS: f"-Dlog4j2.configurationFile=file:{file} {options}".rstrip()}


def _on_yarn(context: RxSpark, master: str) -> dict[str, str]:
    """Hadoop's configuration on executors, and Spark's jars on the cluster.

    Without the latter each start uploads 400 MB; spark-submit has uploaded them by now, if it is there.
    """
    if not master.startswith("yarn") or "PYSPARK_GATEWAY_PORT" in os.environ:
        return {}
    names = ("spark.kerberos.principal", "spark.kerberos.keytab")
    log_in_to_hdfs({name: context.settings().get(name) or set_elsewhere(name) or "" for name in names})
    settings = {"spark.executorEnv.HADOOP_CONF_DIR": HADOOP_CONF_DIR}
    if any(name in context.settings() or set_elsewhere(name) for name in ("spark.yarn.jars", "spark.yarn.archive")):
        return settings
    try:
        return settings | {"spark.yarn.archive": jars_archive(share_folder(context))}
    except RxMissingError as error:
        logger.warning("Spark uploads its jars at this start and each next one: %s", error)
        return settings


def chosen_master() -> str | None:
    """The master that spark-submit, or a spark-defaults.conf, names."""
    if os.environ.get("MASTER"):
        return os.environ["MASTER"]
    submitted = os.environ.get("PYSPARK_SUBMIT_ARGS", "").split()
    if "--master" in submitted[:-1]:
        return submitted[submitted.index("--master") + 1]
    return set_elsewhere("spark.master")


def set_elsewhere(wanted: str) -> str | None:
    """Value of a setting in the arguments of spark-submit or in spark-defaults.conf."""
    for word in shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", "")):
        if word.startswith(f"{wanted}="):
            return word.partition("=")[2]
    folder = _conf_folder()
    defaults = folder / "spark-defaults.conf" if folder is not None else None
    if defaults is None or not defaults.is_file():
        return None
    for line in defaults.read_text().splitlines():
        name, _, value = line.strip().replace("=", " ", 1).partition(" ")
        if name == wanted:
            return value.strip()
    return None


def _conf_folder() -> Path | None:
    home = os.environ.get("SPARK_HOME")
    folder = os.environ.get("SPARK_CONF_DIR") or (os.path.join(home, "conf") if home else None)
    return Path(folder) if folder else None
