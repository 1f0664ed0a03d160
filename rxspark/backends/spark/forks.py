"""Sessions that came to this process by a fork: their JVM, or their server, talks to the parent alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from rxspark.errors import RxContextError

__all__ = ["refuse_inherited", "watch_forks"]

_inherited: list[Any] = []
"""Sessions that were there when this process was forked."""


def watch_forks() -> None:
    """Remember, in each process that is forked from this one, the sessions that it finds."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_remember)


def _remember() -> None:
    context = getattr(sys.modules.get("pyspark"), "SparkContext", None)
    connect = getattr(sys.modules.get("pyspark.sql.connect.session"), "SparkSession", None)
    found = [getattr(context, "_active_spark_context", None), getattr(connect, "_default_session", None)]
    _inherited[:] = [session for session in found if session is not None]


def refuse_inherited(session: Any) -> None:
    """Raise for a session that another process has made, before anything waits for answers that go to that one.

    Raises
    ------
    RxContextError
        Says where to make a session instead.
    """
    if any(session is one for one in _inherited) or _jvm_of_another(session):
        raise RxContextError(
            f"this process (pid {os.getpid()}) was forked from one that had a Spark session, which answers only there. "
            f"Make the session in each process, after the fork: start gunicorn without --preload, or make it in "
            f"post_fork; use multiprocessing with the start method 'spawn'. RxLocalSeq and RxLocalParallel run here"
        )


def _jvm_of_another(session: Any) -> bool:
    """Tell whether the JVM of a classic session is no child of this process, although PySpark has started it."""
    process = getattr(getattr(session, "_gateway", None), "proc", None)
    if process is None:
        return False
    try:
        state = Path(f"/proc/{process.pid}/stat").read_text()
    except OSError:  # no Linux, or the JVM has ended
        return False
    return int(state.rpartition(")")[2].split()[1]) != os.getpid()
