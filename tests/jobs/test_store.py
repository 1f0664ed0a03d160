"""The folder of a job: what other processes learn from it, and what they are told when it is not as it should be."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
from waiting import wait_until

from rxspark import (
    RxContextError,
    RxFileError,
    RxJobError,
    RxLocalSeq,
    rxCancelJob,
    rxCleanupJobs,
    rxElemArg,
    rxExec,
    rxGetJobInfo,
    rxGetJobResults,
    rxGetJobs,
    rxGetJobStatus,
    rxResumeJob,
)
from rxspark.files import atomic
from rxspark.files.paths import open_path
from rxspark.jobs import folder
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob


def _folder(tmp_path, job):
    return tmp_path / "rxspark-jobs" / job.id


def _elsewhere(tmp_path, job):
    """The job as another process has it: from its folder alone."""
    return RxJob(RemoteJob(JobFolder(open_path(str(_folder(tmp_path, job))))))


def _sign(tmp_path, job, **changes):
    """Change what state.json says."""
    place = open_path(str(_folder(tmp_path, job) / "state.json"))
    atomic.write(place, json.dumps(asdict(replace(JobFolder(place.parent).status(), **changes))).encode())


def test_a_folder_is_private_and_its_records_are_readable_text(job, tmp_path):
    """Mode 0700, since what lies there is the user's own; plain JSON behind a line with length and checksum."""
    folder = _folder(tmp_path, job)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    head, _, body = (folder / "job.json").read_bytes().partition(b"\n")
    assert head.startswith(b"rxspark 1 ")
    about = json.loads(body)
    assert (about["id"], about["task_count"], about["host"]) == (job.id, 4, socket.gethostname())
    assert sorted(file.name for file in (folder / "parts").iterdir()) == [f"{n}-{n}-1.results" for n in range(4)]


def test_another_process_lists_reads_and_removes(job, tmp_path):
    """By nothing but the folder."""
    code = f"""
from rxspark import *
with RxLocalSeq(shareDir={str(tmp_path)!r}):
    jobs = rxGetJobs(states="finished")
    print([one.id for one in jobs], rxGetJobResults(jobs[0]), sorted(jobs[0]))
    rxCleanupJobs(jobs)
    print(rxGetJobs())
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == f"['{job.id}'] [0, 1, 4, 9] [(0, 0), (1, 1), (2, 4), (3, 9)]\nno jobs\n"
    assert rxGetJobStatus(_elsewhere(tmp_path, job)) == "missing"


def test_results_of_another_user_are_read_only_from_a_folder_that_was_named(job, tmp_path, monkeypatch):
    """A pickle can run any code of who wrote it."""
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    elsewhere = _elsewhere(tmp_path, job)
    with pytest.raises(RxJobError, match=r"is another user's.*name the folder itself"):
        elsewhere.results()
    with pytest.raises(RxJobError, match="is another user's"):
        elsewhere.resume(only="failed")
    assert rxGetJobResults(str(_folder(tmp_path, job))) == [0, 1, 4, 9]


def test_results_that_others_could_have_written_are_not_unpickled(job, tmp_path):
    """A folder of the user's own that somebody has opened for writing is not trusted either."""
    _folder(tmp_path, job).chmod(0o777)
    with pytest.raises(RxJobError, match=r"is open to others for writing.*name the folder itself"):
        _elsewhere(tmp_path, job).results()


@pytest.mark.parametrize("name", ["job.json", "state.json"])
def test_a_damaged_record_is_a_row_that_says_so(name, job, tmp_path):
    """The list still comes; the state is undetermined; results are refused with the name of the file."""
    file = _folder(tmp_path, job) / name
    file.write_bytes(file.read_bytes().replace(b"finished", b"FINISHED").replace(b'"tasks"', b'"TASKS"')[:-3])
    elsewhere = _elsewhere(tmp_path, job)
    assert elsewhere.status() == "undetermined"
    assert f"{name} is damaged" in elsewhere.info()["error"]
    with pytest.raises(RxJobError, match=f"undetermined: .*{name} is damaged"):
        elsewhere.results()
    with pytest.raises(RxJobError, match="force=True"):
        elsewhere.cleanup()
    elsewhere.cleanup(force=True)
    assert not _folder(tmp_path, job).exists()


def test_a_newer_format_is_refused(job, tmp_path):
    """By a message that says which version is needed, for records and results alike."""
    for file in _folder(tmp_path, job).rglob("*.*"):
        file.write_bytes(file.read_bytes().replace(b"rxspark 1 ", b"rxspark 9 ", 1))
    elsewhere = _elsewhere(tmp_path, job)
    assert elsewhere.status() == "undetermined"
    with pytest.raises(RxJobError, match=r"newer version of rxspark .format 9; this one reads up to format 1"):
        elsewhere.results()
    with pytest.raises(RxFileError, match="format 9"):
        elsewhere.resume()


@pytest.mark.parametrize(("version", "age"), [(None, "an older"), (3, "a newer")])
def test_a_job_of_another_version_is_refused_and_can_be_removed(version, age, job, tmp_path):
    """It stands in the list at its time; results are refused by the format, without advice that does not help."""
    path = open_path(str(_folder(tmp_path, job) / "job.json"))
    about = json.loads(atomic.read(path))
    assert about.pop("version") == 2
    atomic.write(path, json.dumps(about if version is None else about | {"version": version}).encode())
    elsewhere = _elsewhere(tmp_path, job)
    assert abs((elsewhere.info()["submitted"] - rxGetJobInfo(job)["submitted"]).total_seconds()) < 60
    refused = rf"^{job.id} is undetermined: {job.id} was written by {age} rxspark \(format of jobs {version or 1}; this"
    with pytest.raises(RxJobError, match=refused) as raised:
        elsewhere.results()
    assert "rxResumeJob" not in str(raised.value)
    rxCleanupJobs(elsewhere, force=True)
    assert not _folder(tmp_path, job).exists()


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-1] + b"x", lambda data: b""])
def test_a_damaged_part_is_told_and_runs_again(damage, job, tmp_path):
    """Reading names the file; resuming counts its tasks as missing and mends it."""
    part = _folder(tmp_path, job) / "parts" / "2-2-1.results"
    part.write_bytes(damage(part.read_bytes()))
    elsewhere = _elsewhere(tmp_path, job)
    with pytest.raises(RxFileError, match=r"parts/2-2-1\.results is damaged"):
        elsewhere.results()
    assert elsewhere.resume().wait(60) == "finished"
    assert elsewhere.results() == [0, 1, 4, 9]
    assert _elsewhere(tmp_path, job).results() == [0, 1, 4, 9]


def test_silence_from_another_host_is_undetermined_and_may_be_taken_over(job, tmp_path):
    """With signs of life it runs; without any for a minute nobody knows; then a resumer may take the lease."""
    process = replace(JobFolder(open_path(str(_folder(tmp_path, job)))).status().process, host="elsewhere")
    (_folder(tmp_path, job) / "parts" / "3-3-1.results").unlink()
    _sign(tmp_path, job, state="running", process=process, heard=time.time())
    elsewhere = _elsewhere(tmp_path, job)
    assert elsewhere.status() == "running"
    with pytest.raises(RxJobError, match=r"is being run by process \d+ on elsewhere: wait for it with rxWaitForJob"):
        elsewhere.resume()
    _sign(tmp_path, job, state="running", process=process, heard=time.time() - folder.HEARTBEAT_TIMEOUT_S - 1)
    assert elsewhere.status() == "undetermined"
    assert elsewhere.wait() == "undetermined"
    with pytest.raises(RxJobError, match=r"undetermined: nothing was heard of process \d+ on elsewhere"):
        elsewhere.results()
    assert elsewhere.resume().wait(60) == "finished"
    assert elsewhere.results() == [0, 1, 4, 9]


def test_processes_of_another_host_of_the_same_name_are_not_looked_for_here(job, tmp_path):
    """Nor those of another container: their numbers say nothing here, so that signs of life decide."""
    mine = JobFolder(open_path(str(_folder(tmp_path, job)))).status().process
    assert (mine.here, mine.alive) == (True, True)
    gone = replace(mine, pid=2**22 + 1)
    assert (gone.here, gone.alive) == (True, False)
    _sign(tmp_path, job, state="running", process=replace(gone, system="another boot"), heard=time.time())
    assert _elsewhere(tmp_path, job).status() == "running"
    _sign(tmp_path, job, state="running", process=gone, heard=time.time())
    assert _elsewhere(tmp_path, job).status() == "finished"  # all its parts are there


def test_a_stale_lease_is_taken_over_and_a_living_one_is_not(job, tmp_path):
    """The lease counts, be it that its holder has not yet said what the state is."""
    folder = JobFolder(open_path(str(_folder(tmp_path, job))))
    mine = folder.status().process
    (_folder(tmp_path, job) / "parts" / "0-0-1.results").unlink()
    for process, alive in ((replace(mine, started="another boot"), False), (mine, True)):
        lease = folder._highest_lease() + 1
        body = json.dumps({"process": asdict(process), "taken": time.time()}).encode()
        atomic.create(folder.path / f"lease-{lease}", body)
        if alive:
            with pytest.raises(RxJobError, match=rf"is being run by process {mine.pid} on "):
                _elsewhere(tmp_path, job).resume()
        else:
            JobFolder(folder.path).take_lease()
            assert folder._highest_lease() == lease + 1
            os.unlink(_folder(tmp_path, job) / f"lease-{lease + 1}")


def test_a_job_can_be_cancelled_from_another_process(context, tmp_path, monkeypatch):
    """The process that runs it finds the wish at its next sign of life."""
    from rxspark.jobs import scheduler

    monkeypatch.setattr(scheduler, "HEARTBEAT_INTERVAL_S", 0.2)
    job = rxExec(lambda: sum(range(10**15)))
    wait_until(lambda: job.status() == "running", "the job runs")
    assert _elsewhere(tmp_path, job).status() == "running"
    assert rxCancelJob(_elsewhere(tmp_path, job)) is True
    assert job.status() == "canceled"
    assert job.info()["error"] == "rxCancelJob was called in another process"


def test_a_job_whose_folder_goes_is_missing_for_others_and_still_there_for_its_own_process(context, tmp_path, caplog):
    """Its results come home as ever; one warning says that they could not be kept."""
    job = rxExec(lambda i: time.sleep(0.3) or i, rxElemArg(range(4)), taskChunkSize=1)
    elsewhere = _elsewhere(tmp_path, job)
    wait_until(lambda: job.info()["done"] >= 1, "a task has finished")
    JobFolder(open_path(str(_folder(tmp_path, job)))).remove()
    assert job.wait(60) == "finished"
    assert elsewhere.status() == "missing"
    assert job.results(autoCleanup=True) == [0, 1, 2, 3]
    warnings = [record.getMessage() for record in caplog.records if record.name == "rxspark"]
    assert len(warnings) == 1
    assert job.id in warnings[0]
    assert "may not be resumed" in warnings[0]


def test_a_folder_that_cannot_be_written_is_found_before_launch(tmp_path):
    """A share folder that is a file, for one; nothing has run then."""
    file = tmp_path / "file"
    file.write_text("")
    with RxLocalSeq(wait=False, shareDir=str(file)), pytest.raises(RxContextError, match=r"file.*Not a directory"):
        rxExec((tmp_path / "ran").touch)
    assert not (tmp_path / "ran").exists()


def test_a_share_folder_that_cannot_be_reached_is_undetermined(tmp_path):
    """A NameNode that does not answer: a known job's state cannot be told, and listing says why."""
    url = "hdfs://127.0.0.1:1/share"
    from rxspark import RxSpark

    with RxSpark(hdfsShareDir=url):
        assert rxGetJobStatus("rxJob_1") == "undetermined"
        with pytest.raises(RxContextError, match="cannot be reached"):
            rxGetJobs()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("job.json", lambda told_so: told_so.pop("task_count")),
        ("job.json", lambda told_so: told_so.update(more=1)),
        ("state.json", lambda told_so: told_so.update(state="finnished")),
        ("state.json", lambda told_so: told_so.update(process=[])),
    ],
)
def test_a_record_that_says_what_no_version_writes_is_told_as_damaged(name, change, job, tmp_path):
    """Though its checksum is right: whoever edits it may have known how to make one."""
    place = open_path(str(_folder(tmp_path, job) / name))
    told_so = json.loads(atomic.read(place))
    change(told_so)
    atomic.write(place, json.dumps(told_so).encode())
    elsewhere = _elsewhere(tmp_path, job)
    assert elsewhere.status() == "undetermined"
    assert f"{name} is damaged, or was edited" in elsewhere.info()["error"]


def test_large_constants_are_written_once(tmp_path, monkeypatch):
    """Workers map the file of the job's folder; nothing else is written for them."""
    from rxspark.data import stores

    monkeypatch.setattr(stores, "write_local_bundle", lambda *_: pytest.fail("it was written once more"))
    large = np.arange(1_000_000)
    with RxLocalSeq(wait=False, shareDir=str(tmp_path)):
        job = rxExec(lambda x, k: int(x[k]), large, rxElemArg([5, 7]), taskChunkSize=1)
        assert job.wait(60) == "finished"
        assert (_folder(tmp_path, job) / "call.data").stat().st_size > large.nbytes
        assert job.results() == [5, 7]
    with RxLocalSeq(shareDir=str(tmp_path)):
        assert rxExec(lambda x, k: int(x[k]), large, rxElemArg([5, 7])) == [5, 7]


FULL_DISK = """
import resource, signal, sys
from rxspark import RxLocalSeq, rxElemArg, rxExec
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
size, folder = int(sys.argv[1]), sys.argv[2]
with RxLocalSeq(wait=False, shareDir=folder, autoCleanup=False):
    job = rxExec(lambda number: bytes([number]) * size, rxElemArg(range(3)), taskChunkSize=1)
    assert job.wait(60) == "finished"
    assert job.results() == [bytes([number]) * size for number in range(3)]
print(job.id)
"""


@pytest.mark.parametrize("size", [20_000, 200_000])
def test_a_full_disk_costs_no_result(size, tmp_path):
    """Files may grow to 100,000 bytes: what cannot be kept is told of once, and all results come home.

    In a program of its own, so that the worker, which writes these files, starts with this limit.
    """
    command = [sys.executable, "-c", FULL_DISK, str(size), str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    kept = (tmp_path / "rxspark-jobs" / told.stdout.strip() / "parts").iterdir()
    assert len(list(kept)) == (0 if size > 100_000 else 3)
    assert told.stderr.count("may not be resumed") == (1 if size > 100_000 else 0)


def test_failed_tasks_run_again_in_the_partitions_that_they_were_in(tmp_path):
    """Five thousand failures scattered over a job do not become five thousand partitions."""
    mended = str(tmp_path / "mended")

    def task(number):
        if number % 2 and not os.path.exists(mended):
            raise OSError("the service is down")
        return number

    with RxLocalSeq(wait=False, shareDir=str(tmp_path), autoCleanup=False):
        job = rxExec(task, rxElemArg(range(40)), taskChunkSize=20, RNGscope="task")
        job.wait(60)
        open(mended, "x").close()
        again = rxResumeJob(job, only="failed")
        again.wait(60)
        assert again.results() == list(range(40))
    names = {path.name for path in (_folder(tmp_path, job) / "parts").iterdir()}
    assert names == {f"{span}.results" for span in ("0-19-20", "20-39-20", "1-19-10", "21-39-10")}
