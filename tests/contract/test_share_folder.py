"""Large data on a cluster: by the folder that all hosts reach, or without one by a broadcast."""

from __future__ import annotations

import mmap
import os
import platform
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_until

from rxspark import RxFileError, RxSpark, rxElemArg, rxExec, rxShare

ONE_MACHINE = "all workers are on this machine, and map the file that the driver has written"

pytestmark = pytest.mark.left_out(
    local=ONE_MACHINE, localpar=ONE_MACHINE, dopar_loky=ONE_MACHINE, dopar_threading=ONE_MACHINE, spark=ONE_MACHINE
)


@pytest.fixture
def share(tmp_path):
    """A share folder, as a file system that is mounted on all hosts."""
    with RxSpark(hdfsShareDir=str(tmp_path)):
        yield tmp_path


def source(array):
    """The file of which an array's numbers are mapped, with its inode."""
    with open("/proc/self/maps") as file:
        address = array.__array_interface__["data"][0]
        for line in file:
            first, last = (int(end, 16) for end in line.split()[0].split("-"))
            if first <= address < last:
                *_, inode, path = line.split(maxsplit=5)
                return path.strip(), int(inode)
    return None


def files(folder: Path) -> list[str]:
    """The files of shared data in a share folder."""
    return sorted(path.name for path in folder.rglob("*.bundle"))


def large(folder: str) -> int:
    """Count the files of a megabyte or more below a folder."""
    return sum(path.stat().st_size > 1_000_000 for path in Path(folder).rglob("*") if path.is_file())


def test_large_constants_are_fetched_once_a_host_and_mapped(share):
    """All executors of a host map one and the same file, which is not the one in the share folder."""
    big = np.arange(1_000_000)

    def look(x, k):
        path, inode = source(x)
        return (platform.node(), path, inode), int(x[k]), large(str(share))

    found = rxExec(look, big, rxElemArg(range(6)))
    assert [value for _, value, _ in found] == list(range(6))
    assert [count for _, _, count in found] == [1] * 6
    copies = {copy for copy, _, _ in found}
    assert sorted(host for host, _, _ in copies) == sorted(set(found.info["host"]))
    assert not any(path.startswith(str(share)) for _, path, _ in copies)
    assert large(str(share)) == 0


def test_large_elements_do_not_ride_in_the_task_description(share):
    """Each partition with large elements has a file of its own in the share folder while the call runs."""
    elements = [np.full(400_000, float(k)) for k in range(3)]
    assert rxExec(lambda x: (float(x.sum()), len(files(share))), rxElemArg(elements), taskChunkSize=1) == [
        (0.0, 3),
        (400_000.0, 3),
        (800_000.0, 3),
    ]
    assert files(share) == []


def test_a_shared_object_is_written_once_for_all_calls(share):
    """`rxShare` writes to the share folder; calls read from there, on every host, until the handle goes."""
    shared = rxShare({"x": np.arange(1_000_000)})
    assert len(files(share)) == 1
    for _ in range(2):
        assert rxExec(lambda d, k: int(d["x"][k]), shared, rxElemArg([7, -1])) == [7, 999_999]
    shared.remove()
    assert files(share) == []


def test_a_file_that_is_gone_or_damaged_is_named(share, hosts):
    """Executors that cannot fetch the file whole say which it is and why; nothing is computed from it."""
    shared = rxShare(np.arange(1_000_000))
    [path] = share.rglob("*.bundle")
    with open(path, "r+b") as file:
        file.truncate(5_000_000)
    with pytest.raises(RxFileError, match="5000000 bytes of"):
        rxExec(len, shared)
    lost = rxShare(np.arange(1_000_000))
    os.unlink(next(p for p in share.rglob("*.bundle") if p != path))
    with pytest.raises(RxFileError, match=f"could not be fetched to ({'|'.join(hosts)})"):
        rxExec(len, lost)


def test_a_folder_that_others_can_write_to_is_refused(share):
    """Executors unpickle the files of the share folder: nobody else may put anything there."""
    big = np.arange(1_000_000)
    rxShare(big).remove()
    [ours] = share.iterdir()
    other = share / "other"
    (other / ours.name).mkdir(parents=True)
    (other / ours.name).chmod(0o777)
    with RxSpark(hdfsShareDir=str(other)), pytest.raises(RxFileError, match="others can write there"):
        rxShare(big)


def test_without_a_share_folder_the_engine_carries_large_constants():
    """A broadcast brings them, once to each executor, and they are mapped all the same."""
    big = np.arange(1_000_000)

    def look(x, k):
        base = x
        while not isinstance(base, mmap.mmap):
            base = base.obj if isinstance(base, memoryview) else base.base
        x += 1
        return int(x[k])

    assert rxExec(look, big, rxElemArg([0, -1]), taskChunkSize=2) == [1, 1_000_000]


@pytest.mark.left_out(spark_connect="it has no broadcasts")
def test_broadcasts_end_with_their_calls():
    """Neither the executors' blocks nor the driver's files grow with the number of calls."""
    from pyspark import SparkContext

    context = SparkContext._active_spark_context

    def held():
        """Bytes of broadcasts in all block managers, once Spark has dropped what nobody refers to, and files here."""
        context._jvm.System.gc()
        stores = context._jsc.sc().getExecutorMemoryStatus().values().iterator()
        used = 0
        while stores.hasNext():
            most, left = stores.next().productIterator().toList().mkString(" ").split()
            used += int(most) - int(left)
        return used, len(os.listdir(context._temp_dir))

    big = np.arange(1_000_000)  # 8 MB
    rxExec(len, big)
    before, files = held()
    for _ in range(4):
        assert rxExec(len, big) == [1_000_000]
    wait_until(lambda: held()[0] <= before + 4_000_000, "Spark drops the broadcasts of calls that are over", 30)
    assert held()[1] == files


def test_a_shared_object_on_the_drivers_disk_goes_with_the_call():
    """Without a share folder `rxShare` writes on this host; executors elsewhere get the object by broadcast."""
    shared = rxShare(np.arange(1_000_000))
    assert shared.on_this_host
    assert rxExec(lambda x: int(x.sum()), shared) == [499_999_500_000]
