"""HDFS and YARN on hosts of their own, a DataNode and a NodeManager on each: one loses its power during a call."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from brief_java import BRIEF
from lab_runs import Lab, lab_that_is_up

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(1500)]

# Runs on host0.
_PROGRAM = """
import json, os, socket, sys, time, warnings
import numpy as np
import pyspark
from rxspark import *

def work(i, table, seconds):
    time.sleep(seconds)
    return i, float(table[i::30].sum()), float(np.random.random())

brief = sys.argv[1]
config = {
    "spark.yarn.jars": "local:" + os.path.join(os.path.dirname(pyspark.__file__), "jars", "*"),
    "spark.ui.enabled": "false",
    "spark.yarn.am.memory": "512m",
    "spark.yarn.am.extraJavaOptions": brief,
    "spark.executor.extraJavaOptions": brief,
}
size = dict(numExecutors=3, executorCores=1, executorMem="512m", extraSparkConfig=config)
context = RxSpark(master="yarn", hdfsShareDir="hdfs:///share", **size)
table = np.arange(3_000_000.0)
call = dict(RNGseed=5, taskChunkSize=1)
with RxLocalSeq():
    alone = rxExec(work, rxElemArg(range(30)), table, 0, **call)
with context, warnings.catch_warnings():
    warnings.simplefilter("ignore")
    undisturbed = rxExec(work, rxElemArg(range(30)), table, 1, **call)
    nodes = rxExec(socket.gethostname, oncePerElem=True)
    shared = rxShare(table)
    told = dict(
        same=undisturbed == alone,
        nodes=nodes.names == [host.upper() for host in nodes],
        shared=rxExec(lambda x, i: float(x[i]), shared, rxElemArg([1, -1])) == [1.0, 2_999_999.0],
        large=[len(value) for value in rxExec(lambda i: np.full(500_000, i), rxElemArg(range(3)))],
        host=undisturbed.info["host"][0],
    )
    shared.remove()
    print(json.dumps(told), flush=True)
    disturbed = rxExec(work, rxElemArg(range(30)), table, 3, **call)
    print(json.dumps(dict(same=disturbed == alone, errors=len(disturbed.errors))), flush=True)
    print(json.dumps(rxExec(abs, rxElemArg([-1, -2])) == [1, 2]), flush=True)
"""


@pytest.fixture
def hadoop_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """host0 with NameNode and ResourceManager, and three hosts with a DataNode and a NodeManager each."""
    with lab_that_is_up(tmp_path_factory.mktemp("hadoop"), 3, "--services", "hadoop", "--timeout", "250") as lab:
        yield lab


def test_calls_on_hdfs_and_yarn_outlive_a_host(hadoop_lab: Lab) -> None:
    """Undisturbed and with a host that goes off in the middle, the numbers are those of one process."""
    command = hadoop_lab.command("on", "host0", "python", "-c", _PROGRAM, BRIEF)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        host = told.pop("host")
        assert told == {"same": True, "nodes": True, "shared": True, "large": [500_000] * 3}
        hadoop_lab.do("kill", host)
        assert json.loads(process.stdout.readline()) == {"same": True, "errors": 0}
        assert json.loads(process.stdout.readline()) is True
    assert process.returncode == 0
    hadoop_lab.do("boot", host)
    hadoop_lab.do("up", 3, "--services", "hadoop")
    assert "hadoop at work" in hadoop_lab.do("status")
