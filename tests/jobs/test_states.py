"""The states of a job, and which may follow which."""

from __future__ import annotations

import itertools
import threading

import pytest

from rxspark import RxLocalSeq, rxExec
from rxspark.jobs import job as job_module
from rxspark.jobs.states import CANCELED, ENDED, FAILED, FINISHED, MISSING, NEXT, QUEUED, RUNNING, STATES, follow

LEGAL = {
    ("queued", "running"),
    ("queued", "failed"),
    ("queued", "canceled"),
    ("queued", "undetermined"),
    ("running", "finished"),
    ("running", "failed"),
    ("running", "canceled"),
    ("running", "undetermined"),
    ("finished", "queued"),
    ("finished", "missing"),
    ("failed", "queued"),
    ("failed", "missing"),
    ("canceled", "queued"),
    ("canceled", "missing"),
    *(("undetermined", new) for new in ("queued", "running", "finished", "failed", "canceled", "missing")),
}


def test_the_states_are_those_of_revoscaler():
    """Seven words, letter for letter."""
    assert set(STATES) == {"queued", "running", "finished", "failed", "canceled", "missing", "undetermined"}
    assert {QUEUED, RUNNING}.isdisjoint(ENDED)
    assert NEXT[MISSING] == frozenset()


@pytest.mark.parametrize(("old", "new"), list(itertools.product(STATES, STATES)))
def test_only_legal_changes_are_made(old, new):
    """A change that the table does not have is refused, as a mistake of ours."""
    if (old, new) in LEGAL:
        assert follow(old, new) == new
    else:
        with pytest.raises(ValueError, match=f"a job that is {old} cannot become {new}"):
            follow(old, new)


def test_every_change_of_a_job_goes_by_the_table(monkeypatch):
    """The states that jobs pass through, in the order in which they ask the table."""
    asked = []
    gate = threading.Event()

    def noting(old, new):
        asked.append((old, new))
        return follow(old, new)

    monkeypatch.setattr(job_module, "follow", noting)
    with RxLocalSeq(wait=False):
        job = rxExec(abs, -1)
        job.add_done_callback(lambda one: gate.set())
        assert gate.wait(60)
        job.results()
        failing = rxExec(lambda: 1 / 0, continueOnFailure=False)
        failing.wait()
        failing.cleanup()
        canceled = rxExec(lambda: sum(range(10**15)))
        canceled.cancel()
    assert set(asked) <= LEGAL
    for change in ((QUEUED, RUNNING), (RUNNING, FINISHED), (RUNNING, FAILED), (FINISHED, MISSING), (FAILED, MISSING)):
        assert change in asked
    assert canceled.status() == CANCELED
