"""Spark on hosts whose folders are full: results come another way, and what cannot work is told by one error."""

from __future__ import annotations

from pathlib import Path

import pytest
from mounts import needs_root, run_with_mounts

SMALL = """
mkdir small room
mount -t tmpfs -o size=8m none small
mount -t tmpfs -o size=1m none /dev/shm
export SPARK_LOCAL_DIRS=$PWD/room
"""

PROGRAM = """
import logging, os, sys
import numpy as np
from rxspark import *

logging.disable()
folder = os.path.abspath("small")
with eval(sys.argv[1]):
    task = lambda x, k: np.full(20_000_000 if k else 1, k, "u1")[len(x):]
    z = rxExec(task, [], rxElemArg(range(4)), taskChunkSize=1)
    print([getattr(value, "nbytes", value) for value in z])
    print(os.listdir(folder))
    try:
        rxExec(task, np.zeros(20_000_000, "u1"), rxElemArg(range(2)))
    except RxFileError as error:
        signs = "small", "bytes of shared data cannot be written", "No space left"
        print(*[sign in str(error) for sign in signs])
    print(rxExec(abs, -1))
"""

HERE = "RxSpark(master='local[2,4]', shareDir=folder)"
SHARED = "RxSpark(master='local-cluster[2,1,1024]', hdfsShareDir='file://' + folder)"


@needs_root
@pytest.mark.parametrize("context", [HERE, SHARED], ids=["local", "local-cluster"])
def test_results_for_which_a_folder_has_no_room_come_by_spark(context: str, tmp_path: Path) -> None:
    """Large results arrive, large constants are refused by name, and the next call works."""
    told, _ = run_with_mounts(tmp_path, SMALL, PROGRAM, context)
    assert told.splitlines()[0] == "[1, 20000000, 20000000, 20000000]"
    assert told.splitlines()[2:] == ["True True True", "[1]"]
