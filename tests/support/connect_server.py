"""A Spark Connect server on this machine, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from waiting import wait_until

_SETTINGS = {
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.connect.grpc.binding.port": "0",
    "spark.ui.enabled": "false",
}


class Server(NamedTuple):
    """A server that runs."""

    url: str
    pid: int


@contextmanager
def connect_server(master: str = "local[2,4]", **settings: str) -> Iterator[Server]:
    """Start a server, and end it with all its workers."""
    home, python = _spark()
    options = [word for name, value in {**_SETTINGS, **settings}.items() for word in ("--conf", f"{name}={value}")]
    command = [f"{home}/bin/spark-submit", "--master", master, *options]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        variables = {**os.environ, "SPARK_HOME": home, "PYSPARK_PYTHON": python}
        server = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            yield Server(f"sc://127.0.0.1:{_port(Path(log.name), server)}", server.pid)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)


def _spark() -> tuple[str, str]:
    """Where the server's Spark is, and the Python of its workers: another environment's where tests have no Spark."""
    other = os.environ.get("RXSPARK_TEST_SERVER")
    if other is None and "SPARK_HOME" in os.environ:
        return os.environ["SPARK_HOME"], os.environ["PYSPARK_PYTHON"]
    python = other or os.environ["PYSPARK_PYTHON"]
    where = "import pyspark; print(pyspark.__path__[0])"
    return subprocess.check_output([other or sys.executable, "-c", where], text=True).strip(), python


def _port(log: Path, server: subprocess.Popen[bytes]) -> int:
    def told() -> re.Match[str] | None:
        if server.poll() is not None:
            raise RuntimeError(f"no Spark Connect server came up:\n{log.read_text()[-3000:]}")
        return re.search(r"Spark Connect server started at: \S+:(\d+)", log.read_text())

    started = wait_until(told, "the Spark Connect server tells its port", 120)
    assert started
    return int(started[1])
