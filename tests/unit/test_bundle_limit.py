"""A limit of the address space that a large mapped constant does not fit into."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from rxspark.data.bundle import Bundle

READER = """
import resource, sys
from rxspark.errors import RxFileError
from rxspark.data.bundle import MappedBundle
MappedBundle(sys.argv[1])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, resource.RLIM_INFINITY))
try:
    MappedBundle(sys.argv[1])
except RxFileError as error:
    print(error)
"""


def test_the_error_names_the_limit_its_setting_and_the_size(tmp_path):
    """An error for what does not fit names the limit to raise."""
    path = tmp_path / "large.bundle"
    with open(path, "wb") as file:
        Bundle([b"", np.zeros(100_000_000, np.uint8).data]).write(file)
    done = subprocess.run([sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=True)
    for told in (str(path), "100 MB cannot be mapped", "RLIMIT_AS", "spark.executor.pyspark.memory", "ulimit -v"):
        assert told in done.stdout
