"""Runs the examples as a reader does, from a copy of their folder: two runs of the tests may go on at once."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from engines_end import without_engines_end
from project import ROOT

_folder = tempfile.mkdtemp(prefix="examples-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
EXAMPLES = Path(shutil.copytree(ROOT / "examples", f"{_folder}/examples", ignore=shutil.ignore_patterns("output")))


class Outcome(NamedTuple):
    """Output of an example, and its picture if it has made one."""

    stdout: str
    stderr: str
    picture: bytes


def run(example: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run an example in a process of its own, from a folder that is not the project's."""
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, str(EXAMPLES / f"{example}.py"), *options],
        cwd=EXAMPLES.anchor,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=280,
    )


@cache
def outcome(example: str, context: str) -> Outcome:
    """Outcome of an example at its small size; run once a context, however many tests ask."""
    if context == "spark" and example in ON_SPARK:
        return _on_spark()[example]
    picture = _no_picture(example)
    done = run(example, "--quick", "--context", context)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in without_engines_end(done.stderr), done.stderr
    return Outcome(done.stdout, done.stderr, picture.read_bytes() if picture.exists() else b"")


def output(example: str, context: str) -> str:
    """Text that an example prints."""
    return outcome(example, context).stdout


ON_SPARK = (
    *("dice", "birthday", "mandelbrot", "kmeans", "sharing_data", "poisson", "controls", "local_contexts"),
    *("random_numbers", "quasi_random", "nonblocking", "survive", "group_models", "combine_dice"),
)

# The start of Spark takes most of the time of a small example: this program runs one after another on one session.
_PROGRAM = """
import contextlib, io, json, runpy, sys, traceback
folder, *names = sys.argv[1:]
sys.path.insert(0, folder)
told = {}
for name in names:
    sys.argv = [f"{folder}/{name}.py", "--quick", "--context", "spark"]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except BaseException:
            traceback.print_exc()
    told[name] = out.getvalue(), err.getvalue()
print(json.dumps(told))
"""


@cache
def _on_spark() -> dict[str, Outcome]:
    """Outcome of each example on Spark."""
    pictures = {example: _no_picture(example) for example in ON_SPARK}
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(EXAMPLES), *ON_SPARK],
        cwd=EXAMPLES.anchor,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    for example, (_, stderr) in told.items():
        assert "Traceback" not in without_engines_end(stderr), f"{example}: {stderr}"
    found = {example: picture.read_bytes() if picture.exists() else b"" for example, picture in pictures.items()}
    return {example: Outcome(stdout, stderr, found[example]) for example, (stdout, stderr) in told.items()}


def _no_picture(example: str) -> Path:
    """Where the picture of an example will be; what another context has left there is removed."""
    picture = EXAMPLES / "output" / f"{example}.png"
    picture.unlink(missing_ok=True)
    return picture
