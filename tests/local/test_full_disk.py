"""Calls on a host whose folders are full or cannot be used: they work, or one error says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from mounts import needs_root, run_with_mounts

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
    told, complaints = run_with_mounts(folder, setting, PROGRAM, size, waits)
    assert complaints == ""
    return told


TMPDIR = """
mkdir full
mount -t tmpfs -o size=256k none full
head -c 200000 /dev/zero >full/zeros  # less, and Python would not take it for a temporary folder
export TMPDIR=$PWD/full"""
SHM = """
mount -t tmpfs -o size={size} none /dev/shm"""


@needs_root
def test_a_temporary_folder_without_room_costs_nothing_while_memory_has_room(tmp_path: Path) -> None:
    """Then files for workers to map lie in memory."""
    assert run(tmp_path, TMPDIR + SHM.format(size="100m"), 1_000_000) == "[1000000, 1000001, 1000002]\n"


@needs_root
def test_data_for_which_no_folder_has_room_are_refused_with_folder_and_size(tmp_path: Path) -> None:
    """Before a task has run."""
    told = run(tmp_path, TMPDIR + SHM.format(size="1m"), 1_000_000)
    assert told.startswith(f"RxFileError {tmp_path}/full/rxspark-0/")
    assert "bytes of shared data cannot be written there: No space left on device; " in told
    assert "shareDir with more room" in told


@needs_root
@pytest.mark.parametrize("waits", [True, False])
def test_workers_that_cannot_start_for_want_of_shared_memory_are_told_of(waits: bool, tmp_path: Path) -> None:
    """A full /dev/shm, as a container's may be, is named with the way out."""
    told = run(tmp_path, SHM.format(size="4k") + "\ncat /dev/zero >/dev/shm/zeros 2>/dev/null || true", 10, waits)
    assert told.startswith("RxContextError ")
    assert "cannot be made in /dev/shm: No space left on device" in told
    assert "RxLocalSeq()" in told


RESULTS = """
import sys
import joblib
import numpy as np
from rxspark import *

context, backend, data, result = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if __name__ == "__main__":
    with eval(context), joblib.parallel_config(backend, n_jobs=2):
        constant = np.zeros(data, dtype="u1")
        task = lambda x, k: np.full(result, (k + len(x)) % 256, "u1")
        z = rxExec(task, constant, rxElemArg(range(4)), taskChunkSize=2)
        if isinstance(z, RxJob):
            z.wait(100)
            z = z.results()
        print([(value.nbytes, int(value[-1])) if isinstance(value, np.ndarray) else value for value in z])
"""


@needs_root
@pytest.mark.parametrize(
    ("context", "backend"),
    [
        ("RxLocalParallel()", "loky"),
        ("RxLocalParallel(wait=False)", "loky"),
        ("RxForeachDoPar()", "loky"),
        ("RxForeachDoPar()", "multiprocessing"),
        ("RxForeachDoPar()", "threading"),
    ],
)
@pytest.mark.parametrize("setting", ["", TMPDIR], ids=["memory", "memory and temporary folder"])
def test_large_results_need_no_folder_with_room(context: str, backend: str, setting: str, tmp_path: Path) -> None:
    """In a container whose /dev/shm is small, and where the temporary folder is full too, all of them come."""
    small = setting + SHM.format(size="256k")
    told, complaints = run_with_mounts(tmp_path, small, RESULTS, context, backend, 10, 20_000_000)
    assert (told, complaints) == ("[(20000000, 10), (20000000, 11), (20000000, 12), (20000000, 13)]\n", "")
    if not setting:  # and large data go by the temporary folder
        told, complaints = run_with_mounts(tmp_path, small, RESULTS, context, backend, 20_000_000, 10)
        assert (told, complaints) == ("[(10, 0), (10, 1), (10, 2), (10, 3)]\n", "")
