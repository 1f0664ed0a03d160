"""Programs that see small file systems in the place of folders, in mount namespaces of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system that is full")


def run_with_mounts(folder: Path, setting: str, code: str, *arguments: object) -> tuple[str, str]:
    """Run a program, which works in `folder` and must end well, where the shell commands of `setting` have prepared.

    What these mount is gone with the program. Gives what it has written to stdout and stderr.
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONWARNINGS": "ignore",
        "PYSPARK_PYTHON": sys.executable,
    }
    program = [sys.executable, "-c", code, *map(str, arguments)]
    command = ["unshare", "--mount", "bash", "-ec", f'{setting}\nexec "$@"', "bash", *program]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr
