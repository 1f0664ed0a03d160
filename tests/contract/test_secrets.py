"""Files of a call are for its user alone, and hold nothing of the caller's environment."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rxspark import ComputeContext, rxElemArg, rxExec, rxGetJobResults, rxWaitForJob

SECRET = secrets.token_hex()  # made anew, as this very file is sent along


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret of the caller's, under a name that is none."""
    monkeypatch.setenv("RXSPARK_TEST_PASSWORD", SECRET)


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    """A umask that takes no right from anybody."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def keeping(context: ComputeContext, where: str, tmp_path: Path) -> ComputeContext:
    """The context, with a folder in which its calls survive."""
    name = "hdfsShareDir" if where in ("spark-cluster", "spark-connect", "spark-lab") else "shareDir"
    changes: dict[str, Any] = {name: str(tmp_path / "share"), "autoCleanup": False}
    return replace(context, **changes)


def _open_or_telling(folder: str, secret: bytes) -> tuple[int, list[str]]:
    """Count the files, and list those, and the folders, that others can reach or that hold the secret."""
    files, found = 0, []
    for path in Path(folder).rglob("*"):
        if path.name == "rxspark-jobs":  # where each user may have folders
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            found.append(f"{path} has mode {mode:o}")
        if path.is_file():
            files += 1
            if secret in path.read_bytes():
                found.append(f"{path} holds the secret")
    return files, found


@pytest.mark.parametrize("wait", [True, False])
def test_no_file_holds_the_environment_or_is_open_to_others(
    keeping: ComputeContext, tmp_path: Path, wait: bool
) -> None:
    """While the tasks run and afterwards, whatever the umask, be the job waited for or not."""
    share, constants, elements = tmp_path / "share", np.zeros(200_000), [np.zeros(200_000), np.ones(200_000)]
    share.mkdir()
    backwards = SECRET[::-1]  # it travels by these very files

    def task(x: Any, y: Any) -> Any:
        files, found = _open_or_telling(str(share), backwards[::-1].encode())
        return float(x.sum() + y.sum()), files > 0, found

    with replace(keeping, wait=wait):
        given = rxExec(task, constants, rxElemArg(elements), taskChunkSize=1)
        if not wait:
            assert rxWaitForJob(given, timeout=120) == "finished"
            given = rxGetJobResults(given)
    assert given == [(0.0, True, []), (200_000.0, True, [])]
    files, found = _open_or_telling(str(share), SECRET.encode())
    assert files >= 5  # the job's records, what it had to run, and its results
    assert found == []


@pytest.mark.left_out(spark_cluster="its executors are on other machines", spark_connect="see there")
def test_tasks_on_this_machine_see_the_environment_all_the_same(keeping: ComputeContext, tmp_path: Path) -> None:
    """It travels in memory."""
    (tmp_path / "share").mkdir()
    with keeping:
        assert rxExec(os.environ.get, "RXSPARK_TEST_PASSWORD", timesToRun=2) == [SECRET, SECRET]
