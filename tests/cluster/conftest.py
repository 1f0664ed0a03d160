"""Tests of this folder have several hosts: a Hadoop by the fixtures `cluster` and `hdfs_root`, Spark's own, or a lab.

Where there can be no lab, as without root, its tests fail with what scripts/lab says.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab_runs import Lab, lab_that_is_up
from yarn import around, pack


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark them by what they start."""
    assert isinstance(item, pytest.Function)
    if not any(item.get_closest_marker(name) for name in ("lab", "kerberos", "buckets")):
        item.add_marker("hadoop" if {"cluster", "namenodes", "small_disks"} & set(item.fixturenames) else "spark")


@pytest.fixture(scope="session")
def share(hdfs_root: str) -> str:
    """A share folder on HDFS."""
    return f"{hdfs_root}/share/rxspark"


@pytest.fixture(scope="session")
def environment(cluster: Path, share: str) -> str:
    """The Python of the tests, packed and put on HDFS: its URL."""
    command = [sys.executable, "-m", "rxspark", "pack", "--to", share, *pack()]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=around(cluster)).stdout.strip()


@contextmanager
def _lab(folder: Path, workers: int, services: str) -> Iterator[Lab]:
    try:
        with lab_that_is_up(folder, workers, "--services", services) as lab:
            yield lab
    except RuntimeError as error:
        pytest.fail(f"there is no lab for this test (scripts/test --without-lab): {error}", pytrace=False)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three hosts, host0 to host2, that run nothing."""
    with _lab(tmp_path_factory.mktemp("hosts"), 2, "none") as lab:
        yield lab


@pytest.fixture(scope="session")
def spark_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """host0 with a Spark master, and three hosts with a worker each."""
    with _lab(tmp_path_factory.mktemp("spark"), 3, "spark") as lab:
        lab.remember()
        yield lab
        left = lab.left()
        assert not left, "on the hosts of the lab were left:\n" + "\n".join(left)
