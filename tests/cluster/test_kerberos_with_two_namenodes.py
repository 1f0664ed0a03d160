"""Kerberos and two NameNodes at once: tickets and tokens are those of the name service, whichever is active."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kerberos import BEGIN, FILES, SecureHadoop, secure_hadoop
from project import HADOOP
from yarn import SETTINGS, SIZE

pytestmark = [pytest.mark.kerberos, pytest.mark.slow, pytest.mark.timeout(900)]

HOME = "hdfs://mycluster/user/alice"


@pytest.fixture(scope="module")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureHadoop]:
    """A running one, in which alice has a home."""
    try:
        with secure_hadoop(tmp_path_factory.mktemp("secure"), "--ha") as found:
            found.ticket("alice")
            found.run(f"import rxspark; rxspark.rxHadoopMakeDir('{HOME}')")
            yield found
    except RuntimeError as error:
        pytest.fail(f"there is no Hadoop with Kerberos for this test: {error}", pytrace=False)


@pytest.mark.parametrize("known_by", ["ticket", "keytab", "token"])
def test_file_commands(hadoop: SecureHadoop, known_by: str, tmp_path: Path) -> None:
    """All of them, by the name service, with a ticket, a keytab alone, or the token of a container."""
    hadoop.ticket("alice")
    principal, keytab, token = "", "", {}
    if known_by == "keytab":
        hadoop.no_ticket()
        principal, keytab = "alice@RXSPARK.TEST", hadoop.keytab("alice")
    if known_by == "token":
        token = hadoop.token()
    lines = hadoop.run(FILES, f"{HOME}/files", principal, keytab, str(tmp_path), more=token).splitlines()
    assert lines == ["True", "[('numbers', 10240000, 'alice')]", "False", "True"]


IN_A_FAILOVER = (
    BEGIN
    + """
import json, os, subprocess, time
import numpy as np
size, settings, failover = (eval(text) for text in sys.argv[4:7])
show = lambda name, value: print(json.dumps([name, value]), flush=True)
context = rxSparkConnect(master="yarn", hdfsShareDir=folder, extraSparkConfig=settings | config, **size)

def names_the_service():
    import os
    with open(os.environ["HADOOP_TOKEN_FILE_LOCATION"], "rb") as file:
        return b"ha-hdfs:mycluster" in file.read()
show("tokens", rxExec(names_the_service))

numbers = np.arange(400_000.0)
def total(x, number):
    import time
    time.sleep(2)
    return float(x[number::8].sum())
rxSetComputeContext(context, wait=False)
job = rxExec(total, numbers, rxElemArg(range(8)), taskChunkSize=1)
while job.info()["done"] < 2:
    time.sleep(0.1)
subprocess.run(failover, check=True, capture_output=True)
show("done before it ended", job.info()["done"] < 8)
show("wait", rxWaitForJob(job, timeout=120))
results = rxGetJobResults(job)
show("job", [sum(results), list(results.info["attempt"])])

rxSetComputeContext(context, wait=True)
shared = rxShare(numbers)
show("shared", sum(rxExec(total, shared, rxElemArg(range(8)))))
shared.remove()
show("large", [float(array.sum()) for array in rxExec(np.full, rxElemArg([400_000] * 3), 1.0)])
show("left", [file.name for file in rxHadoopListFiles(folder, recursive=True) if file.size])
rxSparkDisconnect()
"""
)


@pytest.mark.parametrize("known_by", ["ticket", "keytab"])
def test_a_failover_in_the_middle_of_a_job_on_yarn(hadoop: SecureHadoop, known_by: str) -> None:
    """Executors reach either NameNode by the token of the name service: the same sums, each task once, nothing left."""
    hadoop.ticket("alice")
    principal, keytab = ("alice@RXSPARK.TEST", hadoop.keytab("alice")) if known_by == "keytab" else ("", "")
    if keytab:
        hadoop.no_ticket()
    failover = [sys.executable, str(HADOOP), "failover", "--dir", str(hadoop.folder)]
    arguments = (f"{HOME}/share", principal, keytab, repr(SIZE), repr(SETTINGS), repr(failover))
    told = hadoop.run(IN_A_FAILOVER, *arguments, more={"PYSPARK_PYTHON": sys.executable})
    assert [json.loads(line) for line in told.splitlines()] == [
        ["tokens", [True]],
        ["done before it ended", True],
        ["wait", "finished"],
        ["job", [79_999_800_000.0, [0] * 8]],
        ["shared", 79_999_800_000.0],
        ["large", [400_000.0] * 3],
        ["left", []],
    ]
