"""RxSpark(master="k8s://...") in client mode: Spark's own scheduler asks a stand-in of the API server for executors.

Pods share no /tmp with the driver, so that nothing goes by files of this machine.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyspark
import pytest
from brief_java import BRIEF
from kubernetes_api import Kubernetes, kubernetes
from project import ROOT
from yarn import pack

from rxspark import RxLocalSeq, rxExec

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

SETTINGS = {
    "spark.kubernetes.container.image": "registry.example/spark:4",
    "spark.kubernetes.executor.enableApiWatcher": "false",  # which the stand-in has not
    "spark.kubernetes.executor.apiPollingInterval": "1s",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.executor.extraJavaOptions": BRIEF,
}

PROGRAM = """
import os, socket, sys, time
import numpy as np
from rxspark import *
master, settings, archive, alone = sys.argv[1], eval(sys.argv[2]), sys.argv[3] or None, sys.argv[4]
show = lambda name, value: print(name, repr(value), sep="=", flush=True)
rxSetComputeContext(RxSpark(master=master, numExecutors=2, executorCores=1, executorMem="512m",
                            executorOverheadMem="384m", pythonEnv=archive, extraSparkConfig=settings))

def where():
    time.sleep(0.2)
    return socket.gethostname(), os.getcwd(), sys.executable, sorted(os.listdir("/tmp"))

try:
    show("numbers", rxExec(lambda: float(np.random.normal()), timesToRun=20, RNGseed=5))
except RxError as error:
    show("refused", str(error))
    raise SystemExit
show("nodes", sorted(rxPingNodes()))
show("places", list(rxExec(where, timesToRun=8)))
shared = rxShare(np.arange(1_000_000.0))
show("shared", list(rxExec(lambda x, k: float(x[k]), shared, rxElemArg(range(4)))))
shared.remove()
with RxSpark(master=master, wait=False):
    job = rxExec(lambda k: k * k, rxElemArg(range(4)))
rxWaitForJob(job)
show("job", list(rxGetJobResults(job)))
try:
    with RxSpark(master=master, hdfsShareDir=f"file://{alone}"):
        rxExec(abs, -1)
except RxError as error:
    show("folder", str(error))
rxSparkDisconnect()
"""


@pytest.fixture(scope="module")
def cluster_of_pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """The stand-in."""
    home = os.environ.get("SPARK_HOME", pyspark.__path__[0])
    with kubernetes(home, tmp_path_factory.mktemp("pods")) as cluster:
        yield cluster


def run(cluster: Kubernetes, folder: Path, archive: str = "", **settings: str) -> dict[str, Any]:
    """Run the program above; what it prints, by name."""
    (folder / "alone").mkdir()
    arguments = [cluster.master, repr({**SETTINGS, **settings}), archive, str(folder / "alone")]
    variables = {name: value for name, value in os.environ.items() if name != "PYSPARK_PYTHON"}
    variables |= {"KUBECONFIG": os.devnull, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    lines = (line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return {name: ast.literal_eval(value) for name, value in lines}


@pytest.fixture(scope="module")
def told(cluster_of_pods: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Output of the program, by name."""
    return run(cluster_of_pods, tmp_path_factory.mktemp("program"))


def _numbers() -> list[float]:
    with RxLocalSeq():
        return list(rxExec(lambda: float(np.random.normal()), timesToRun=20, RNGseed=5))


def test_calls_run_in_pods_that_share_no_files_with_the_driver(
    told: dict[str, Any], cluster_of_pods: Kubernetes
) -> None:
    """The numbers of one machine; large constants and jobs; both pods take part, and are gone afterwards."""
    assert told["numbers"] == _numbers()
    assert told["shared"] == [0.0, 1.0, 2.0, 3.0]
    assert told["job"] == [0, 1, 4, 9]
    assert {folder for _, folder, _, _ in told["places"]} == {"/tmp/work-dir"}
    assert not any("pytest" in name for *_, names in told["places"] for name in names)
    assert len(told["nodes"]) == len({host for host, *_ in told["places"]}) == 2
    assert cluster_of_pods.pods == {}


def test_a_share_folder_that_pods_do_not_have_is_named(told: dict[str, Any]) -> None:
    """A folder of the driver's machine: an error at once, with the path and where it cannot be read."""
    assert re.search(r"/alone/\.rxspark-check-\w+ .*(no such file|does not exist)", told["folder"], re.IGNORECASE)


def test_a_python_that_the_image_has_not_is_named(cluster_of_pods: Kubernetes, tmp_path: Path) -> None:
    """The path, and what mends it."""
    refused = run(cluster_of_pods, tmp_path, **{"spark.pyspark.python": "/opt/none/bin/python3"})["refused"]
    assert 'Cannot run program "/opt/none/bin/python3"' in refused
    assert "spark.pyspark.python" in refused


@pytest.mark.slow
def test_an_environment_of_the_drivers_travels_to_the_pods(cluster_of_pods: Kubernetes, tmp_path: Path) -> None:
    """PythonEnv is a file of the driver's own: pods fetch it from there, unpack it in their folder, and run it."""
    command = [sys.executable, "-m", "rxspark", "pack", "--to", str(tmp_path / "packed"), *pack()]
    archive = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    told = run(cluster_of_pods, tmp_path, archive)
    assert told["numbers"] == _numbers()
    assert {python for _, _, python, _ in told["places"]} == {"/tmp/work-dir/environment/bin/python"}
