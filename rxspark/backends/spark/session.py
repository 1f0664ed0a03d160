"""The Spark application behind RxSpark: found, or made, and stopped only if made here."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rxspark.backends.engine_errors import cause_without_jvm, full_text, reason, with_java
from rxspark.backends.spark.forks import refuse_inherited
from rxspark.backends.spark.install import check_can_start, find_pyspark, quiet_about_pandas
from rxspark.backends.spark.java import java_problem
from rxspark.backends.spark.package import give_to_executors
from rxspark.backends.spark.python import check_python, executors_python
from rxspark.backends.spark.settings import chosen_master, session_settings, without_effect
from rxspark.concurrency import call_with_timeout, once
from rxspark.contexts import RxSpark
from rxspark.errors import RxContextError
from rxspark.extras import install
from rxspark.files.kerberos import log_in
from rxspark.options import rxGetOption

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
    "stop_own",
    "warn_once",
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
    settings: Mapping[str, str]
    """Its settings, which stay as they are: to read them takes some 200 calls of the JVM, or 25 ms."""

    @property
    def local(self) -> bool:
        """Tell whether its tasks run in workers of this very process's own environment; local-cluster's do not."""
        return re.match(r"local(\[|$)", str(self.context.master)) is not None

    def has_our_environment(self) -> bool:
        """Tell whether its workers run the Python of this very process; RxContextError if they run one that cannot."""
        return self.local and check_python(str(self.context.pythonExec))


_applications: dict[SparkContext, Application] = {}
"""Those that have been prepared, by what PySpark has of them."""


def _after_fork_in_child() -> None:
    """In a forked process: an application is the parent's to stop, and no thread is there that makes one."""
    global _lock
    _lock = threading.RLock()
    _applications.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def application_for(context: RxSpark) -> Application:
    """The application for a compute context: the active one, else a new one.

    Raises
    ------
    RxContextError
        When PySpark or Java are missing or do not fit, or another master is active than the one asked for.
    """
    with _lock:
        active = classic_context()
        if active is None:
            return _prepared(_new_context(context), own=True)
        _check_master(context, str(active.master))
        application = _prepared(active, own=False)
        settings = application.settings
        warn_once(without_effect(context, lambda name, default: settings.get(name, default)), settings["spark.app.id"])
        return application


def stop_own() -> None:
    """Stop the application that rxspark made, if there is one."""
    with _lock:
        for key, application in list(_applications.items()):
            del _applications[key]
            if application.own:
                application.context.stop()


def classic_context() -> SparkContext | None:
    """The SparkContext that is active in this process, or None; a stopped one counts as none."""
    kind = getattr(sys.modules.get("pyspark"), "SparkContext", None)  # the pure client of Spark Connect has none
    # No public call tells whether there is one without making one; the attribute has been there since Spark 1.
    active: SparkContext | None = getattr(kind, "_active_spark_context", None)
    if active is not None:
        refuse_inherited(active)
    return None if active is None or has_ended(active) else active


def has_ended(context: SparkContext) -> bool:
    """Tell whether an application was stopped, from here or from its JVM's side."""
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
    if active is not None:
        refuse_inherited(active)
        _quiet_in(str(active.session_id))
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
    find_pyspark()
    quiet_about_pandas()
    try:
        from pyspark.sql.connect.session import SparkSession

        return in_time(server, lambda: SparkSession.builder.remote(server).getOrCreate())
    except ImportError as error:
        raise RxContextError(f"{error}. A Spark Connect session needs: {install('connect')}") from error


def in_time(server: str, ask: Callable[[], Answer], lost: Callable[[], object] = lambda: None) -> Answer:
    """Ask a Spark Connect server, with a time limit, at which `lost` is called: PySpark would try for ten minutes."""
    limit = rxGetOption("connectTimeout")
    try:
        return call_with_timeout(limit, ask, "connect")
    except TimeoutError:
        lost()
        raise RxContextError(
            f"{server} has not answered for {limit} seconds (rxOptions(connectTimeout={limit}))"
        ) from None


def _check_master(context: RxSpark, active: str) -> None:
    if context.master is not None and context.master != active:
        raise RxContextError(
            f"RxSpark(master={context.master!r}), but a Spark session with master {active!r} is active in this "
            f"process; use RxSpark() to run on it, or stop it first"
        )


@once
def warn_once(settings: str, session: str) -> None:
    """Say, once of a session, that settings have no effect in it."""
    if settings:
        logger.warning(
            "RxSpark: without effect in the Spark session that is active (%s): %s. Give them to the session when it is "
            "made, or stop it, and rxspark makes one with them",
            session,
            settings,
        )


@once
def _quiet_in(session: str) -> None:
    """Leave out, once in a session of the user's own, what PySpark says of pandas where rxspark does not use it."""
    quiet_about_pandas(own=False)


def _prepared(context: SparkContext, own: bool) -> Application:
    if context not in _applications:
        _applications.clear()  # one application a process: those from before have ended
        settings = dict(context.getConf().getAll())
        log_in(settings)
        give_to_executors(context)
        if not own:
            _quiet_in(settings["spark.app.id"])
        _applications[context] = Application(context, own, settings)
    return _applications[context]


def _new_context(context: RxSpark) -> SparkContext:
    find_pyspark()
    check_can_start()
    quiet_about_pandas()
    import pyspark
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    problem = java_problem(pyspark.__version__)
    if problem is not None:
        raise RxContextError(problem)
    if SparkContext._active_spark_context is not None and SparkContext._active_spark_context._jsc is not None:
        _leave_jvm()  # we are here as its JVM is gone
    master = context.master or chosen_master()
    if master is None and "PYSPARK_GATEWAY_PORT" not in os.environ:  # else spark-submit's JVM is there, and knows it
        master = _LOCAL_MASTER
        logger.warning("no Spark session is active: starting one on the cores of this machine")
    builder = SparkSession.builder.appName("rxspark")
    builder = builder.master(master) if master else builder
    for name, value in session_settings(context, master or "").items():
        builder = builder.config(name, value)
    try:
        with executors_python(context):
            return builder.getOrCreate().sparkContext
    except Exception as error:
        message = f"no Spark session with master {master!r} could be started: {reason(full_text(error))}"
        failure, cause = with_java(RxContextError(message), error), cause_without_jvm(error)
        _leave_jvm()
        raise failure from cause


def _leave_jvm() -> None:
    """Make PySpark forget a JVM that has died, or in which no session could start.

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
