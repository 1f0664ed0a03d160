"""The calls of `promise` on Spark: ``python promise_on_spark.py [speculation] MASTER...``.

A process has one Spark: the program runs the fixed calls on one after another, and prints digests of their results, or
how the copies of a slow task have drawn, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from project import ROOT
from promise import DEADLY, FIXED, digest, draw_late, here, lost_and_found, own_generators

from rxspark import RxSpark, rxSparkDisconnect


@cache
def spark_program(*options: str) -> list[dict[str, Any]]:
    """Answers of this file, run as a program, for each Spark."""
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, __file__, *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return told


def program(*masters: str) -> list[dict[str, Any]]:
    """Run the fixed calls on one Spark after another."""
    warnings.simplefilter("ignore")
    config = {"spark.ui.enabled": "false", "spark.log.level": "OFF"}
    look, told = fixed_calls, []
    if masters[0] == "speculation":
        masters, look = masters[1:], two_copies
        config |= {
            "spark.speculation": "true",
            "spark.speculation.quantile": "0.5",
            "spark.speculation.multiplier": "1.2",
            "spark.driver.host": "127.0.0.1",
        }
    for master in masters:
        with RxSpark(master=master, extraSparkConfig=config), tempfile.TemporaryDirectory() as folder:
            told.append(look(Path(folder)))
        rxSparkDisconnect()
    return told


def fixed_calls(folder: Path) -> dict[str, Any]:
    """Digests of the fixed calls, and whether deaths of workers change any."""
    own = own_generators()
    first = [digest(call.run()) for call in FIXED]
    second = [digest(call.run()) for call in reversed(FIXED)]
    third = [digest(call.run()) for call in FIXED[:2]]
    scopes: list[Literal["chunk", "task"]] = ["chunk", "task"]
    deaths = [lost_and_found(replace(DEADLY, scope=one), Path(tempfile.mkdtemp(dir=folder))) for one in scopes]
    return {
        "expected": [digest(here(call)) for call in FIXED],
        "found": [first, second[::-1], third],
        "with deaths": deaths,
        "the caller's generators are as before": own_generators() == own,
    }


def two_copies(folder: Path) -> dict[str, Any]:
    """A slow task: first its copy is the faster one, then it is itself. How long, and whether the numbers are right."""
    told: dict[str, Any] = {"copies": [], "seconds": [], "same": []}
    FIXED[0].run()  # the executors have come and run Python
    for number, pauses in enumerate([(60.0, 0.0), (12.0, 60.0)]):
        marks = folder / str(number)
        marks.mkdir()
        began = time.perf_counter()
        call = DEADLY
        same = call.run(draw_late, marks, call.tasks - 1, pauses) == here(call)
        told["seconds"].append(time.perf_counter() - began)
        told["copies"].append(len(list(marks.iterdir())))
        told["same"].append(same)
    return told


if __name__ == "__main__":
    print(json.dumps(program(*sys.argv[1:])))
