"""A setting that cannot be put back ends the worker behind its partition, and no result or task is lost by it."""

from __future__ import annotations

import logging
import os
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


@pytest.mark.left_out(
    localpar="a worker ends", dopar_loky="a worker ends", spark="a worker ends", spark_cluster="a worker ends"
)
@pytest.mark.left_out(spark_connect="a worker ends")
@pytest.mark.in_each
def test_the_caller_is_told_what_his_process_keeps(caplog, where, record_settings_row):
    """One line of the log names the setting."""
    with caplog.at_level(logging.WARNING, "rxspark"):
        rxExec(visit, rxElemArg(range(4)), "sys.addaudithook")
    told = [record.getMessage() for record in caplog.records if "cannot be put back" in record.getMessage()]
    assert len(told) == 1
    assert "audit hooks" in told[0]
    record_settings_row(where, "sys.addaudithook", TOLD)
