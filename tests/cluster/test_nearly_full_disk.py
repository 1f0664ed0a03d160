"""A Hadoop of scripts/hadoop whose NodeManagers have little room."""

from __future__ import annotations

from pathlib import Path

import pytest
from mounts import needs_root, run_with_mounts
from project import HADOOP
from yarn import SETTINGS, SIZE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

# Each NodeManager gets a disk of its own, of which 7 percent are free.
SMALL_DISKS = """
for number in 1 2 3; do
  mkdir -p hadoop/nodemanager$number
  mount -t tmpfs -o size=300m none hadoop/nodemanager$number
  head -c 280M /dev/zero >hadoop/nodemanager$number/filled
done"""

PROGRAM = """
import os, subprocess, sys
from rxspark import *
hadoop, size, settings = sys.argv[1], eval(sys.argv[2]), eval(sys.argv[3])
script = lambda *words: subprocess.run([sys.executable, hadoop, *words, "--dir", "hadoop"], check=True)
os.environ |= {"HADOOP_CONF_DIR": os.path.abspath("hadoop/conf"), "SPARK_LOCAL_IP": "127.0.0.1"}
try:
    script("start")
    rxSetComputeContext(rxSparkConnect(master="yarn", extraSparkConfig=settings, **size))
    print(rxExec(pow, rxElemArg([2, 3]), 2))
    rxSparkDisconnect()
finally:
    script("stop", "--purge")
"""


@needs_root
def test_yarn_runs_applications_on_disks_that_are_93_percent_full(tmp_path: Path) -> None:
    """NodeManagers would do without such a disk by default, and their containers have no folder to work in."""
    told, _ = run_with_mounts(tmp_path, SMALL_DISKS, PROGRAM, HADOOP, SIZE, SETTINGS)
    assert told == "[4, 9]\n"
