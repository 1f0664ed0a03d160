"""Jobs whose folder is on a real HDFS, also one that goes away while they run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from project import HADOOP
from waiting import wait_until

from rxspark import (
    RxSpark,
    rxCleanupJobs,
    rxElemArg,
    rxExec,
    rxGetJobs,
    rxGetJobStatus,
    rxHadoopListFiles,
    rxHadoopMakeDir,
)
from rxspark.files import atomic
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture
def namenode(cluster, monkeypatch):
    """The process of the NameNode whose HDFS is the default file system meanwhile; it runs again afterwards."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(cluster))
    monkeypatch.delenv("HADOOP_USER_NAME", raising=False)
    yield json.loads((cluster.parent / "pids.json").read_text())["namenode"]
    start_again(cluster)


def start_again(cluster):
    """Start what has died of a Hadoop."""
    subprocess.run([sys.executable, HADOOP, "start", "--dir", cluster.parent], check=True, timeout=120)


def _slow_square(number):
    time.sleep(0.3)
    return number * number


def test_jobs_on_hdfs(cluster, namenode):
    """Cancelled, listed, resumed and removed by way of HDFS; when it dies, a running job's results still come home.

    What is left of that job is removed by name once HDFS is there again.
    """
    from rxspark.backends.spark.session import stop_own

    rxHadoopMakeDir("/jobs")
    config = {"spark.ui.enabled": "false"}
    context = RxSpark(master="local[2,4]", wait=False, hdfsShareDir="/jobs", extraSparkConfig=config)
    stop_own()
    try:
        with context:
            job = rxExec(_slow_square, rxElemArg(range(8)), taskChunkSize=1)
            wait_until(lambda: job.info()["done"] >= 3, "three tasks have finished")
            assert job.cancel() is True
            folder = JobFolder(job._source.folder.path)
            assert not atomic.create(folder.path / "job.json", b"")  # the first lease
            elsewhere: RxJob[int] = RxJob(RemoteJob(folder))
            assert (elsewhere.status(), elsewhere.info()["done"] >= 3) == ("canceled", True)
            assert elsewhere.resume().wait(60) == "finished"
            assert elsewhere.results() == [number * number for number in range(8)]
            assert rxHadoopListFiles("/jobs") == []

            stranded = rxExec(_slow_square, rxElemArg(range(4)), taskChunkSize=1)
            wait_until(lambda: stranded.info()["done"] >= 1, "a task has finished")
            seen_by_others: RxJob[int] = RxJob(RemoteJob(JobFolder(stranded._source.folder.path)))
            os.kill(namenode, signal.SIGKILL)
            assert stranded.wait(120) == "finished"
            assert seen_by_others.status() == "undetermined"
            assert stranded.results() == [0, 1, 4, 9]
            assert rxGetJobStatus(stranded) == "missing"
            with pytest.raises(Exception, match="cannot be reached"):
                rxGetJobs()
            start_again(cluster)
            rxCleanupJobs(stranded.id, force=True)
            assert rxHadoopListFiles("/jobs") == []
    finally:
        stop_own()
