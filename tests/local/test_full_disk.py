"""Calls on a host whose folders are full or cannot be used: they work, or one error says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system that is full")

PROGRAM = """
import sys
import numpy as np
from rxspark import *

size, waits = int(sys.argv[1]), sys.argv[2] == "True"
try:
    with RxLocalParallel(wait=waits):
        z = rxExec(lambda x, k: len(x) + k, np.zeros(size), rxElemArg(range(3)), taskChunkSize=1)
        if not waits:
            z.wait(100)
            z = z.results()
        print(list(z))
except RxError as error:
    print(type(error).__name__, error)
"""


def run(folder: Path, setting: str, size: int, waits: bool = True) -> str:
    """Run a call of `size` numbers in a mount namespace of its own, which `setting` prepares."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONWARNINGS": "ignore"}
    program = [sys.executable, "-c", PROGRAM, str(size), str(waits)]
    command = ["unshare", "--mount", "bash", "-ec", f'{setting}\nexec "$@"', "bash", *program]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


TMPDIR = """
mkdir full
mount -t tmpfs -o size=256k none full
head -c 200000 /dev/zero >full/zeros  # less, and Python would not take it for a temporary folder
export TMPDIR=$PWD/full"""
SHM = """
mount -t tmpfs -o size={size} none /dev/shm"""


@root
def test_a_temporary_folder_without_room_costs_nothing_while_memory_has_room(tmp_path: Path) -> None:
    """Then files for workers to map lie in memory."""
    assert run(tmp_path, TMPDIR + SHM.format(size="100m"), 1_000_000) == "[1000000, 1000001, 1000002]\n"


@root
def test_data_for_which_no_folder_has_room_are_refused_with_folder_and_size(tmp_path: Path) -> None:
    """Before a task has run."""
    told = run(tmp_path, TMPDIR + SHM.format(size="1m"), 1_000_000)
    assert told.startswith(f"RxFileError {tmp_path}/full/rxspark-0/")
    assert "bytes of shared data cannot be written there: No space left on device; " in told
    assert "shareDir with more room" in told


@root
@pytest.mark.parametrize("waits", [True, False])
def test_workers_that_cannot_start_for_want_of_shared_memory_are_told_of(waits: bool, tmp_path: Path) -> None:
    """A full /dev/shm, as a container's may be, is named with the way out."""
    told = run(tmp_path, SHM.format(size="4k") + "\ncat /dev/zero >/dev/shm/zeros 2>/dev/null || true", 10, waits)
    assert told.startswith("RxContextError ")
    assert "cannot be made in /dev/shm: No space left on device" in told
    assert "RxLocalSeq()" in told
