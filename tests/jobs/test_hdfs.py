"""Jobs whose folder is on a real HDFS, also one that goes away while they run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from rxspark import RxSpark, records, rxElemArg, rxExec, rxGetJobs, rxGetJobStatus, rxHadoopListFiles, rxHadoopMakeDir
from rxspark.jobs.handle import RxJob
from rxspark.jobs.store import Folder
from rxspark.jobs.stored import StoredJob

SCRIPT = Path(__file__).parents[2] / "scripts" / "hadoop"

pytestmark = [pytest.mark.hadoop, pytest.mark.spark, pytest.mark.timeout(1200)]


@pytest.fixture
def hadoop(tmp_path, monkeypatch):
    """A running Hadoop of the test's own: the folder that `scripts/hadoop` knows it by."""
    subprocess.run([sys.executable, SCRIPT, "start", "--dir", tmp_path], check=True, timeout=280)
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path / "conf"))
    monkeypatch.delenv("HADOOP_USER_NAME", raising=False)
    yield tmp_path
    subprocess.run([sys.executable, SCRIPT, "stop", "--dir", tmp_path, "--purge"], check=True, timeout=120)


def _slow_square(number):
    time.sleep(0.3)
    return number * number


def test_jobs_on_hdfs(hadoop):
    """Cancelled, listed, resumed and removed by way of HDFS; when it stops, a running job's results still come home."""
    from rxspark.backends.spark_session import stop_own

    rxHadoopMakeDir("/share")
    config = {"spark.ui.enabled": "false"}
    context = RxSpark(master="local[2,4]", wait=False, hdfsShareDir="/share", extraSparkConfig=config)
    stop_own()
    try:
        with context:
            job = rxExec(_slow_square, rxElemArg(range(8)), taskChunkSize=1)
            while job.info()["done"] < 3:
                time.sleep(0.05)
            assert job.cancel() is True
            folder = Folder(job._source.folder.place)
            assert not records.create(folder.place / "lease-1", b"")
            elsewhere = RxJob(StoredJob(folder))
            assert (elsewhere.status(), elsewhere.info()["done"] >= 3) == ("canceled", True)
            assert elsewhere.resume().wait(60) == "finished"
            assert elsewhere.results() == [number * number for number in range(8)]
            assert rxHadoopListFiles("/share") == []

            stranded = rxExec(_slow_square, rxElemArg(range(4)), taskChunkSize=1)
            while stranded.info()["done"] < 1:
                time.sleep(0.05)
            seen_by_others = RxJob(StoredJob(Folder(stranded._source.folder.place)))
            subprocess.run([sys.executable, SCRIPT, "stop", "--dir", hadoop], check=True, timeout=120)
            assert stranded.wait(120) == "finished"
            assert seen_by_others.status() == "undetermined"
            assert stranded.results() == [0, 1, 4, 9]
            assert rxGetJobStatus(stranded) == "missing"
            with pytest.raises(Exception, match="cannot be reached"):
                rxGetJobs()
    finally:
        stop_own()
