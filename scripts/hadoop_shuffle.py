"""Spark's external shuffle service in the NodeManagers: what scripts/hadoop adds for `start --shuffle`.

EMR and Dataproc have it: executors that dynamic allocation releases leave their shuffle files to it. Spark's own
service for YARN comes with its distributions alone, neither with pip nor by Maven; SparkShuffleService.java stands in
for it, with Spark's own handler of blocks, which PySpark's jars have.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hadoop_parts import class_path, java_home

__all__ = ["CLASSES", "add_shuffle_settings", "has_shuffle", "own_shuffle_settings"]

CLASSES = "shuffle"
"""Folder of the compiled service."""

_NAME = "spark_shuffle"
_PORT = "spark.shuffle.service.port"
_SOURCE = Path(__file__).with_name("SparkShuffleService.java")


def has_shuffle(folder: Path) -> bool:
    """Tell whether the NodeManagers of this folder have the service."""
    file = folder / "conf" / "yarn-site.xml"
    return file.exists() and _NAME in file.read_text()


def add_shuffle_settings(files: dict[str, dict[str, Any]], folder: Path, port: int) -> None:
    """Compile the service and put it into NodeManagers; applications find its port in these settings too."""
    jars = _spark_jars()
    javac = Path(java_home(), "bin", "javac")
    if not javac.exists():
        sys.exit(f"start --shuffle compiles a class: {java_home()} has no javac; install a JDK 17, or set JAVA_HOME")
    command = [str(javac), "-cp", f"{class_path(folder)}:{jars}", "-d", str(folder / CLASSES), str(_SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"Spark's shuffle service could not be compiled: {done.stderr}")
    files["yarn-site.xml"] |= {
        "yarn.nodemanager.aux-services": _NAME,
        f"yarn.nodemanager.aux-services.{_NAME}.class": _SOURCE.stem,
        f"yarn.nodemanager.aux-services.{_NAME}.classpath": f"{folder / CLASSES}:{jars}",
        _PORT: port,
    }


def own_shuffle_settings(nodemanager: str) -> dict[str, Any]:
    """Settings of one NodeManager: an application knows one port, and all of them are on this machine.

    So executors on any of them register with the first one's service; YARN wants one on the others too.
    """
    return {} if nodemanager.endswith("1") else {_PORT: 0}


def _spark_jars() -> str:
    """The jars of Spark, SPARK_HOME's or those of the PySpark that is installed."""
    home = os.environ.get("SPARK_HOME")
    if home is None:
        found = importlib.util.find_spec("pyspark")
        if found is None or found.origin is None:
            sys.exit("start --shuffle needs Spark's jars: run it with a Python that has PySpark, or set SPARK_HOME")
        home = str(Path(found.origin).parent)
    return f"{home}/jars/*"
