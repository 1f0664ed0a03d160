"""The link to a Spark Connect server: when it counts as lost, and that no program waits for it at its end.

PySpark's client tries to reach a server for ten minutes, with up to a minute between two tries, and asks it once more
at the end of the program, where it also waits for whatever it is still asking.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from grpc import RpcError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql.connect.session import SparkSession

from rxspark.backends.spark.session import in_time
from rxspark.errors import RxContextError
from rxspark.options import rxGetOption

__all__ = ["ServerWatch", "ask_in_time", "before_pools_are_waited_for", "end_with_the_program"]

Answer = TypeVar("Answer")

# Seconds between questions whether the server still answers.
_PING_INTERVAL_S = 20

# Milliseconds between two tries of the client, and how many make up the ten minutes that PySpark gives a server.
_RETRY_INTERVAL_MS, _RETRIES = 2000, 300

_lost: weakref.WeakSet[SparkSession] = weakref.WeakSet()
"""Sessions whose servers were silent when they were asked last."""

_program_ends = threading.Event()
"""Set before Python waits for pools, while the main thread still counts as alive."""


def end_with_the_program(session: SparkSession) -> None:
    """Have the client of a session try nothing again once the program ends; until then it tries as long as before.

    Retry policies that are the user's own stay.
    """
    try:
        from pyspark.sql.connect.client.retries import DefaultPolicy
    except ImportError:  # PySpark 3.5: its client asks nothing at the end, and waits for nothing
        return

    class RetryUntilExit(DefaultPolicy):
        def can_retry(self, e: BaseException) -> bool:
            return not _program_ends.is_set() and bool(super().can_retry(e))

    client = session.client
    if [type(policy) for policy in client.get_retry_policies()] == [DefaultPolicy]:
        client.set_retry_policies([RetryUntilExit(max_retries=_RETRIES, max_backoff=_RETRY_INTERVAL_MS)])


def ask_in_time(session: SparkSession, server: str, ask: Callable[[], Answer]) -> Answer:
    """Ask the server of a session, with a time limit."""
    answer = in_time(server, ask, lambda: _lost.add(session))
    _lost.discard(session)
    return answer


class ServerWatch:
    """Watches whether the server still answers while a job runs."""

    def __init__(self, session: SparkSession, what_is_kept: str) -> None:
        self._session = session
        self._what_is_kept = what_is_kept
        self._answered = time.monotonic()
        self._asking: threading.Thread | None = None

    def look(self) -> None:
        """Raise RxContextError when no answer has come for as long as the option says."""
        limit, silent = rxGetOption("connectTimeout"), time.monotonic() - self._answered
        if silent > limit:
            _lost.add(self._session)
            raise RxContextError(
                f"the Spark Connect server has not answered for {silent:.0f} seconds (rxOptions("
                f"connectTimeout={limit})): the connection is lost, or the server has ended. {self._what_is_kept}"
            )
        if silent > min(_PING_INTERVAL_S, limit / 3) and (self._asking is None or not self._asking.is_alive()):
            self._asking = threading.Thread(target=self._ask, name="rxspark-pulse", daemon=True)
            self._asking.start()

    def _ask(self) -> None:
        with contextlib.suppress(PySparkException, RpcError):
            self._session.conf.get("spark.sql.session.timeZone")  # what every server tells; asked anew each time
            self._answered = time.monotonic()


def before_pools_are_waited_for(end: Callable[[], None]) -> None:
    """Call `end` at the end of the program, while PySpark's client still works, and asks no server that is silent."""
    for act in (end, _close_lost_links):  # what is registered last is called first
        threading._register_atexit(act)  # type: ignore[attr-defined] # `atexit` comes after the threads of pools


def _close_lost_links() -> None:
    """End all questions to servers that are silent, and let nobody ask any server twice."""
    _program_ends.set()
    for session in _lost:
        channel: Any = session.client._channel
        channel.close()


threading._register_atexit(_close_lost_links)  # type: ignore[attr-defined]
