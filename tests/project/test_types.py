"""Types that a static checker finds in a user's program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

PROGRAM = """
from rxspark import RxCombined, RxJob, RxLocalSeq, RxNotFinished, RxResults, rxElemArg, rxExec, rxExecBy
from rxspark import rxGetJobResults, rxGetJobStatus

def square(x: int) -> float:
    return 1.0 * x * x

z = rxExec(square, rxElemArg([1, 2]))
reveal_type(z[0])  # float
reveal_type(z["rxElem1"])  # float
reveal_type(z[0:1])  # RxResults[float]
reveal_type(rxExecBy({"k": [1]}, "k", lambda keys, data: 2.5)[0:1])  # RxGroupResults[float]
reveal_type([value for value in z])  # list[float]
reveal_type(z.names)  # list[str]
reveal_type(z.errors)  # dict[int, RxTaskError]
plain: RxResults[float] = z
reveal_type(rxExec(square, 1, combine=max).value)  # Any
combined: RxCombined[float] = rxExec(square, 1, combine="sum")
finished = [value for value in z if not isinstance(value, RxNotFinished)]

with RxLocalSeq(wait=False):
    job = rxExec(square, rxElemArg([1, 2]))
reveal_type(job.wait())  # str
reveal_type(job.results())  # RxResults[float]
reveal_type(rxGetJobResults(job))  # RxResults[float]
reveal_type(rxGetJobResults(job.id))  # RxResults[Any]
reveal_type(rxGetJobStatus(job))  # str
reveal_type(rxGetJobStatus([job]))  # list[str]
handle: RxJob[float] = rxExec(square, 1)
for number, value in handle:
    reveal_type(value)  # float
"""

WRONG = """
from rxspark import rxElemArg, rxExec

z = rxExec(abs, rxElemArg([1]), taskChunkSize="2")
n: str = rxExec(len, "text")[0]
z.sort_by("x")
"""


def _mypy(folder: Path, **programs: str) -> str:
    for name, program in programs.items():
        (folder / f"{name}.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports", "silent", "--cache-dir", os.devnull]
    command += [f"{name}.py" for name in programs]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_a_program_is_checked_by_the_types_of_its_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results have the type that FUN gives, by place, name and slice; what rxExec gives is a job too.

    A wrong argument, a wrong use of a value and an unknown method are errors before anything runs.
    """
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    said = _mypy(tmp_path, right=PROGRAM, wrong=WRONG)
    revealed = dict(re.findall(r'right.py:(\d+): note: Revealed type is "(.*)"', said))
    expected = {
        str(number): line.partition("  # ")[2]
        for number, line in enumerate(PROGRAM.splitlines(), 1)
        if "reveal_type" in line
    }
    assert {number: re.sub(r"(\w+\.)+", "", kind) for number, kind in revealed.items()} == expected
    errors = re.findall(r"(\w+).py:(\d+): error.*\[(.*)\]", said)
    assert errors == [("wrong", "4", "arg-type"), ("wrong", "5", "assignment"), ("wrong", "6", "attr-defined")], said


@pytest.mark.slow
def test_a_type_checker_sees_an_editable_install(tmp_path: Path) -> None:
    """`pip install -e .`, as the scripts do it, leaves a path that type checkers and editors follow."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "-e", str(ROOT)], check=True)
    (tmp_path / "mypy.ini").write_text(f"[mypy]\npython_executable = {python}\nignore_missing_imports = True\n")
    assert _mypy(tmp_path, program=PROGRAM).endswith("Success: no issues found in 1 source file\n")
