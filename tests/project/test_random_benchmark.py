"""The benchmark of random numbers: who takes part, and that what they make is checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from project import ROOT


def bench(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'scripts'}{os.pathsep}{ROOT}", "MPLCONFIGDIR": str(folder)},
        capture_output=True,
        text=True,
    )


def test_streams_and_normals_are_measured_by_those_who_make_random_numbers(tmp_path: Path) -> None:
    """Names may be joined by commas; systems that only run tasks take no part; a table and a plot come out."""
    told = bench(
        tmp_path, "--repeats", "1", "--only", "streams,normals", "--contenders", "rx-philox,np-legacy", "rx-seq"
    )
    assert told.returncode == 0, told.stderr
    (folder,) = (tmp_path / "bench-results").iterdir()
    results = json.loads((folder / "results.json").read_text())["results"]
    assert {workload: set(row) for workload, row in results.items()} == {
        "streams": {"rx-philox", "np-legacy"},
        "normals": {"rx-philox", "np-legacy"},
    }
    assert all(len(cell["figures"]) == 1 for row in results.values() for cell in row.values())
    assert "| rxspark PHILOX | " in told.stdout
    assert (folder / "plot.png").stat().st_size > 5_000


def test_unknown_names_are_refused_with_those_there_are(tmp_path: Path) -> None:
    """A workload that does not exist ends the benchmark before anything is started."""
    told = bench(tmp_path, "--only", "streams,normal")
    assert told.returncode == 2
    assert "'normal' is none of noop2, noop100, noop1k, noop10k," in told.stderr
    assert "streams, normals, import" in told.stderr
    assert not list(tmp_path.iterdir())


def test_a_benchmark_without_anybody_says_so_in_its_table(tmp_path: Path) -> None:
    """Where none of the contenders takes part the table is empty, and there is no plot."""
    told = bench(tmp_path, "--repeats", "1", "--only", "streams", "--contenders", "sequential")
    assert told.returncode == 0, told.stderr
    assert "No target belongs to what was measured." in told.stdout
    assert not list(tmp_path.glob("bench-results/*/plot.png"))


def test_numbers_that_are_not_what_was_asked_for_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few normals, a shifted mean, a wrong deviation and a number outside of [0, 1) are errors."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from benchmarks.workloads import NORMALS, WORKLOADS

    sound = np.random.default_rng(1).normal(size=NORMALS)
    WORKLOADS["normals"].check([sound])
    WORKLOADS["streams"].check([0.5])
    for workload, wrong in (
        ("normals", [sound[1:]]),
        ("normals", [sound + 0.01]),
        ("normals", [sound * 1.01]),
        ("streams", [1.0]),
        ("streams", []),
    ):
        with pytest.raises(ValueError, match=r"not one number|standard deviation"):
            WORKLOADS[workload].check(wrong)


@pytest.mark.parametrize("options", ["{}", '{"combined": true}', '{"lost": 0.5}'])
def test_the_drivers_own_work_is_measured(tmp_path: Path, options: str) -> None:
    """With a stand-in for the cluster: time and memory of planning, taking in and decoding so many tasks."""
    began = time.perf_counter()
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.driver", "10000", "10", options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'scripts'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    figures = json.loads(told.stdout)
    assert set(figures) == {"seconds", "plan and ship", "decode", "megabytes"}
    assert 0 < figures["plan and ship"] + figures["decode"] < time.perf_counter() - began
    assert 0 < figures["seconds"] < 10
    assert figures["megabytes"] < 100
