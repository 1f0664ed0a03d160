"""The Python that executors run: another one than this program's is found before anything is launched on it."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache

from rxspark.backends.spark.preflight import SET_PYTHON
from rxspark.backends.spark.settings import set_elsewhere
from rxspark.contexts import ENVIRONMENT, RxSpark
from rxspark.errors import RxContextError

__all__ = ["check_python", "executors_python"]

_NAME = "spark.pyspark.python"

# What it prints: its version, where it is installed, and what of the modules that tasks need it lacks.
_QUESTION = """
import importlib.util, platform, sys
lacking = [name for name in ("numpy", "cloudpickle") if not importlib.util.find_spec(name)]
print(platform.python_version(), sys.prefix, *lacking, sep="\\n")
"""

# Seconds that it may take to start.
_TIMEOUT = 20


@contextlib.contextmanager
def executors_python(context: RxSpark) -> Iterator[None]:
    """Tell the session that starts which Python its executors run: that in the archive, or set, else this one.

    Without a word Spark starts whatever "python3" the path has, although this process has an environment of its own.
    """
    named = context.settings().get(_NAME)
    chosen = f"./{ENVIRONMENT}/bin/python" if context.pythonEnv is not None else named
    if chosen is None:
        os.environ.setdefault("PYSPARK_PYTHON", set_elsewhere(_NAME) or sys.executable)
        yield
        return
    before = os.environ.get("PYSPARK_PYTHON")
    os.environ["PYSPARK_PYTHON"] = chosen
    try:
        yield
    finally:
        os.environ.pop("PYSPARK_PYTHON")
        if before is not None:
            os.environ["PYSPARK_PYTHON"] = before


@lru_cache(maxsize=8)
def check_python(command: str) -> bool:
    """Tell whether the Python that a session's executors on this machine run has this program's own environment.

    Raises
    ------
    RxContextError
        When that Python cannot run tasks: says which one it is, and how to set this one.
    """
    if os.path.dirname(command) and not os.path.isabs(command):
        return False  # in an archive, which the executors unpack
    path = shutil.which(command)
    if path is not None and os.path.abspath(path) == sys.executable:
        return True
    problem, prefix = _tried(path) if path is not None else ("which is not there", "")
    if not problem:
        return prefix == sys.prefix
    by_activating = "" if os.path.dirname(command) else ", or activate the environment before the program starts"
    raise RxContextError(
        f"the executors of this Spark session run {path or command}, {problem}: another Python than this program's, "
        f"{sys.executable} ({platform.python_version()}). Stop the session, and make it anew behind the line\n"
        f"    {SET_PYTHON}\n"
        f"(with `import os, sys`){by_activating}"
    )


def _tried(path: str) -> tuple[str, str]:
    """Reason why a Python cannot run tasks, "" if it can, and where it is installed."""
    try:
        answer = subprocess.run([path, "-c", _QUESTION], capture_output=True, text=True, timeout=_TIMEOUT, check=True)
        version, prefix, *lacking = answer.stdout.splitlines()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return f"which cannot be run ({error})", ""
    if version.split(".")[:2] != platform.python_version().split(".")[:2]:
        return f"Python {version}, which is of another version", ""
    return (f"Python {version}, which lacks {' and '.join(lacking)}" if lacking else ""), prefix
