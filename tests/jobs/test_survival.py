"""Jobs outlive the program that started them: killed drivers, dying workers, and who resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

# A program of its own, as jobs outlive programs: it submits one job, and prints its id.
from drivers import kept_parts, read_id, settled_parts, start_driver, started_tasks, undisturbed, wait_for_parts

from rxspark import (
    RxJobError,
    RxLocalParallel,
    RxLocalSeq,
    RxNotFinished,
    RxTaskWarning,
    rxElemArg,
    rxExec,
    rxGetJobResults,
    rxGetJobs,
    rxGetJobStatus,
    rxResumeJob,
    rxWaitForJob,
)
from rxspark.files.paths import open_path
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.folder_updates import FolderUpdates


@pytest.mark.parametrize(("percent", "size"), [(10, 1), (50, 3), (90, 1)])
def test_a_killed_driver_costs_nothing_that_was_finished(percent, size, tmp_path):
    """After kill -9, a new process lists the job, resumes it, runs nothing twice that was finished; equal numbers."""
    tasks = 120
    driver = start_driver(
        tmp_path, f"RxLocalParallel(wait=False, shareDir={str(tmp_path)!r})", tasks=tasks, size=size, pause=0.03
    )
    job_id = read_id(driver)
    wait_for_parts(tmp_path, job_id, max(1, tasks // size * percent // 100))
    driver.kill()
    driver.wait()
    finished = {n for name in settled_parts(tmp_path, job_id) for n in range(*_span(name))}
    assert 0 < len(finished) < tasks  # its workers went on with what they had been given by then, and no further
    ran_before = started_tasks(tmp_path)
    with RxLocalSeq(shareDir=str(tmp_path)):
        (job,) = rxGetJobs()
        assert (job.id, job.status(), job.info()["done"]) == (job_id, "failed", len(finished))
        with pytest.raises(RxJobError, match=r"failed: process \d+ on .*has ended before the job.*rxResumeJob"):
            rxGetJobResults(job)
        partial = rxGetJobResults(job, partial=True)
        assert {value[0] for value in partial if value is not RxNotFinished} == finished
        assert rxWaitForJob(rxResumeJob(job), timeout=120) == "finished"
        assert rxGetJobResults(job_id) == undisturbed(tasks, size)
        assert rxGetJobStatus(job_id) == "missing"
    ran_again = started_tasks(tmp_path) - ran_before
    assert set(ran_again) == set(range(tasks)) - finished
    assert not (tmp_path / "rxspark-jobs").exists()


def _span(name: str) -> tuple[int, int]:
    first, last, _ = name.removesuffix(".results").split("-")
    return int(first), int(last) + 1


def test_a_worker_that_dies_while_it_writes_leaves_no_part_of_a_file(tmp_path):
    """Its tasks run once more, and what is in the folder is whole."""

    def task(number):
        from rxspark.files import atomic

        sealed = atomic._sealed

        def dying(body):
            with open(os.path.join(str(tmp_path), "died"), "a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
            return sealed(body)

        if number == 3 and not os.path.exists(os.path.join(str(tmp_path), "died")):
            atomic._sealed = dying
        return number

    with RxLocalParallel(wait=False, shareDir=str(tmp_path), autoCleanup=False):
        job = rxExec(task, rxElemArg(range(6)), taskChunkSize=1)
        assert rxWaitForJob(job, timeout=120) == "finished"
        assert kept_parts(tmp_path, job.id) == [f"{n}-{n}-1.results" for n in range(6)]
        assert rxGetJobResults(job) == list(range(6))
        assert (tmp_path / "died").read_text() == "x"
        job.cleanup()


RESUMER = """
import sys
from rxspark import *
if __name__ == "__main__":
    with RxLocalSeq(shareDir={share!r}):
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            print(rxWaitForJob(rxResumeJob({job!r})))
        except RxJobError as error:
            print("refused:", error)
"""


def test_of_two_processes_that_resume_a_job_one_wins_and_the_other_is_told(tmp_path):
    """Both start at the same moment; the tasks run once."""
    driver = start_driver(tmp_path, f"RxLocalSeq(wait=False, shareDir={str(tmp_path)!r}, autoCleanup=False)", tasks=8)
    job_id = read_id(driver)
    wait_for_parts(tmp_path, job_id, 2)
    driver.kill()
    driver.wait()
    finished = settled_parts(tmp_path, job_id)
    before = started_tasks(tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    code = RESUMER.format(share=str(tmp_path), job=job_id)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    told = sorted(process.communicate(timeout=120)[0].strip() for process in processes)
    assert told[0] == "finished"
    assert told[1].startswith(f"refused: {job_id} is being ")
    assert (started_tasks(tmp_path) - before).total() == 8 - len(finished)
    with RxLocalSeq(shareDir=str(tmp_path)):
        assert rxGetJobResults(job_id) == undisturbed(8)


def test_a_driver_that_ends_by_itself_cancels_its_job_which_can_be_resumed(tmp_path):
    """At the end of the program no worker goes on; the job says so."""
    driver = start_driver(
        tmp_path, f"RxLocalParallel(wait=False, shareDir={str(tmp_path)!r})", pause=0.3, after="time.sleep(1)"
    )
    job_id = read_id(driver)
    _, complaints = driver.communicate(timeout=60)
    assert driver.returncode == 0, complaints
    with RxLocalSeq(shareDir=str(tmp_path)):
        assert rxGetJobStatus(job_id) == "canceled"
        (job,) = rxGetJobs(states="canceled")
        assert "the program that ran it has ended" in job.info()["error"]
        job.resume().wait(120)
        assert job.results() == undisturbed()


def test_an_interrupt_while_waiting_leaves_the_job_running(tmp_path):
    """Ctrl-C at the terminal reaches all processes behind it; the job goes on to its end."""
    after = """
        try:
            rxWaitForJob(job)
        except KeyboardInterrupt:
            print("interrupted", rxGetJobStatus(job), flush=True)
        print(rxWaitForJob(job), len(rxGetJobResults(job)))"""
    script_context = f"RxLocalParallel(wait=False, shareDir={str(tmp_path)!r})"
    driver = start_driver(tmp_path, script_context, before="os.setpgid(0, 0)", after=after)
    job_id = read_id(driver)
    wait_for_parts(tmp_path, job_id, 3)
    os.killpg(driver.pid, signal.SIGINT)
    told, complaints = driver.communicate(timeout=120)
    assert told.splitlines() == ["interrupted running", "finished 20"], complaints


@pytest.mark.spark
def test_a_job_started_on_spark_is_resumed_locally(tmp_path):
    """Other context, other process, same numbers."""
    context = f"RxSpark(master='local[2,4]', wait=False, shareDir={str(tmp_path)!r})"
    driver = start_driver(tmp_path, context, size=2, pause=0.3)
    job_id = read_id(driver)
    wait_for_parts(tmp_path, job_id, 4)
    driver.kill()
    driver.wait()
    finished = {n for name in settled_parts(tmp_path, job_id) for n in range(*_span(name))}
    before = started_tasks(tmp_path)
    assert finished
    with RxLocalParallel(shareDir=str(tmp_path)):
        job = rxResumeJob(job_id)
        assert job.wait(120) == "finished"
        assert job.results() == undisturbed(size=2)
    assert set(started_tasks(tmp_path) - before) == set(range(20)) - finished


def test_failed_tasks_run_again_and_no_others(tmp_path):
    """With only="failed"; in a chunk all of it runs again, since its tasks share a stream: same numbers as ever."""
    flag = tmp_path / "mended"

    def task(number):
        import random

        with open(os.path.join(str(tmp_path), "ran"), "a") as file:
            file.write(f"{number}\n")
        if number in (2, 5) and not os.path.exists(str(flag)):
            raise OSError("the service is down")
        return number, random.random(), random.gauss(0, 1)

    for size, again in ((None, [2, 5]), (2, [2, 3, 4, 5])):
        (tmp_path / "ran").write_text("")
        flag.unlink(missing_ok=True)
        for folder in (None, str(tmp_path)):
            with RxLocalSeq(wait=False, shareDir=folder):
                job = rxExec(task, rxElemArg(range(8)), RNGseed=11, taskChunkSize=size)
                job.wait(60)
                with pytest.warns(RxTaskWarning, match="2 of 8 tasks failed"):
                    assert list(job.results(autoCleanup=False).errors) == [2, 5]
                with pytest.raises(RxJobError, match=r'nothing is missing.*only="failed"'):
                    rxResumeJob(job)
                flag.touch()
                (tmp_path / "ran").write_text("")
                rxResumeJob(job, only="failed")
                job.wait(60)
                assert sorted(started_tasks(tmp_path).elements()) == again
                results = job.results()
                assert results == undisturbed(8, size)
                assert list(results.info["task"]) == list(range(8))
                flag.unlink()


def test_a_heartbeat_meets_no_folder_that_was_removed(tmp_path, caplog):
    """It may be due in the moment in which the results are fetched, and must tell of no trouble then."""
    updates = FolderUpdates("rxJob_x", JobFolder(open_path(str(tmp_path / "rxJob_x"))))
    updates.remove()
    assert updates.write_heartbeat() == ""
    assert caplog.text == ""
