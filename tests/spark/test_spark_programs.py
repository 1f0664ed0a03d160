"""Programs that Spark starts: an application by spark-submit, and the PySpark shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from examples_runs import EXAMPLES
from project import ROOT

from rxspark import rxElemArg, rxExec

pytestmark = pytest.mark.slow


def start(program: str, *arguments: str | Path, typed: str = "", **environment: str) -> str:
    """Run one of Spark's programs on two cores of this machine; its output, once it has ended well."""
    import pyspark

    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [
            Path(pyspark.__file__).parent / "bin" / program,
            *("--master", "local[2]", "--conf", "spark.ui.enabled=false"),
            *arguments,
        ],
        input=typed,
        capture_output=True,
        text=True,
        timeout=280,
        cwd=EXAMPLES.anchor,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places), "PYSPARK_PYTHON": sys.executable, **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_an_application_reads_computes_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table that it writes has the numbers of the same seed in this process."""
    values = {"north": [3.0, 1.0, 2.0, 5.0], "south": [10.0, 30.0, 20.0], "west": [7.0]}
    rows = [(name, value) for name, some in values.items() for value in some]
    pd.DataFrame(rows, columns=["group", "value"]).to_parquet(tmp_path / "sales.parquet")

    arguments = ["--input", f"{tmp_path}/sales.parquet", "--output", f"{tmp_path}/intervals", "--resamples", "300"]
    told = start("spark-submit", EXAMPLES / "submit_app.py", *arguments)

    assert f"3 intervals of 300 resamples: {tmp_path / 'intervals'}" in told
    monkeypatch.syspath_prepend(EXAMPLES)
    from submit_app import interval

    expected = rxExec(interval, rxElemArg([sorted(some) for some in values.values()]), 300, RNGseed=777)
    written = pd.read_parquet(tmp_path / "intervals").set_index("group").loc[list(values)]
    assert [tuple(row) for row in written.to_numpy().tolist()] == list(expected)
    assert written.loc["west"].tolist() == [7, 7, 7]
    assert (written["low"] < written["mean"]).sum() == 2


SHELL = EXAMPLES / "shell.py"
LINES = "from rxspark import *\nrxSetComputeContext('spark')\n"


@pytest.mark.parametrize("way", ["at its start", "typed"])
def test_the_shell_runs_the_example(way: str, tmp_path: Path) -> None:
    """By PYTHONSTARTUP and line by line at the prompt: its own session works, gives a right answer and stays."""
    (tmp_path / "lines.py").write_text(LINES)
    first = SHELL if way == "at its start" else tmp_path / "lines.py"
    typed = (SHELL.read_text() if way == "typed" else "") + "\nprint(rxGetComputeContext(), list(z), spark.version)\n"

    told = start("pyspark", typed=typed, PYTHONSTARTUP=str(first), PYSPARK_DRIVER_PYTHON_OPTS="-i")

    assert "the session is still there: True" in told
    shares = [float(share) for share in re.search(r"RxSpark\(\) \[(.*)\] \d", told).group(1).split(", ")]
    assert shares == pytest.approx([0.1169, 0.5073, 0.9704], abs=0.05)
    assert re.search(rf"\| +23\| *{shares[1]}\|\n\| +50\| *{shares[2]}\|\n", told)
