"""HDFS with two NameNodes: what runs while another one takes over goes on, by a name service and by a mount table."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import HADOOP
from waiting import let_pass, wait_until

from rxspark import (
    RxContextError,
    RxFileError,
    RxLocalParallel,
    RxSpark,
    rxElemArg,
    rxExec,
    rxHadoopFileExists,
    rxHadoopListFiles,
    rxHadoopMakeDir,
    rxHadoopRemoveDir,
    rxShare,
)
from rxspark.files import atomic
from rxspark.files.paths import open_path
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob

pytestmark = pytest.mark.timeout(600)


class NameNodes:
    """The two NameNodes, of which one is active."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def hadoop(self, *arguments: str) -> None:
        """Run scripts/hadoop."""
        subprocess.run([sys.executable, HADOOP, *arguments, "--dir", self.folder], check=True, timeout=300)

    def _active(self) -> int:
        name = next(name for name in ("namenode1", "namenode2") if self._serves(name))
        pid: int = json.loads((self.folder / "pids.json").read_text())[name]
        return pid

    def _serves(self, name: str) -> bool:
        return self._administer("-getServiceState", name) == "active"

    def _administer(self, *order: str) -> str:
        """Give an order to the NameNodes, and agree where it asks back."""
        jars = next(self.folder.glob("jars-*.txt")).read_text().strip()
        command = ["java", "-cp", f"{self.folder}/conf:{jars}", "org.apache.hadoop.hdfs.tools.DFSHAAdmin", *order]
        return subprocess.run(command, input="Y\n", capture_output=True, text=True, timeout=60).stdout.strip()

    @contextmanager
    def both_on_standby(self) -> Iterator[None]:
        """Kill the controllers, which would make one active, and let neither be; at the end start them anew."""
        pids = json.loads((self.folder / "pids.json").read_text())
        for name in ("zkfc1", "zkfc2"):
            os.kill(pids[name], signal.SIGKILL)
        for name in ("namenode1", "namenode2"):
            self._administer("-transitionToStandby", "--forcemanual", name)
        try:
            yield
        finally:
            self.hadoop("start")

    @contextmanager
    def active_killed(self, place: str, files: int) -> Iterator[None]:
        """Kill the active one as soon as this folder has so many files, before what is done here has ended."""
        active = self._active()
        killed = threading.Event()

        def kill() -> None:
            wait_until(lambda: number_of_files(place) >= files, f"{files} files are in {place}")
            os.kill(active, signal.SIGKILL)
            killed.set()

        thread = threading.Thread(target=kill, daemon=True)
        thread.start()
        try:
            yield
            assert killed.is_set()
        finally:
            thread.join()
            self.hadoop("start")

    @contextmanager
    def active_frozen_and_killed(self) -> Iterator[None]:
        """Let the active one hear and not answer meanwhile, then kill it, and at the end start it anew."""
        active = self._active()
        os.kill(active, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(active, signal.SIGKILL)
            self.hadoop("start")


def number_of_files(place: str) -> int:
    """Count the files in a folder and those in it, whole or still being written."""
    return sum(file.permissions.startswith("-") for file in rxHadoopListFiles(place, recursive=True))


@pytest.fixture(scope="module")
def namenodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameNodes]:
    """A Hadoop of its own, with the folders of its mount table."""
    from rxspark.backends.spark.session import stop_own

    nodes = NameNodes(tmp_path_factory.mktemp("ha") / "hadoop")
    stop_own()
    with pytest.MonkeyPatch.context() as patch:
        try:
            nodes.hadoop("start", "--ha")
            patch.setenv("HADOOP_CONF_DIR", str(nodes.folder / "conf"))
            patch.delenv("HADOOP_USER_NAME", raising=False)
            for name in ("share", "data"):
                rxHadoopMakeDir(f"hdfs://mycluster/{name}")
            yield nodes
        finally:
            stop_own()
            nodes.hadoop("stop", "--purge")


def spark(share: str, **options: Any) -> RxSpark:
    """Context on this machine with a share folder."""
    return RxSpark(master="local[2]", hdfsShareDir=share, extraSparkConfig={"spark.ui.enabled": "false"}, **options)


def drawn(number: int, seconds: float) -> tuple[int, float]:
    """Draw a number, slowly."""
    time.sleep(seconds)
    return number, float(np.random.normal())


@pytest.fixture(scope="module")
def undisturbed() -> Any:
    """Results of the calls here in one process."""
    return rxExec(drawn, rxElemArg(range(16)), 0, RNGseed=11, taskChunkSize=2)


SHARES = [
    pytest.param("hdfs://mycluster/share", id="name service"),
    pytest.param("viewfs://both/share", id="mount table", marks=pytest.mark.slow),
]


@pytest.fixture(params=SHARES)
def share(request: pytest.FixtureRequest) -> Iterator[str]:
    """A share folder, in which no file is left behind, with a session that has begun."""
    with spark(request.param):
        rxExec(abs, -1)
    yield request.param
    assert number_of_files(request.param) == 0


def test_the_active_namenode_is_killed_in_the_middle_of_a_job(
    namenodes: NameNodes, undisturbed: Any, share: str
) -> None:
    """The other one takes over by itself: the numbers of one process, each task once, here and for another process."""
    with spark(share, wait=False):
        job = rxExec(drawn, rxElemArg(range(16)), 1, RNGseed=11, taskChunkSize=2)
        with namenodes.active_killed(f"{share}/rxspark-jobs/{job.id}/parts", files=2):
            seen_elsewhere: RxJob[Any] = RxJob(RemoteJob(JobFolder(job._source.folder.path)))
            assert job.wait(120) == "finished"
            assert seen_elsewhere.status() == "finished"
        results = job.results()
    assert (results, results.errors, list(results.info["attempt"])) == (undisturbed, {}, [0] * 16)


@pytest.mark.parametrize("how", ["killed", "by hand"])
def test_a_failover_in_the_middle_of_a_call(namenodes: NameNodes, undisturbed: Any, share: str, how: str) -> None:
    """The active NameNode is killed, or one gives way to the other: the numbers of one process, each task once."""
    by_hand = threading.Thread(target=namenodes.hadoop, args=("failover",))
    with spark(share), namenodes.active_killed(share, files=6) if how == "killed" else running(by_hand):
        results = rxExec(drawn, rxElemArg(range(16)), 1, RNGseed=11, taskChunkSize=2)
    assert (results, list(results.info["attempt"])) == (undisturbed, [0] * 16)


def test_the_active_namenode_is_killed_before_it_has_answered(namenodes: NameNodes) -> None:
    """Folders are made, files moved, removed and created all the same, by the one that takes over."""
    rxHadoopMakeDir("hdfs://mycluster/share/changes")
    made, moved, removed, created = (open_path(f"hdfs://mycluster/share/changes/{name}") for name in "abcd")
    for path in (moved, removed):
        atomic.write(path, b"text")
    for path in (made, created):
        assert path.info() is None  # by a connection that is there then
    with ThreadPoolExecutor(4) as at_once, namenodes.active_frozen_and_killed():
        changes: list[Future[Any]] = [
            at_once.submit(made.make),
            at_once.submit(moved.fs.mv, moved.path, f"{moved.path}2"),
            at_once.submit(removed.fs.rm_file, removed.path),
            at_once.submit(atomic.create, created, b"text"),
        ]
        let_pass(1, "all four have asked, and are not answered")
        assert not any(change.done() for change in changes)
    assert [change.result() for change in changes] == [None, None, None, True]
    names = [os.path.basename(name) for name in rxHadoopListFiles("hdfs://mycluster/share/changes").names]
    assert (names, made.is_folder(), atomic.read(created)) == (["a", "b2", "d"], True, b"text")
    rxHadoopRemoveDir("hdfs://mycluster/share/changes")


@pytest.mark.slow
def test_both_namenodes_are_on_standby(namenodes: NameNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call with a share folder there ends with an error that names both and how one becomes active."""
    for name in ("core-site.xml", "hdfs-site.xml"):  # by which hdfs-native asks each but once: by itself for a minute
        text = (namenodes.folder / "conf" / name).read_text()
        less = "<property><name>dfs.client.failover.max.attempts</name><value>1</value></property></configuration>"
        (tmp_path / name).write_text(text.replace("</configuration>", less))
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    with namenodes.both_on_standby(), spark("hdfs://mycluster/share"), pytest.raises(RxContextError) as raised:
        rxExec(abs, -1)
    pattern = (
        r"in state standby.* NameNode namenode1 at localhost:\d+ takes connections, "
        r"NameNode namenode2 at localhost:\d+ takes connections\. None of mycluster is active: .*-transitionToActive"
    )
    assert re.search(pattern, str(raised.value))


@contextmanager
def running(thread: threading.Thread) -> Iterator[None]:
    """Run a thread meanwhile."""
    thread.start()
    yield
    thread.join()


def test_the_active_namenode_is_killed_while_data_is_shared(namenodes: NameNodes, share: str) -> None:
    """In the middle of the upload: tasks read what was shared then, and before."""
    data = np.arange(20_000_000.0)
    with spark(share):
        before = rxShare(data)
        with namenodes.active_killed(share, files=2):
            meanwhile = rxShare(data + 1)
            for shared, whole in ((meanwhile, data + 1), (before, data)):
                assert rxExec(lambda table: float(table.sum()), shared, timesToRun=4) == [float(whole.sum())] * 4
        before.remove()
        meanwhile.remove()


def test_a_folder_of_a_mount_table_is_that_of_the_name_service(namenodes: NameNodes) -> None:
    """A folder made by one name is there by the other; where nothing is mounted the error has the mount points."""
    rxHadoopMakeDir("viewfs://both/data/made")
    assert rxHadoopFileExists("hdfs://mycluster/data/made")
    with RxLocalParallel():
        assert rxExec(rxHadoopFileExists, rxElemArg(["viewfs://both/data/made", "viewfs://both/data/no"])) == [
            True,
            False,
        ]
    rxHadoopRemoveDir("viewfs://both/data/made")
    assert not rxHadoopFileExists("hdfs://mycluster/data/made")
    with pytest.raises(RxFileError, match=r"viewfs://both/other: no mount point .*; it has /data, /share"):
        rxHadoopListFiles("viewfs://both/other")
