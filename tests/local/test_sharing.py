"""The files of shared data on this host: who can reach them, when they go, and what happens when they cannot be."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from rxspark import (
    RxContextError,
    RxFileError,
    RxLocalParallel,
    RxLocalSeq,
    RxTaskError,
    rxCleanupJobs,
    rxExec,
    rxGetJobs,
    rxShare,
)


@pytest.fixture
def folder(tmp_path):
    """A shareDir of the test's own."""
    with RxLocalSeq(shareDir=str(tmp_path)):
        yield tmp_path


def bundles(folder: Path) -> list[str]:
    """The files of shared data below a folder."""
    return sorted(str(path) for path in folder.rglob("*.bundle"))


def run(program: str, **more) -> subprocess.CompletedProcess[str]:
    """Run a Python program."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, **more)


def test_the_files_of_a_call_go_with_it(folder):
    """While a call runs its large constants are in one file; afterwards there is none, also after an error."""
    big = np.zeros(100_000)

    def count(x):
        return sum(path.stat().st_size >= x.nbytes for path in Path(str(folder)).rglob("*") if path.is_file())

    assert rxExec(count, big, timesToRun=2) == [1, 1]
    assert count(big) == 0
    with pytest.raises(RxTaskError, match="division by zero"):
        rxExec(lambda x: 1 / 0, big, continueOnFailure=False)
    assert count(big) == 1  # in the folder of the job, which can be resumed
    rxCleanupJobs(rxGetJobs())
    assert count(big) == 0


def test_a_shared_file_goes_with_its_handle(folder):
    """The file is there as long as the handle is used, and no longer."""
    shared = rxShare(np.zeros(100_000))
    assert bundles(folder) == [shared.ref.path]
    assert shared.value.sum() == 0
    del shared
    gc.collect()
    assert bundles(folder) == []


def test_what_a_program_shared_is_gone_after_its_end(tmp_path):
    """A program that ends, by itself or by an error, leaves no file, though it kept its handle to the end."""
    for end in ("", "1 / 0"):
        program = f"""
import numpy as np, rxspark
rxspark.rxSetComputeContext(rxspark.RxLocalSeq(shareDir={str(tmp_path)!r}))
kept = rxspark.rxShare(np.zeros(100_000))
print(kept.size)
{end}
"""
        told = run(program)
        assert int(told.stdout) > 800_000
        assert bundles(tmp_path) == []


def test_what_a_killed_program_left_is_swept_by_the_next(tmp_path):
    """Kill -9 leaves files; the next program that shares anything there removes them, and not those in use."""
    here = np.zeros(100_000)
    with RxLocalSeq(shareDir=str(tmp_path)):
        kept = rxShare(here)
    program = f"""
import numpy as np, os, signal, rxspark
rxspark.rxSetComputeContext(rxspark.RxLocalSeq(shareDir={str(tmp_path)!r}))
kept = rxspark.rxShare(np.zeros(100_000))
os.kill(os.getpid(), signal.{{end}})
"""
    assert run(program.format(end="SIGKILL")).returncode == -signal.SIGKILL
    assert len(bundles(tmp_path)) == 2
    assert run(program.format(end="SIGCONT")).returncode == 0
    assert bundles(tmp_path) == [kept.ref.path]
    assert rxExec(len, kept) == [100_000]


def test_what_a_killed_program_left_in_memory_is_swept_by_the_next_that_shares_anywhere(tmp_path):
    """Data for which there was no other room do not stay until another program is in want of room."""
    killed = """
import os, rxspark, rxspark.data.host_cache as host
host.free = lambda folder: 1e9 if folder == "/dev/shm" else 0
print(rxspark.rxShare(bytes(1_000_000)).ref.path, flush=True)
os.kill(os.getpid(), 9)
"""
    left = Path(run(killed).stdout.strip())
    assert left.is_relative_to("/dev/shm")  # where any program of this machine may sweep it meanwhile
    with RxLocalSeq(shareDir=str(tmp_path)):
        kept = rxShare(bytes(1_000_000))
    assert kept.ref.path.startswith(str(tmp_path))
    assert not left.parent.exists()


def test_only_the_user_can_reach_shared_data(folder):
    """Folders have mode 0700: what is unpickled cannot have been written by others."""
    path = Path(rxShare(np.zeros(100_000)).ref.path)
    for part in (path.parent, path.parent.parent):
        assert part.stat().st_mode & 0o777 == 0o700
        assert part.stat().st_uid == os.geteuid()


def test_a_folder_that_is_not_there_is_made(tmp_path):
    """A shareDir that does not exist is made, for this user alone."""
    folder = tmp_path / "not" / "yet"
    with RxLocalParallel(shareDir=str(folder)):
        assert rxExec(len, np.zeros(100_000)) == [100_000]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_named_before_launch(tmp_path):
    """As where a part of the path is a file: no task has run then."""
    (tmp_path / "file").touch()
    with (
        RxLocalParallel(shareDir=str(tmp_path / "file" / "below")),
        pytest.raises(RxFileError, match=r"file/below.*a part of the path is a file"),
    ):
        rxExec((tmp_path / "ran").touch)
    assert not (tmp_path / "ran").exists()


def test_a_full_disk_is_an_error_that_says_how_much_is_needed(tmp_path):
    """When the data does not fit, be it by its last bytes, the error gives sizes and way out; no half file is left."""
    program = f"""
import os, resource, signal, numpy as np, rxspark
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with rxspark.RxLocalSeq(shareDir={str(tmp_path)!r}):
    there = rxspark.rxShare(np.zeros(100_000))
    whole = os.path.getsize(there.ref.path)
    by_a_call = lambda x: rxspark.rxExec(len, x)
    for share, room in ((rxspark.rxShare, 500_000), (rxspark.rxShare, whole - 2), (by_a_call, 500_000)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try:
            share(np.zeros(100_000))
        except rxspark.RxFileError as error:
            print(error)
"""
    told = run(program).stdout.splitlines()
    assert len(told) == 3
    for line in told:
        assert line.startswith(str(tmp_path))
        assert "of shared data cannot be written there: File too large" in line
        assert "shareDir with more room" in line
    assert bundles(tmp_path) == []


def test_what_the_temporary_folder_cannot_hold_goes_elsewhere(monkeypatch):
    """Without a shareDir, data that the temporary folder has no room for goes to memory, if that has."""
    monkeypatch.setattr("rxspark.data.host_cache.free", lambda folder: 1e9 if folder == "/dev/shm" else 1e6)
    small, large = rxShare(np.zeros(10_000)), rxShare(np.zeros(1_000_000))
    assert small.ref.path.startswith(tempfile.gettempdir())
    assert large.ref.path.startswith("/dev/shm")


def test_a_handle_that_was_forked_leaves_the_file_alone(folder):
    """A child process that has inherited the handle does not remove the parent's file when it ends."""
    shared = rxShare(np.zeros(100_000))
    child = os.fork()
    if child == 0:
        shared.remove()
        os._exit(0)
    os.waitpid(child, 0)
    assert bundles(folder) == [shared.ref.path]


def test_nothing_is_launched_when_the_data_cannot_be_written(tmp_path):
    """The error comes before the first task: none has run."""
    marks, target = tmp_path / "marks", tmp_path / "share"
    marks.mkdir()
    target.write_text("a file, no folder")
    with RxLocalParallel(shareDir=str(target)), pytest.raises((RxFileError, RxContextError)):
        rxExec(lambda x, k: (marks / str(k)).touch(), np.zeros(100_000), 1, timesToRun=4)
    assert list(marks.iterdir()) == []


MEMORY = """
import numpy as np, os, pathlib, rxspark, tempfile, time
from rxspark import rxElemArg, rxExec, rxShare, RxLocalParallel
def proportional():
    # Bytes of memory of this process, what it shares with n others counted as 1/n.
    with open("/proc/self/smaps_rollup") as file:
        return 1024 * sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
def both(folder, name):
    # Go on when both tasks have come to this point.
    pathlib.Path(folder, f"{{name}}-{{os.getpid()}}").touch()
    while len(list(pathlib.Path(folder).glob(f"{{name}}-*"))) < 2:
        time.sleep(0.01)
def use(x, k, folder):
    x[::512].sum()  # touches each page
    both(folder, "read")
    memory = proportional()
    both(folder, "measured")
    return os.getpid(), memory
def measure(x):
    with tempfile.TemporaryDirectory() as folder:
        return dict(rxExec(use, x, rxElemArg([1, 2]), folder))
with RxLocalParallel():
    before = measure(np.zeros(1))
    data = np.ones({bytes} // 8)
    after = measure({share})
assert before.keys() == after.keys() and len(after) == 2, (before, after)
print(sum(after.values()) - sum(before.values()))
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells the memory of a process")
@pytest.mark.parametrize("share", ["data", "rxShare(data)"])
def test_two_workers_hold_one_copy(share):
    """Two workers that use one large array take the memory of one copy, and of no second."""
    size = 200_000_000
    told = run(MEMORY.format(bytes=size, share=share))
    assert told.returncode == 0, told.stderr
    assert 0.9 * size < int(told.stdout) < 1.2 * size


@pytest.mark.slow
def test_more_than_4_gib_arrive(tmp_path):
    """Sizes and places are 64-bit numbers: an array of 4.5 GB is shared whole."""
    program = f"""
import numpy as np
from rxspark import RxLocalParallel, rxExec
with RxLocalParallel(shareDir={str(tmp_path)!r}):
    data = np.zeros(4_500_000_000, "i1")
    data[-1] = 7
    print(rxExec(lambda x: (len(x), int(x[-1]), int(x[2**32 + 1])), data, timesToRun=2))
"""
    assert run(program).stdout.strip() == "[(4500000000, 7, 0), (4500000000, 7, 0)]"
