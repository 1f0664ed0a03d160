"""Shared by all tests: a Spark that stays on this machine, and a compute context that no test leaves behind."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from brief_java import BRIEF
from leftovers import left_in, left_on_hdfs
from project import HADOOP
from traces.guide import write_table

from rxspark import rxGetComputeContext, rxSetComputeContext

if TYPE_CHECKING:
    from s3_server import Bucket, S3Server


def pytest_configure(config: pytest.Config) -> None:
    """Set what the JVM reads from its environment: it is started once a process, by whichever test comes first."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    for name in ("SPARK_SUBMIT_OPTS", "SPARK_LAUNCHER_OPTS"):
        os.environ.setdefault(name, BRIEF)
    # Behind an `&` in a script a process ignores Ctrl-C, and with it each program that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _context_restored() -> Iterator[None]:
    """No test sees the compute context that another one has set."""
    before = rxGetComputeContext()
    yield
    rxSetComputeContext(before)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running Hadoop, one for all tests: its HADOOP_CONF_DIR.

    Where it cannot be started, the tests fail with what scripts/hadoop says, as when Maven Central is out of reach.
    """
    folder = tmp_path_factory.mktemp("hadoop")
    command = [sys.executable, str(HADOOP), "start", "--shuffle", "--dir", str(folder)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=280)
    if done.returncode:
        pytest.fail(f"there is no Hadoop for this test: {done.stderr}", pytrace=False)
    yield folder / "conf"
    left = left_on_hdfs(folder / "conf")
    subprocess.run([sys.executable, HADOOP, "stop", "--dir", folder, "--purge"], check=True, timeout=120)
    assert left == []


@pytest.fixture(scope="session")
def hdfs_root(cluster: Path) -> str:
    """fs.defaultFS of the running Hadoop."""
    texts = [e.text or "" for e in ElementTree.parse(cluster / "core-site.xml").getroot().iter("value")]
    return next(text for text in texts if text.startswith("hdfs://"))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 on loopback, one for all tests."""
    from s3_server import S3Server  # which takes half a second to import

    server = S3Server()
    yield server
    server.close()


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket there that is empty, and meanwhile S3 is that server: in this process, and in those that it starts.

    A test leaves in it what is its own, and nothing of calls and jobs.
    """
    from s3_server import ENVIRONMENT

    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": s3_server.url}).items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.bucket(f"test-{secrets.token_hex(8)}")
    yield bucket
    assert left_in([f"{bucket.url}/{name}" for name in (*bucket.objects(), *bucket.uploads())]) == []


_fault_rows: list[tuple[str, int, int, int]] = []


@pytest.fixture
def record_fault_row() -> Callable[[str, int, int, int], None]:
    """Add a row to the table of faults that the run prints at its end."""
    return lambda *row: _fault_rows.append(row)


_settings_rows: dict[str, dict[str, str]] = {}


@pytest.fixture
def record_settings_row() -> Callable[[str, str, str], None]:
    """Add to the table of settings: in a context, what became of something that tasks had left."""

    def record(context: str, label: str, outcome: str) -> None:
        row = _settings_rows.setdefault(label, {})
        if row.get(context) != "MET":
            row[context] = outcome

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of faults."""
    if _fault_rows:
        terminalreporter.section("faults")
        terminalreporter.write_line(f"{'context':16}{'faults tried':>14}{'tasks lost':>14}{'tasks run twice':>18}")
        for name, tried, lost, twice in _fault_rows:
            terminalreporter.write_line(f"{name:16}{tried:>14}{lost:>14}{twice:>18}")
    if _settings_rows:
        terminalreporter.section("what tasks have left, and what became of it")
        found = Counter((context, outcome) for row in _settings_rows.values() for context, outcome in row.items())
        for (context, outcome), count in sorted(found.items()):
            terminalreporter.write_line(f"{context:18}{outcome:24}{count:>6}")
        if os.environ.get("RXSPARK_WRITE_TABLE"):
            write_table(_settings_rows)
