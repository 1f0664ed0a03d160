"""Programs of their own that use a store of objects: Java, and what it was started with, last as long as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from s3_server import ENVIRONMENT

__all__ = ["executors_environment", "run"]


def executors_environment(url: str) -> dict[str, Any]:
    """Settings of Spark by which its workers find an S3 at a URL, whatever Java was started with."""
    variables = ENVIRONMENT | {"AWS_ENDPOINT_URL": url}
    return {f"spark.executorEnv.{name}": value for name, value in variables.items()}


def run(code: str, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> list[str]:
    """Run a program; the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**(os.environ if environment is None else environment), "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
