"""Keepalive of a worker: bytes that Spark reads while a task computes.

`spark.python.worker.killOnIdleTimeout` has Spark end a worker that has written nothing for
`spark.python.worker.idleTimeoutSeconds`, however busy it is. So a process beside the worker writes for it what Spark
takes for no results, in the middle of a call of C too, in which no thread of the worker could.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["UDF_SETTINGS", "keepalive", "keepalive_interval"]

UDF_SETTINGS = "spark.sql.execution.pyspark.udf"
"""Where the settings for functions of DataFrames are; those of RDDs have others."""

# The worker's end closes the pipe that the process reads, also if it is killed.
_WRITER = """
import os, select, sys
sign, interval = bytes.fromhex(sys.argv[1]), float(sys.argv[2])
while not select.select([0], [], [], interval)[0]:
    os.write(1, sign)
"""


def keepalive_interval(prefix: str, setting: Callable[[str, str], str]) -> float | None:
    """Return the seconds between keepalive bytes, None where Spark ends no worker; `prefix` is that of the settings.

    >>> keepalive_interval("a", {"a.killOnIdleTimeout": "true", "a.idleTimeoutSeconds": "60"}.get)
    20.0
    """
    if setting(f"{prefix}.killOnIdleTimeout", "false").lower() != "true":
        return None
    return int(setting(f"{prefix}.idleTimeoutSeconds", "0")) / 3 or None


@contextlib.contextmanager
def keepalive(sign: bytes, interval: float | None) -> Iterator[None]:
    """Write bytes to Spark at each interval, if there is one; the worker itself must write nothing meanwhile."""
    if interval is None:
        yield
        return
    stream = _stream_to_spark()
    stream.flush()
    arguments = [sys.executable, "-ISc", _WRITER, sign.hex(), str(interval)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=stream, stderr=subprocess.DEVNULL) as writer:
        try:
            yield
        finally:
            writer.kill()  # so small a write is made whole or not at all


def _stream_to_spark() -> Any:
    """The stream of the worker's results, which PySpark gives to no one."""
    frame = sys._getframe()
    while "outfile" not in frame.f_locals:
        assert frame.f_back is not None, "not called in a worker of PySpark"
        frame = frame.f_back
    return frame.f_locals["outfile"]
