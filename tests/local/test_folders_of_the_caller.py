"""Folders that are not there, or not any more: the working folder, the temporary one, the share folder."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from rxspark import (
    ComputeContext,
    RxContextError,
    RxForeachDoPar,
    RxLocalParallel,
    RxLocalSeq,
    rxElemArg,
    rxExec,
    rxGetJobResults,
    rxShare,
    rxWaitForJob,
)

BACKGROUND = [RxLocalSeq(wait=False), RxLocalParallel(wait=False), RxForeachDoPar(wait=False)]


@pytest.mark.parametrize("context", BACKGROUND, ids=repr)
def test_a_job_whose_working_folder_goes_before_its_turn(
    context: ComputeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs all the same, as a waiting call does in a folder that was removed."""
    folder = tmp_path / "work"
    folder.mkdir()
    with monkeypatch.context() as patch, context:
        before = rxExec(time.sleep, 1)
        patch.chdir(folder)
        job = rxExec(abs, rxElemArg([-1, -2]))
    shutil.rmtree(folder)
    assert rxWaitForJob([before, job], timeout=60) == ["finished", "finished"]
    assert rxGetJobResults(job) == [1, 2]


REMOVED = """
import os, shutil, sys, tempfile
folder = tempfile.mkdtemp()
os.chdir(folder)
import joblib
from rxspark import *
shutil.rmtree(folder)
with {context}, joblib.parallel_config("loky", n_jobs=2):
    z = rxExec(abs, rxElemArg([-1, -2]))
    if isinstance(z, RxJob):
        z.wait()
        z = z.results()
print(z)
"""


@pytest.mark.parametrize("context", ["RxLocalParallel()", "RxForeachDoPar()", "RxLocalSeq(wait=False)"])
def test_workers_that_cannot_start_in_a_removed_folder(context: str) -> None:
    """One error says so, and what to do; none is that of a task."""
    done = subprocess.run([sys.executable, "-c", REMOVED.format(context=context)], capture_output=True, text=True)
    assert "RxContextError: the folder in which this process works was removed" in done.stderr
    assert "os.chdir(folder)" in done.stderr
    assert "WorkerDied" not in done.stderr


def test_a_working_folder_that_cannot_be_entered_is_told_before_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name; the tests run as root, who may enter all, so that the system's answer is put in here."""
    monkeypatch.setattr("rxspark.backends.base.os.access", lambda path, mode: False)
    with RxLocalParallel(), pytest.raises(RxContextError, match=rf"{os.getcwd()}: .*permission denied.*os\.chdir"):
        rxExec(abs, -1)


@pytest.mark.parametrize("context", [RxLocalParallel(), RxLocalSeq(wait=False)], ids=repr)
def test_a_temporary_folder_that_is_gone_is_named(
    context: ComputeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the variable that names another one."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with context, pytest.raises(RxContextError, match=r"gone/rxspark-\d+: .*TMPDIR"):
        rxExec(abs, -1)


@pytest.mark.parametrize("kind", [RxLocalSeq, RxLocalParallel, RxForeachDoPar], ids=lambda kind: str(kind.__name__))
def test_a_share_folder_is_made(kind: type[ComputeContext], tmp_path: Path) -> None:
    """With those above it, for its user alone, as hdfsShareDir is; for calls, jobs and rxShare alike."""
    folders = [tmp_path / name / "share" for name in ("waiting", "job", "shared")]
    with kind(shareDir=str(folders[0])):
        assert rxExec(abs, -1) == [1]
    with kind(shareDir=str(folders[1]), wait=False):
        job = rxExec(abs, -1)
    assert rxWaitForJob(job, timeout=60) == "finished"
    assert rxGetJobResults(job) == [1]
    with kind(shareDir=str(folders[2])):
        assert rxExec(sum, rxShare([1, 2])) == [3]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
