"""Jobs whose folder is in a store of objects, which has no folders, renames nothing and refuses no overwriting."""

from __future__ import annotations

import multiprocessing
import os
import time

import pytest
from s3_server import refused
from waiting import wait_until
from werkzeug import Response

from rxspark import RxJobError, RxLocalParallel, RxLocalSeq, rxElemArg, rxExec, rxGetJobResults, rxGetJobs, rxResumeJob
from rxspark.backends.local import _end_background_pool
from rxspark.files import atomic
from rxspark.files.paths import open_path
from rxspark.jobs import folder, lookup, shell
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob


@pytest.fixture
def share(bucket, monkeypatch):
    """A folder in an empty bucket, in which the jobs of all contexts are kept."""
    place = open_path(f"{bucket.url}/share")
    for module in (folder, lookup):
        monkeypatch.setattr(module, "store_folder", lambda context: place)
    _end_background_pool()  # its workers write there by the variables that they were started with
    return place


def test_a_job_is_kept_listed_resumed_and_removed(share, bucket, tmp_path):
    """All that a folder with renames gives; workers write to the store themselves."""
    flag = tmp_path / "go"

    def task(number):
        wait_until(lambda: number <= 2 or os.path.exists(str(flag)), "the job may go on", 200)
        return number * number

    with RxLocalParallel(wait=False):
        job = rxExec(task, rxElemArg(range(6)), taskChunkSize=1)
        wait_until(lambda: job.info()["done"] >= 3, "three tasks have finished")
        assert job.cancel() is True
        folder = JobFolder(job._source.folder.path)
        assert folder.part_names() == [f"{n}-{n}-1.results" for n in range(3)]
        elsewhere: RxJob[int] = RxJob(RemoteJob(folder))
        assert (elsewhere.status(), elsewhere.info()["done"]) == ("canceled", 3)
        flag.touch()
        with RxLocalSeq():
            assert elsewhere.resume().wait(120) == "finished"
            assert RxJob(RemoteJob(JobFolder(folder.path))).results(autoCleanup=False) == [n * n for n in range(6)]
            assert elsewhere.results() == [n * n for n in range(6)]
        assert not folder.exists()
    assert bucket.objects() == []


def test_a_job_without_any_result_yet_can_be_looked_at(share):
    """Nothing lies below parts/ then, and there is no such folder: that is no error."""
    with RxLocalSeq(wait=False):
        job = rxExec(time.sleep, 60)
        elsewhere: RxJob[int] = RxJob(RemoteJob(JobFolder(job._source.folder.path)))
        assert elsewhere.info()["done"] == 0
        assert elsewhere.output() == ""
        job.cancel()
        assert [one.status() for one in rxGetJobs()] == ["canceled"]
        job.cleanup()
        with pytest.raises(RxJobError, match="there is no job"):
            rxGetJobResults(job.id)


def test_a_shell_finds_no_jobs_in_an_empty_store_and_later_those_that_are_there(share, capsys):
    """A store has no folder before its first object: that is no error."""
    assert shell.jobs(["list", "--share", str(share)]) == 0
    assert capsys.readouterr().out == f"no jobs in {share}\n"
    with RxLocalSeq(wait=False, autoCleanup=False):
        job = rxExec(abs, -1)
        job.wait(60)
        assert shell.jobs(["show", job.id, "--share", str(share)]) == 0
        assert shell.jobs(["show", "rxJob_1", "--share", str(share)]) == 4
        assert shell.jobs(["clean", job.id, "--force", "--share", str(share)]) == 0
    assert shell.jobs(["show", job.id, "--share", str(share)]) == 4


def test_jobs_of_others_are_told_by_their_records(share, monkeypatch):
    """The store knows no owners: whose a job is, its record says."""
    from rxspark.jobs import remote_job, rxjob

    with RxLocalSeq(wait=False):
        job = rxExec(abs, -1)
        job.wait(60)
        monkeypatch.setattr(rxjob, "_jobs", {})
        assert [one.id for one in rxGetJobs()] == [job.id]
        monkeypatch.setattr(remote_job, "login", lambda: "somebody")
        assert rxGetJobs() == []
        (theirs,) = rxGetJobs(own=False)
        assert theirs.id == job.id
        theirs.cleanup(force=True)


def test_a_job_that_is_held_is_not_resumed(share):
    """The lease counts there too."""
    with RxLocalSeq(wait=False):
        job = rxExec(time.sleep, 60)
        with pytest.raises(RxJobError, match=r"being run by process|is (queued|running)"):
            JobFolder(job._source.folder.path).take_lease()
        with pytest.raises(RxJobError, match=r"is (queued|running)"):
            rxResumeJob(job)
        job.cancel()
        job.cleanup()


def _race(url, barrier, won, rounds):
    for number in range(rounds):
        barrier.wait()
        if atomic.create(open_path(f"{url}/lease-{number}"), str(os.getpid()).encode()):
            won.put((number, os.getpid()))


@pytest.mark.parametrize("lag", [0, 60])
def test_of_many_processes_at_most_one_creates_an_object(bucket, lag):
    """Though the store would let each of them write it, and though it may list none of it; who loses is told so."""
    bucket.server.lag = lag
    system, rounds = multiprocessing.get_context("fork"), 10
    barrier, won = system.Barrier(3, timeout=60), system.Queue()
    processes = [system.Process(target=_race, args=(bucket.url, barrier, won, rounds)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    bucket.server.lag = 0.0
    winners = [won.get(timeout=10) for _ in range(rounds)]
    assert won.empty()
    assert sorted(number for number, _ in winners) == list(range(rounds))
    for number, pid in winners:
        assert atomic.read(open_path(f"{bucket.url}/lease-{number}")) == str(pid).encode()
    assert len(bucket.objects()) == rounds  # no claim is left


def test_a_store_without_conditions_takes_an_object_all_the_same(bucket):
    """As stores do that speak S3's language, but not all of it."""
    unknown = refused(501, "NotImplemented")
    with bucket.server.failing(lambda request: unknown(request) if "If-None-Match" in request.headers else None):
        assert atomic.create(open_path(f"{bucket.url}/lease-1"), b"mine")
        assert not atomic.create(open_path(f"{bucket.url}/lease-1"), b"another's")
    assert atomic.read(open_path(f"{bucket.url}/lease-1")) == b"mine"


def test_an_object_whose_put_was_not_answered_is_ones_own(bucket):
    """The client asks again and is told that there is one: its own."""
    lost = [Response("", 503)]

    def fault(request):
        if "If-None-Match" not in request.headers or not lost:
            return None
        bucket.server.stored(request)
        return lost.pop()

    with bucket.server.failing(fault):
        assert atomic.create(open_path(f"{bucket.url}/lease-1"), b"mine")
    assert bucket.objects() == ["lease-1"]


def test_the_claim_of_a_process_that_has_died_is_void_after_a_while(bucket, monkeypatch):
    """Until then nobody else may go on, as it may only be slow."""
    place = open_path(f"{bucket.url}/lease-1")
    claim = place.parent / f".lease-1.claim-{int(time.time())}-dead"
    atomic.write(claim, b"")
    monkeypatch.setattr(atomic, "_ROUNDS", 2)
    assert not atomic.create(place, b"mine")
    monkeypatch.setattr(atomic, "_CLAIM", 0.0)
    assert atomic.create(place, b"mine")
    claim.fs.rm_file(claim.path)
