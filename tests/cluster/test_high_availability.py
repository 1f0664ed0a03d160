"""HDFS with two NameNodes: what runs while another one takes over goes on, by a name service and by a mount table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import HADOOP
from waiting import wait_until

from rxspark import (
    RxFileError,
    RxLocalParallel,
    RxSpark,
    rxElemArg,
    rxExec,
    rxHadoopFileExists,
    rxHadoopListFiles,
    rxHadoopMakeDir,
    rxHadoopRemoveDir,
    rxShare,
)
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob

pytestmark = pytest.mark.timeout(600)


class NameNodes:
    """The two NameNodes, of which one is active."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def hadoop(self, *arguments: str) -> None:
        """Run scripts/hadoop."""
        subprocess.run([sys.executable, HADOOP, *arguments, "--dir", self.folder], check=True, timeout=300)

    def kill_active(self) -> None:
        """Kill the active one."""
        active = next(name for name in ("namenode1", "namenode2") if self._serves(name))
        os.kill(json.loads((self.folder / "pids.json").read_text())[active], signal.SIGKILL)

    def _serves(self, name: str) -> bool:
        order = ["org.apache.hadoop.hdfs.tools.DFSHAAdmin", "-getServiceState", name]
        jars = next(self.folder.glob("jars-*.txt")).read_text().strip()
        command = ["java", "-cp", f"{self.folder}/conf:{jars}", *order]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip() == "active"


@pytest.fixture(scope="module")
def namenodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameNodes]:
    """A Hadoop of its own, with the folders of its mount table."""
    from rxspark.backends.spark.session import stop_own

    nodes = NameNodes(tmp_path_factory.mktemp("ha") / "hadoop")
    stop_own()
    with pytest.MonkeyPatch.context() as patch:
        try:
            nodes.hadoop("start", "--ha")
            patch.setenv("HADOOP_CONF_DIR", str(nodes.folder / "conf"))
            patch.delenv("HADOOP_USER_NAME", raising=False)
            for name in ("share", "data"):
                rxHadoopMakeDir(f"hdfs://mycluster/{name}")
            yield nodes
        finally:
            stop_own()
            nodes.hadoop("stop", "--purge")


def spark(share: str, **options: Any) -> RxSpark:
    """Context on this machine with a share folder."""
    return RxSpark(master="local[2]", hdfsShareDir=share, extraSparkConfig={"spark.ui.enabled": "false"}, **options)


def drawn(number: int, seconds: float) -> tuple[int, float]:
    """Draw a number, slowly."""
    time.sleep(seconds)
    return number, float(np.random.normal())


@pytest.mark.parametrize(
    "share", ["hdfs://mycluster/share", "viewfs://both/share"], ids=["name service", "mount table"]
)
def test_a_failover_in_the_middle_of_a_call_and_of_a_job(namenodes: NameNodes, share: str) -> None:
    """The numbers are those of one process, each task runs once, and nothing is left in the share folder."""
    undisturbed = rxExec(drawn, rxElemArg(range(16)), 0, RNGseed=11, taskChunkSize=2)
    with spark(share):
        rxExec(abs, -1)  # starts the session
    with spark(share, wait=False):
        job = rxExec(drawn, rxElemArg(range(16)), 1, RNGseed=11, taskChunkSize=2)
        wait_until(lambda: job.info()["done"] >= 2, "two tasks have finished")
        namenodes.hadoop("failover")
        seen_elsewhere: RxJob[Any] = RxJob(RemoteJob(JobFolder(job._source.folder.path)))
        assert job.wait(120) == "finished"
        assert seen_elsewhere.status() == "finished"
        results = job.results()
        assert (results, results.errors, list(results.info["attempt"])) == (undisturbed, {}, [0] * 16)
    with spark(share):
        namenodes.hadoop("failover")
        assert rxExec(drawn, rxElemArg(range(16)), 0.2, RNGseed=11, taskChunkSize=2) == undisturbed
    assert rxHadoopListFiles(share) == []


def test_shared_data_when_the_active_namenode_is_killed(namenodes: NameNodes) -> None:
    """The other one takes over, and tasks read what was shared before."""
    data = np.arange(2_000_000.0)
    with spark("hdfs://mycluster/share"):
        shared = rxShare(data)
        try:
            namenodes.kill_active()
            namenodes.hadoop("failover")
            assert rxExec(lambda table: float(table.sum()), shared, timesToRun=4) == [float(data.sum())] * 4
        finally:
            namenodes.hadoop("start")
            shared.remove()


def test_a_folder_of_a_mount_table_is_that_of_the_name_service(namenodes: NameNodes) -> None:
    """A folder made by one name is there by the other; where nothing is mounted the error has the mount points."""
    rxHadoopMakeDir("viewfs://both/data/made")
    assert rxHadoopFileExists("hdfs://mycluster/data/made")
    with RxLocalParallel():
        assert rxExec(rxHadoopFileExists, rxElemArg(["viewfs://both/data/made", "viewfs://both/data/no"])) == [
            True,
            False,
        ]
    rxHadoopRemoveDir("viewfs://both/data/made")
    assert not rxHadoopFileExists("hdfs://mycluster/data/made")
    with pytest.raises(RxFileError, match=r"viewfs://both/other: no mount point .*; it has /data, /share"):
        rxHadoopListFiles("viewfs://both/other")
