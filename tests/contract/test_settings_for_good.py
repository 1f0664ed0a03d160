"""A setting that cannot be put back ends the worker behind its partition, and no result or task is lost by it."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest
from traces import TRACES
from traces.guide import ENDED, TOLD

from rxspark import rxElemArg, rxExec

in_callers_process = pytest.mark.left_out(
    local="the caller's process would keep it", dopar_threading="the caller's process would keep it"
)


FOR_GOOD = [label for label, trace in TRACES.items() if trace.ends]


def visit(number, label):
    """Change something, or not; the number and the process."""
    if label:
        TRACES[label].leave()
    return number, os.getpid()


@in_callers_process
@pytest.mark.parametrize("label", FOR_GOOD)
def test_a_worker_that_cannot_be_put_back_ends(label, where, record_settings_row):
    """All values arrive, each task runs once, nothing is warned of, and no later call meets that process."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        marked = rxExec(visit, rxElemArg(range(12)), rxElemArg([None, None, label] * 4), taskChunkSize=3)
        assert [number for number, _ in marked] == list(range(12))
        later = rxExec(visit, rxElemArg(range(8)), None)
    assert [number for number, _ in later] == list(range(8))
    assert not {pid for _, pid in marked} & {pid for _, pid in later}
    assert [str(entry.message) for entry in warned] == []
    record_settings_row(where, label, ENDED)


PROGRAM = """
import logging, sys
from contextlib import nullcontext
import joblib
from rxspark import *
from traces.table import visit

backend = sys.argv[1]
context = RxLocalSeq() if backend == "local" else RxForeachDoPar()
logging.basicConfig(format="%(message)s", stream=sys.stdout, level="WARNING")
with context, joblib.parallel_config(backend, n_jobs=2) if backend in ("threading", "sequential") else nullcontext():
    for label in sys.argv[2:]:
        print("==", label)
        assert not rxExec(visit, label, rxElemArg(["look", "leave", "look", "leave"])).errors
"""


@pytest.mark.left_out(
    localpar="a worker ends", dopar_loky="a worker ends", spark="a worker ends", spark_cluster="a worker ends"
)
@pytest.mark.left_out(spark_connect="a worker ends")
@pytest.mark.in_each
def test_the_caller_is_told_what_his_process_keeps(where, record_settings_row):
    """One line of the log names the setting, in a program that leads no group of processes."""
    command = [sys.executable, "-c", PROGRAM, where.removeprefix("dopar-"), *FOR_GOOD]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
    assert done.returncode == 0, done.stderr
    told = done.stdout.split("== ")[1:]
    assert len(told) == len(FOR_GOOD)
    for label, text in zip(FOR_GOOD, told, strict=True):
        found = [line for line in text.splitlines() if "cannot be put back" in line]
        assert (text.split("\n")[0], len(found)) == (label, 1), done.stdout
        assert f"in this process: {TRACES[label].setting};" in found[0]
        record_settings_row(where, label, TOLD)
