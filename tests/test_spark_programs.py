"""Programs that Spark starts: an application by spark-submit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from examples_runs import EXAMPLES, ROOT

from rxspark import rxElemArg, rxExec

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def start(program: str, *arguments: str | Path) -> str:
    """Run one of Spark's programs on two cores of this machine; its output, once it has ended well."""
    import pyspark

    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [
            Path(pyspark.__file__).parent / "bin" / program,
            *("--master", "local[2]", "--conf", "spark.ui.enabled=false"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=EXAMPLES.anchor,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places), "PYSPARK_PYTHON": sys.executable},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_an_application_reads_computes_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table that it writes has the numbers of the same seed in this process."""
    values = {"north": [3.0, 1.0, 2.0, 5.0], "south": [10.0, 30.0, 20.0], "west": [7.0]}
    rows = [(name, value) for name, some in values.items() for value in some]
    pd.DataFrame(rows, columns=["group", "value"]).to_parquet(tmp_path / "sales.parquet")

    arguments = ["--input", tmp_path / "sales.parquet", "--output", tmp_path / "intervals", "--resamples", "300"]
    told = start("spark-submit", EXAMPLES / "submit_app.py", *arguments)

    assert f"3 intervals of 300 resamples: {tmp_path / 'intervals'}" in told
    monkeypatch.syspath_prepend(EXAMPLES)
    from submit_app import interval

    expected = rxExec(interval, rxElemArg([sorted(some) for some in values.values()]), 300, RNGseed=777)
    written = pd.read_parquet(tmp_path / "intervals").set_index("group").loc[list(values)]
    assert [tuple(row) for row in written.to_numpy().tolist()] == list(expected)
    assert written.loc["west"].tolist() == [7, 7, 7]
    assert (written["low"] < written["mean"]).sum() == 2
