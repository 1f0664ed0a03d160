"""The promise on a cluster of Spark's own."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from promise_on_spark import spark_program


@pytest.mark.slow
def test_a_speculative_copy_draws_the_same() -> None:
    """Spark starts a second copy of a slow task: the bits are the same whichever of the two is first."""
    with standalone() as master:
        (told,) = spark_program("speculation", master)
    assert told["copies"] == [2, 2]
    assert told["seconds"][0] < 20
    assert told["same"] == [True, True]


@contextmanager
def standalone() -> Iterator[str]:
    """A cluster of two hosts, as Spark puts no second copy on the host of the first: 127.0.0.1 and 127.0.0.2."""
    import pyspark

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    master = f"spark://127.0.0.1:{port}"
    home = Path(pyspark.__file__).parent
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_DAEMON_MEMORY": "256m"}

    def start(name: str, host: str, *options: str) -> subprocess.Popen[bytes]:
        command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", "--host", host, *options]
        settings = {**environment, "SPARK_LOCAL_IP": host}
        return subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    worker = ("--webui-port", "0", "--cores", "1", "--memory", "1g")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        processes = [start("master.Master", "127.0.0.1", "--port", port, "--webui-port", "0")]
        for host in ("127.0.0.1", "127.0.0.2"):
            processes.append(start("worker.Worker", host, *worker, "--work-dir", folder, master))
        try:
            yield master
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)
