"""Files that calls and jobs have left behind, once the tests are through with a cluster, a bucket or a host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rxspark import rxHadoopListFiles

__all__ = ["left_in", "left_on_hdfs"]

OF_CALLS = re.compile(
    r"/rxspark-jobs/"  # the folder of a job
    r"|/rxspark-[^/]+/[^/]+/[^/]+/."  # that of a process, with what it shares and the results that come by files
    r"|/\.sparkStaging/"  # of an application on YARN
    r"|/\.[^/]+\._COPYING_\."  # a copy that is not whole yet
    r"|/\.[^/]+\.([0-9a-f]{8}|claim-[^/]+)$"  # a record that is not whole yet, or the right to write one
)


def left_in(names: list[str]) -> list[str]:
    """Those of these files that calls and jobs have made for themselves."""
    return [name for name in names if OF_CALLS.search(name)]


def left_on_hdfs(conf: Path) -> list[str]:
    """The files of calls and jobs on the HDFS of a HADOOP_CONF_DIR."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HADOOP_CONF_DIR", str(conf))
        patch.delenv("HADOOP_USER_NAME", raising=False)
        found = rxHadoopListFiles("/", recursive=True)
    return left_in([file.name for file in found if not file.isFolder])
