"""Lists of jobs, and what the functions of jobs refuse: misspelt states, other things than jobs."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from rxspark import (
    RxArgumentError,
    RxError,
    RxJobError,
    rxCancelJob,
    rxCleanupJobs,
    rxExec,
    rxGetJobInfo,
    rxGetJobResults,
    rxGetJobs,
    rxGetJobStatus,
    rxResumeJob,
    rxWaitForJob,
)
from rxspark.files.paths import open_path
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob


def test_listing_unpickles_nothing(job, tmp_path, monkeypatch):
    """Neither listing nor asking for the state or progress runs what a pickle could hold."""
    monkeypatch.setattr(pickle, "loads", lambda *_, **__: pytest.fail("something was unpickled"))
    elsewhere: RxJob[int] = RxJob(RemoteJob(JobFolder(job._source.folder.path)))
    assert (elsewhere.status(), elsewhere.info()["done"]) == ("finished", 4)
    assert "4/4" in repr(rxGetJobs())
    assert "finished" in elsewhere._repr_html_()


def test_only_own_jobs_are_listed_unless_asked_for(job, tmp_path, monkeypatch):
    """own=False shows what other users have in the folder."""
    from rxspark.jobs import rxjob

    monkeypatch.setattr(rxjob, "_jobs", {})
    assert [one.id for one in rxGetJobs()] == [job.id]
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert rxGetJobs() == []
    assert [one.id for one in rxGetJobs(own=False)] == [job.id]


def test_results_of_a_list_are_fetched_all_or_none(job, context):
    """One that cannot be given costs none of the others, which autoCleanup would have removed."""
    failed = rxExec(lambda: 1 / 0, continueOnFailure=False)
    assert failed.wait(60) == "failed"
    for second in (failed, "rxJob_0", 5):
        with pytest.raises(RxError):
            rxGetJobResults([job, second], autoCleanup=True)
        assert job.status() == "finished"
    assert rxGetJobResults([job, job], autoCleanup=True) == [[0, 1, 4, 9]] * 2
    assert job.status() == "missing"


@pytest.mark.parametrize("name", ["", ".", "..", "/", "*", "precious", "rxspark-jobs", "{share}", "{share}/precious"])
def test_nothing_but_a_job_is_removed(name, job, tmp_path):
    """No job's id, so refused, also under force: `rxCleanupJobs("..", force=True)` removes no folder."""
    (tmp_path / "precious").mkdir()
    for ask in (partial(rxCleanupJobs, force=True), rxGetJobStatus, rxCancelJob):
        with pytest.raises(RxArgumentError, match=r"its id .rxJob_\.\.\.., or its folder"):
            ask(name.format(share=tmp_path))
    assert (tmp_path / "precious").is_dir()
    assert job.results() == [0, 1, 4, 9]


def test_filters_of_the_list(job, context):
    """Time, state and exact context; misspelt states are told."""
    info = rxGetJobInfo(job)
    assert [one.id for one in rxGetJobs(startTime=info["submitted"], endTime=info["submitted"])] == [job.id]
    assert rxGetJobs(endTime=info["submitted"].replace(year=2000)) == []
    assert [one.id for one in rxGetJobs(context, exactMatch=True, states=["finished"])] == [job.id]
    assert rxGetJobs(replace(context, consoleOutput=True), exactMatch=True) == []
    with pytest.raises(ValueError, match="'finnished' is no state of a job; did you mean 'finished'"):
        rxGetJobs(states="finnished")


def test_misuse_is_told(job):
    """An error for what is no job, or not there, or not in the state for it."""
    wrong: Any
    for wrong in (5, None, 1.5):
        with pytest.raises(ValueError, match="job is what rxExec returned"):
            rxGetJobStatus(wrong)
    with pytest.raises(RxJobError, match=r"there is no job 'rxJob_0': it was removed, or never there. rxGetJobs"):
        rxWaitForJob("rxJob_0")
    with pytest.raises(RxJobError, match=rf"Did you mean '{job.id}'\?"):
        rxGetJobInfo(f"{job.id[:-1]}x")
    for wrong in ({job: 1}, b"rxJob_0", [job, None]):
        with pytest.raises(ValueError, match="job is what rxExec returned"):
            rxGetJobResults(wrong)
    with pytest.raises(RxJobError, match="nothing is missing"):
        rxResumeJob(job)
    assert JobFolder(open_path(str(job._source.folder.path)))._highest_lease() == 1  # which was given back
    with pytest.raises(ValueError, match="only='all'"):
        rxResumeJob(job, only="all")
    for wrong in ("x", -1, float("nan"), True):
        with pytest.raises(ValueError, match=f"timeout={wrong!r}"):
            rxWaitForJob(job, timeout=wrong)
    askers: list[tuple[Any, str]]
    askers = [(rxGetJobResults, "partial"), (rxGetJobResults, "autoCleanup"), (rxCleanupJobs, "force")]
    for ask, name in askers:
        with pytest.raises(ValueError, match=f"{name}=1: {name} is True or False"):
            ask(job, **{name: 1})
    for name, wrong in (("states", 5), ("own", None), ("exactMatch", 1), ("startTime", "today"), ("computeContext", 1)):
        with pytest.raises(ValueError, match=f"{name}"):
            rxGetJobs(**{name: wrong})
    with pytest.raises(ValueError, match="callback=5"):
        job.add_done_callback(5)
    rxGetJobResults(job)
    rxCleanupJobs(job)
    with pytest.raises(RxJobError, match="removed by rxCleanupJobs"):
        rxGetJobResults(job)
