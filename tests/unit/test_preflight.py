"""Errors for executors that cannot run tasks, and the test of the share folder."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from rxspark import RxContextError, RxFileError, RxMissingError
from rxspark.backends.spark import preflight
from rxspark.files.paths import open_path
from rxspark.serialize.payload import Requirements


def test_another_minor_version_is_told_by_both_versions_and_the_host() -> None:
    """Spark's refusal, in the words of its versions, becomes a table of driver and executor."""
    older = (
        "(TID 3) (node7 executor 1): ... [PYTHON_VERSION_MISMATCH] Python in worker has different version (3, 9) than"
    )
    newer = "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.9 than that in driver: 3.11"
    for told, host in ((older, "node7"), (newer, "executor")):
        problem = preflight.start_problem(told)
        assert isinstance(problem, RxContextError)
        rows = [line.split() for line in str(problem).splitlines()[1:4]]
        assert rows[0] == ["python", "numpy", "cloudpickle", "pandas", "pyarrow", "mkl_random"]
        assert rows[1][0] == "driver"
        assert rows[2][:3] == [host, "3.9", "?"]


def test_a_python_that_executors_have_not_is_named_with_what_mends_it() -> None:
    """As where the driver's path is none in a container's image."""
    told = 'java.io.IOException: Cannot run program "/home/me/.venv/bin/python": error=2, No such file or directory'
    problem = str(preflight.start_problem(told))
    assert 'Cannot run program "/home/me/.venv/bin/python"' in problem
    assert "spark.pyspark.python" in problem
    assert "RxSpark(pythonEnv=...)" in problem


def test_the_share_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    """It is made, written to and read; the file is gone afterwards, also where reading fails."""
    with preflight.probe_file(open_path(f"file://{tmp_path}/share")) as (file, text):
        assert file is not None
        assert Path(file).read_text() == text
    with (
        pytest.raises(RxFileError, match="not here"),
        preflight.probe_file(open_path(f"file://{tmp_path}/share")) as (file, text),
    ):
        raise RxFileError("not here")
    assert os.listdir(tmp_path / "share") == []


def test_a_share_folder_that_is_none_is_named(tmp_path: Path) -> None:
    """The error has path, user and reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RxFileError, match=rf"{tmp_path}/file \(user '\w+'\): exists already, as a file"):
        preflight.probe_file(open_path(str(tmp_path / "file"))).__enter__()
    with pytest.raises(RxFileError, match=r"file/below \(user '\w+'\)"):
        preflight.probe_file(open_path(str(tmp_path / "file" / "below"))).__enter__()


def test_all_needs_of_a_call_are_asked_in_one_job_and_once(tmp_path: Path) -> None:
    """Versions, generators, modules and share folder are one question; those of later calls are known by it."""
    asked = []

    def engine(answer: Any) -> Any:
        asked.append(1)
        return list(answer([]))

    checks = preflight.Preflight(engine, local=False)
    folder = open_path(str(tmp_path / "share"))
    checks.check(Requirements("MT2203", frozenset({"json", "numpy"})), folder)
    checks.check(Requirements("PHILOX", frozenset({"pandas"})), folder)
    checks.check(Requirements(None, frozenset()), None)
    assert asked == [1]
    with pytest.raises(RxMissingError, match="'no_such_module' cannot be imported"):
        checks.check(Requirements("PHILOX", frozenset({"no_such_module"})), folder)
    assert asked == [1, 1]
    checks.check(Requirements(), open_path(str(tmp_path / "other")))
    assert asked == [1, 1, 1]
    assert os.listdir(tmp_path / "share") == []


def test_thousands_of_slots_that_answer_alike_take_the_memory_of_one_answer() -> None:
    """Of 200 executors with 16 slots the driver unpickles and keeps one report, not 3,200 of some 50 KB each."""
    slots = 3_200
    sizes = []

    def engine(answer: Any) -> Any:
        ((_, told),) = answer([])
        sizes.extend([len(told)] * slots)
        return [(f"node{slot % 200}", bytes(bytearray(told))) for slot in range(slots)]  # each of them came by itself

    checks = preflight.Preflight(engine, local=False)
    checks.check(Requirements(), None)  # what is imported now is counted in no measure
    checks = preflight.Preflight(engine, local=False)
    tracemalloc.start()
    try:
        checks.check(Requirements("PHILOX", frozenset({"numpy"})), None)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100 * sizes[0]
    assert most < 2 * sum(sizes[:slots])
