"""Measure what the start of Spark takes with several options of its driver's JVM: `scripts/bench --start`.

A fresh process each time: RxSpark on local[2], and a first call of two tasks. The options take turns. Processor time is
that of the process and all below it: the JVM, and the one before it that only finds its command line, and the workers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.processes import children, processor
from benchmarks.tasks import noop

__all__ = ["table"]


def measure() -> dict[str, float]:
    """Seconds of one start and a first call."""
    from rxspark import RxSpark, rxExec, rxOptions

    began = time.perf_counter()
    rxOptions(reportProgress=0)
    with RxSpark(master="local[2]", extraSparkConfig={"spark.ui.enabled": "false"}):
        results = rxExec(noop, timesToRun=2)
    seconds = time.perf_counter() - began
    if list(results) != [None, None]:
        raise ValueError(f"{results}, not two times None")
    return {"clock": seconds, "processor": _tree(os.getpid())}


def _tree(pid: int) -> float:
    """Seconds of processor of a process and all below it, those that have ended as well."""
    return processor(pid, ended=True) + sum(map(_tree, children(pid)))


def _run(options: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.start_up"]
    environment = {**os.environ, "SPARK_SUBMIT_OPTS": options}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _archive(folder: str) -> Path:
    """Let one session leave the classes that it has loaded; its JVM ends some seconds after the program."""
    archive = Path(folder, "classes.jsa")
    _run(f"-XX:ArchiveClassesAtExit={archive}")
    size = -1
    while not archive.exists() or size != archive.stat().st_size:
        size = archive.stat().st_size if archive.exists() else -1
        time.sleep(3)
    return archive


def table(repeats: int) -> str:
    """All options in turn, as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        archive = _archive(folder)
        ways = {
            "as Spark starts it": "",
            "-XX:TieredStopAtLevel=1": "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC": "-XX:+UseSerialGC",
            f"an archive of its classes, {archive.stat().st_size / 1e6:.0f} MB": f"-XX:SharedArchiveFile={archive}",
        }
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(repeats):
            for way, options in ways.items():
                found[way].append(_run(options))
    lines = ["| | processor, least, s | median | clock, least, s | median |", "|--|--:|--:|--:|--:|"]
    for way, runs in found.items():
        cells = [f"{how([run[of] for run in runs]):.1f}" for of in ("processor", "clock") for how in (min, median)]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(measure()))
