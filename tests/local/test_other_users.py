"""Other users of the system can write to nothing that is unpickled, and put nothing in its place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rxspark import (
    RxContextError,
    RxFileError,
    RxJobError,
    RxLocalSeq,
    rxCleanupJobs,
    rxExec,
    rxGetJobResults,
    rxGetJobs,
    rxShare,
)
from rxspark.data.bundle import Bundle
from rxspark.data.host_cache import local_copy, private_folder
from rxspark.data.shared_files import process_folder, write_shared_bundle
from rxspark.files.paths import open_path
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob
from rxspark.worker.delivery import ResultFile, ResultSink
from rxspark.worker.results import PartitionResult

NOBODY = 65534

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that all users can reach, which pytest's own are not."""
    made = Path(tempfile.mkdtemp(prefix="rxspark-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(autouse=True)
def _no_jobs_left() -> Iterator[None]:
    yield
    with RxLocalSeq():
        rxCleanupJobs(rxGetJobs(), force=True)


def _all_that_is_unpickled(base: Path) -> None:
    """One of each: the local cache, files of this host, a share folder with results in it, a job's folder."""
    (base / "share").mkdir()
    (base / "share").chmod(0o1777)  # as /tmp: whoever likes has a folder there
    share = open_path(str(base / "share"))
    path, ref = write_shared_bundle(Bundle([b"constants"]), share)
    local_copy(str(path), ref.name, ref.size)
    result = PartitionResult("node", 1, 0)
    result.add(0, bytes(2_000_000), 0.0, 0.0)
    assert isinstance(ResultSink(str(process_folder(share) / "call")).send(result, None), ResultFile)
    with RxLocalSeq(shareDir=str(base), autoCleanup=False, wait=False):
        rxExec(abs, -1).wait(60)


# Attempts of a user at all below a folder, each printed when it succeeds.
ATTACK = """
import os, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(65534)

def can(what, act, *arguments):
    try:
        act(*arguments)
    except OSError:
        return
    print(what, arguments[0])

for folder, folders, files in os.walk(sys.argv[1], topdown=False):
    if os.path.basename(folder) not in ("share", "rxspark-jobs"):  # where each user may have a folder of their own
        can("make", os.mkdir, folder + "/mine")
    for name in files:
        can("write", lambda path: open(path, "ab").close(), f"{folder}/{name}")
    for name in [*files, *folders]:
        can("rename", os.rename, f"{folder}/{name}", f"{folder}/{name}.away")
"""


def _attack(base: Path, group: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", ATTACK, str(base), str(group)], capture_output=True, text=True, cwd="/"
    )
    assert not done.stderr
    return done.stdout


@root
@pytest.mark.parametrize("umask", [0o022, 0o002, 0])
def test_another_user_can_change_nothing_that_is_unpickled(
    base: Path, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They see no file, no folder and no name in it, whatever the umask is, and if they are of the same group."""
    monkeypatch.setenv("LOCAL_DIRS", str(base))
    before = os.umask(umask)
    try:
        _all_that_is_unpickled(base)
    finally:
        os.umask(before)
    names = {path.name.rpartition(".")[2] for path in base.rglob("*") if path.is_file()}
    assert {"bundle", "results", "data"} <= names  # constants, results, a job
    assert _attack(base, os.getgid()) == ""


@pytest.mark.parametrize(
    ("owner", "mode", "told"),
    [
        pytest.param(NOBODY, 0o700, f"belongs to user {NOBODY}", marks=root),
        (os.geteuid(), 0o777, "mode 777.*chmod 700"),
        (os.geteuid(), 0o750, "mode 750.*chmod 700"),
    ],
)
def test_the_folder_of_this_host_must_be_ones_own(tmp_path: Path, owner: int, mode: int, told: str) -> None:
    """One that somebody else made first, or that others can reach, is not used; the error says what to do."""
    folder = tmp_path / f"rxspark-{os.geteuid()}"
    folder.mkdir()
    folder.chmod(mode)
    os.chown(folder, owner, -1)
    with pytest.raises(RxContextError, match=told):
        private_folder(tmp_path)
    with pytest.raises(RxContextError, match=told), RxLocalSeq(shareDir=str(tmp_path)):
        rxShare(np.zeros(100_000))
    folder.rmdir()
    assert private_folder(tmp_path).stat().st_mode & 0o777 == 0o700


@root
def test_another_user_reaches_nothing_of_what_is_on_this_host(base: Path) -> None:
    """A process of another user can neither list the folder nor write to it."""
    folder = private_folder(base)
    code = f"import os; os.setuid({NOBODY}); os.listdir({str(base)!r}); os.listdir({str(folder)!r})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert f"PermissionError: [Errno 13] Permission denied: {str(folder)!r}" in run.stderr


@root
@pytest.mark.parametrize("made", ["folder", "link"])
def test_a_share_folder_that_another_user_prepared_is_refused(tmp_path: Path, made: str) -> None:
    """A user who was first in a folder for all could put other files in place of ours, or lead a link elsewhere."""
    share = open_path(str(tmp_path))
    ours, ready = tmp_path / f"rxspark-{share.user}", tmp_path / "ready"
    ready.mkdir()
    ready.rename(ours) if made == "folder" else ours.symlink_to(ready)
    os.chown(ours, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(RxFileError, match=f"it belongs to {NOBODY}"):
        write_shared_bundle(Bundle([b"constants"]), share)


@root
def test_the_results_of_another_users_job_are_not_read(tmp_path: Path) -> None:
    """Unless the folder itself is named: reading a pickle can run any code of who wrote it."""
    with RxLocalSeq(shareDir=str(tmp_path), autoCleanup=False, wait=False):
        job = rxExec(abs, -1)
        job.wait(60)
    folder = tmp_path / "rxspark-jobs" / job.id
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(RxJobError, match="is another user's"):
        RxJob(RemoteJob(JobFolder(open_path(str(folder))))).results()
    assert rxGetJobResults(str(folder)) == [1]
