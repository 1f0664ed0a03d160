"""The Java that PySpark would start: which one it is, and whether that PySpark runs on it.

Asked before a session is made, because Spark itself says "Java gateway process exited before sending its port
number" to all of this. Only the standard library is imported: `scripts/demo` runs this file before anything is
installed (``python rxspark/backends/spark/java.py``: the message and status 1 when there is a problem).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["java_problem"]


@dataclass(frozen=True)
class _Pairing:
    """Versions of Java for one PySpark version, and for those after it up to the next row."""

    since: tuple[int, int]
    documented: str
    lowest: int
    highest: int
    install: int


# `documented` is the "runs on Java" line of each version's overview page. `lowest` and `highest` are wider: they leave
# out only what is known to fail. Java 21 is not on the 3.5 page, yet 3.5 runs on it; before Hadoop's client learned
# better (HADOOP-19212; first in Spark 4.2, whose page names Java 25), Spark died at its start on Java 23 and later.
_PAIRINGS = (
    _Pairing(since=(3, 5), documented="8, 11 or 17", lowest=8, highest=22, install=17),
    _Pairing(since=(4, 0), documented="17 or 21", lowest=17, highest=22, install=17),
    _Pairing(since=(4, 2), documented="17, 21 or 25", lowest=17, highest=25, install=17),
)
# The newest PySpark that the table was checked for; what later ones run on is not ours to limit upwards.
_CHECKED = (4, 3)

# Seconds that `java -version` may take; it needs 0.1 on an idle machine, several on a laden one.
_TIMEOUT = 20.0

_NO_JAVA_NEEDED = "RxLocalSeq, RxLocalParallel and RxForeachDoPar need no Java."


def java_problem(pyspark_version: str, timeout: float = _TIMEOUT) -> str | None:
    """Find out why PySpark cannot start its Java here.

    Parameters
    ----------
    pyspark_version : str
        Such as ``pyspark.__version__``.
    timeout : float
        Seconds to wait for ``java -version``.

    Returns
    -------
    str or None
        None when a Java that this PySpark runs on is found. Else a message for the user: what was found and where,
        what is needed, how to get it, and which contexts need no Java.
    """
    release = _release(pyspark_version)
    pairing = max((row for row in _PAIRINGS if row.since <= release), default=_PAIRINGS[0], key=lambda row: row.since)
    home = _java_home()
    fault = _fault(home, pairing, release > _CHECKED, timeout)
    if fault is None:
        return None
    needs = f"PySpark {pyspark_version} needs Java {pairing.documented}"
    return f"{needs}, but {fault}.\n{_how_to_get(pairing.install, home)}\n{_NO_JAVA_NEEDED}"


def _fault(home: str | None, pairing: _Pairing, unlimited: bool, timeout: float) -> str | None:
    """Describe the fault of the Java that Spark would take, as the second half of a sentence."""
    java = _java(home)
    if java is None:
        return f"JAVA_HOME={home} holds no bin/java" if home else "JAVA_HOME is not set and no java is on PATH"
    source = f"{java} ({'named by JAVA_HOME' if home else 'first on PATH'})"
    try:
        run = subprocess.run(
            [java, "-version"], capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{source} did not answer `java -version` within {timeout:g} seconds"
    except OSError as error:
        return f"{source} cannot be run: {error.strerror or error}"
    text = run.stderr + run.stdout
    version = re.search(r'version "([^"]+)"', text)
    if run.returncode or not version:
        return f"`java -version` of {source} failed (status {run.returncode}): {text.strip() or 'it said nothing'}"
    return _mismatch(f"{source} is Java {version[1]}", _feature(version[1]), pairing, unlimited)


def _mismatch(found: str, feature: int, pairing: _Pairing, unlimited: bool) -> str | None:
    if feature < pairing.lowest:
        return f"{found}, which is too old"
    if feature <= pairing.highest or unlimited:
        return None
    if pairing.highest < 23:
        return f"{found}, on which its Hadoop client fails (Subject.getSubject is gone from Java 23 on)"
    return f"{found}, which is newer than it supports"


def _release(version: str) -> tuple[int, int]:
    """The first two numbers of a PySpark version: (4, 0) for "4.0.1" and for "4.0.0.dev2"."""
    numbers = [int(digits) for digits in re.findall(r"\d+", version)[:2]]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else _CHECKED


def _feature(version: str) -> int:
    """Java's own number: 8 for "1.8.0_392", 17 for "17.0.15", 23 for "23-ea"."""
    numbers = [int(digits) for digits in re.findall(r"\d+", version)] or [0]
    return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]


def _java(home: str | None) -> str | None:
    """The program that Spark's launcher runs: JAVA_HOME's, and only where that is not set the one on PATH."""
    if home:
        return shutil.which("java", path=str(Path(home) / "bin"))
    return shutil.which("java")


def _java_home() -> str | None:
    """JAVA_HOME as Spark's launcher sees it: a spark-env.sh (EMR's and Cloudera's do) may set another one."""
    ours = os.environ.get("JAVA_HOME") or None
    script = _spark_env()
    if script is None:
        return ours
    try:
        run = subprocess.run(
            ["bash", "-c", '. "$1" >/dev/null 2>&1; printf %s "$JAVA_HOME"', "bash", str(script)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ours
    return run.stdout or ours


def _spark_env() -> Path | None:
    folder = os.environ.get("SPARK_CONF_DIR")
    spark_home = os.environ.get("SPARK_HOME")
    if not folder and spark_home:
        folder = str(Path(spark_home) / "conf")
    script = Path(folder) / "spark-env.sh" if folder else None
    return script if script and script.is_file() else None


def _how_to_get(feature: int, home: str | None) -> str:
    lines = [
        f"  Debian, Ubuntu:  sudo apt-get install openjdk-{feature}-jre-headless",
        f"  conda:           conda install -c conda-forge openjdk={feature}",
        f"  pip:             pip install install-jdk && python -c \"import jdk; print(jdk.install('{feature}'))\"",
        "  then name it:    export JAVA_HOME=/path/to/java  (the folder that holds bin/java)",
    ]
    if home and home == os.environ.get("JAVA_HOME") and shutil.which("java"):
        lines.append(f"  or leave it to PATH, where {shutil.which('java')} is:  unset JAVA_HOME")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(java_problem(".".join(map(str, _CHECKED))))
