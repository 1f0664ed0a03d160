"""Jobs that outlive their driver: what was finished stays, the rest runs, and the numbers are those of one run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from waiting import wait_until

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

# A program of its own, as jobs outlive programs: it submits one job, and prints its id.
DRIVER = """
import os, random, sys, time
from rxspark import *

def task(number, folder, pause):
    with open(os.path.join(folder, "ran"), "a") as file:
        file.write(f"{{number}}\\n")
    time.sleep(pause)
    return number, random.random(), random.gauss(0, 1)

if __name__ == "__main__":
    {before}
    with {context}:
        job = rxExec(task, rxElemArg(range({tasks})), {folder!r}, {pause}, RNGseed=11, taskChunkSize={size})
        print(job.id, flush=True)
        {after}
"""


def _driver(folder: Path, context: str, tasks=20, pause=0.1, size=1, before="pass", after="job.wait()"):
    script = folder / "driver.py"
    where = str(folder)
    script.write_text(
        DRIVER.format(context=context, tasks=tasks, folder=where, pause=pause, size=size, before=before, after=after)
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYSPARK_PYTHON": sys.executable,
    }
    return subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def _id_of(driver: subprocess.Popen[str]) -> str:
    assert driver.stdout is not None
    line = driver.stdout.readline().strip()
    assert line.startswith("rxJob_"), driver.communicate(timeout=60)
    return line


def _parts(share: Path, job: str) -> list[str]:
    return sorted(file.name for file in (share / "rxspark-jobs" / job / "parts").glob("*.results"))


def _wait_for_parts(share: Path, job: str, count: int) -> None:
    wait_until(lambda: len(_parts(share, job)) >= count, f"{count} partitions are kept", 120)


def _one_kept(share: Path, driver: subprocess.Popen[str]) -> bool:
    assert driver.poll() is None
    return any(share.glob("rxspark-jobs/*/parts/*.results"))


def _ran(folder: Path) -> Counter[int]:
    """How often each task was started."""
    return Counter(map(int, (folder / "ran").read_text().split()))


def _draw(number):
    import random

    return number, random.random(), random.gauss(0, 1)


def _undisturbed(tasks=20, size=1):
    with RxLocalSeq():
        return rxExec(_draw, rxElemArg(range(tasks)), RNGseed=11, taskChunkSize=size)


def _settled(share: Path, job: str) -> list[str]:
    """Files that are there when the workers that a killed driver has left behind have ended."""
    seen: list[tuple[float, list[str]]] = [(time.monotonic(), [])]

    def unchanged_for_a_second():
        now = _parts(share, job)
        if now != seen[-1][1]:
            seen.append((time.monotonic(), now))
        return time.monotonic() - seen[-1][0] > 1

    wait_until(unchanged_for_a_second, "no file is added any more", 120)
    return seen[-1][1]


@pytest.mark.parametrize(("percent", "size"), [(10, 1), (50, 3), (90, 1)])
def test_a_killed_driver_costs_nothing_that_was_finished(percent, size, tmp_path):
    """After kill -9, a new process lists the job, resumes it, runs nothing twice that was finished; equal numbers."""
    tasks = 120
    driver = _driver(
        tmp_path, f"RxLocalParallel(wait=False, shareDir={str(tmp_path)!r})", tasks=tasks, size=size, pause=0.03
    )
    job_id = _id_of(driver)
    _wait_for_parts(tmp_path, job_id, max(1, tasks // size * percent // 100))
    driver.kill()
    driver.wait()
    finished = {n for name in _settled(tmp_path, job_id) for n in range(*_span(name))}
    assert 0 < len(finished) < tasks  # its workers went on with what they had been given by then, and no further
    ran_before = _ran(tmp_path)
    with RxLocalSeq(shareDir=str(tmp_path)):
        (job,) = rxGetJobs()
        assert (job.id, job.status(), job.info()["done"]) == (job_id, "failed", len(finished))
        with pytest.raises(RxJobError, match=r"failed: process \d+ on .*has ended before the job.*rxResumeJob"):
            rxGetJobResults(job)
        partial = rxGetJobResults(job, partial=True)
        assert {value[0] for value in partial if value is not RxNotFinished} == finished
        assert rxWaitForJob(rxResumeJob(job), timeout=120) == "finished"
        assert rxGetJobResults(job_id) == _undisturbed(tasks, size)
        assert rxGetJobStatus(job_id) == "missing"
    ran_again = _ran(tmp_path) - ran_before
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
        assert _parts(tmp_path, job.id) == [f"{n}-{n}-1.results" for n in range(6)]
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
    driver = _driver(tmp_path, f"RxLocalSeq(wait=False, shareDir={str(tmp_path)!r}, autoCleanup=False)", tasks=8)
    job_id = _id_of(driver)
    _wait_for_parts(tmp_path, job_id, 2)
    driver.kill()
    driver.wait()
    finished = _settled(tmp_path, job_id)
    before = _ran(tmp_path)
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
    assert (_ran(tmp_path) - before).total() == 8 - len(finished)
    with RxLocalSeq(shareDir=str(tmp_path)):
        assert rxGetJobResults(job_id) == _undisturbed(8)


def test_a_driver_that_ends_by_itself_cancels_its_job_which_can_be_resumed(tmp_path):
    """At the end of the program no worker goes on; the job says so."""
    driver = _driver(
        tmp_path, f"RxLocalParallel(wait=False, shareDir={str(tmp_path)!r})", pause=0.3, after="time.sleep(1)"
    )
    job_id = _id_of(driver)
    _, complaints = driver.communicate(timeout=60)
    assert driver.returncode == 0, complaints
    with RxLocalSeq(shareDir=str(tmp_path)):
        assert rxGetJobStatus(job_id) == "canceled"
        (job,) = rxGetJobs(states="canceled")
        assert "the program that ran it has ended" in job.info()["error"]
        job.resume().wait(120)
        assert job.results() == _undisturbed()


def test_an_interrupt_while_waiting_leaves_the_job_running(tmp_path):
    """Ctrl-C at the terminal reaches all processes behind it; the job goes on to its end."""
    after = """
        try:
            rxWaitForJob(job)
        except KeyboardInterrupt:
            print("interrupted", rxGetJobStatus(job), flush=True)
        print(rxWaitForJob(job), len(rxGetJobResults(job)))"""
    script_context = f"RxLocalParallel(wait=False, shareDir={str(tmp_path)!r})"
    driver = _driver(tmp_path, script_context, before="os.setpgid(0, 0)", after=after)
    job_id = _id_of(driver)
    _wait_for_parts(tmp_path, job_id, 3)
    os.killpg(driver.pid, signal.SIGINT)
    told, complaints = driver.communicate(timeout=120)
    assert told.splitlines() == ["interrupted running", "finished 20"], complaints


def test_a_waiting_call_survives_too(tmp_path):
    """A blocking call in a context with a share folder can be resumed after its driver was killed."""
    context = f"RxLocalParallel(shareDir={str(tmp_path)!r})"
    driver = _driver(tmp_path, context, tasks=8, size=2, pause=0.3)
    wait_until(lambda: _one_kept(tmp_path, driver), "a partition is kept")
    driver.kill()
    driver.wait()
    with RxLocalSeq(shareDir=str(tmp_path)):
        (job,) = rxGetJobs()
        job.resume().wait(120)
        assert job.results() == _undisturbed(8, 2)
        assert rxExec(abs, -1) == [1]
        assert not (tmp_path / "rxspark-jobs").exists()  # a call that succeeds leaves nothing


@pytest.mark.spark
def test_a_job_started_on_spark_is_resumed_locally(tmp_path):
    """Other context, other process, same numbers."""
    context = f"RxSpark(master='local[2,4]', wait=False, shareDir={str(tmp_path)!r})"
    driver = _driver(tmp_path, context, size=2, pause=0.3)
    job_id = _id_of(driver)
    _wait_for_parts(tmp_path, job_id, 4)
    driver.kill()
    driver.wait()
    finished = {n for name in _settled(tmp_path, job_id) for n in range(*_span(name))}
    before = _ran(tmp_path)
    assert finished
    with RxLocalParallel(shareDir=str(tmp_path)):
        job = rxResumeJob(job_id)
        assert job.wait(120) == "finished"
        assert job.results() == _undisturbed(size=2)
    assert set(_ran(tmp_path) - before) == set(range(20)) - finished


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
                assert sorted(_ran(tmp_path).elements()) == again
                results = job.results()
                assert results == _undisturbed(8, size)
                assert list(results.info["task"]) == list(range(8))
                flag.unlink()


def _interrupt_once(raised=[]):  # noqa: B006 - a list of this process, also where the pickle is read again
    """Come back from its pickle with Ctrl-C the first time, as if the user had pressed it just then."""
    if not raised:
        raised.append(True)
        raise KeyboardInterrupt
    return "read"


class Interrupting:
    """A result during whose unpickling Ctrl-C comes."""

    def __reduce__(self):
        return _interrupt_once, ()


def test_a_call_interrupted_while_its_results_are_read_is_there_as_finished(tmp_path):
    """All its tasks had finished: another process can fetch what they gave, from the folder, without this one."""
    with RxLocalParallel(shareDir=tmp_path):
        with pytest.raises(KeyboardInterrupt) as end:
            rxExec(Interrupting, timesToRun=1)
        assert vars(end.value)["results"] == ["read"]
    (state,) = tmp_path.glob("rxspark-jobs/rxJob_*/state.json")
    assert '"state": "finished"' in state.read_text()


def test_a_sign_of_life_meets_no_folder_that_was_removed(tmp_path, caplog):
    """It may be due in the moment in which the results are fetched, and must tell of no trouble then."""
    updates = FolderUpdates("rxJob_x", JobFolder(open_path(str(tmp_path / "rxJob_x"))))
    updates.remove()
    assert updates.beat() == ""
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("durable", "wait", "folders"), [(True, True, 1), (False, True, 0), (False, False, 1)], ids=str
)
def test_a_call_that_waits_has_a_folder_unless_it_is_not_to_survive(durable, wait, folders, tmp_path):
    """durable=False is for calls that wait; jobs in the background have their folder in any case."""

    def look():
        return len(list(tmp_path.glob("rxspark-jobs/rxJob_*/job.json")))

    with RxLocalParallel(shareDir=tmp_path, durable=durable, wait=wait):
        found = rxExec(look, timesToRun=2)
        if not wait:
            rxWaitForJob(found, timeout=60)
            found = rxGetJobResults(found)
    assert found == [folders] * 2
    assert look() == 0


def test_a_waiting_call_whose_shared_object_is_gone_names_it(tmp_path):
    """The file of rxShare ends with its process: what the call has given can be read, and the rest is refused."""
    before = (
        "import numpy as np; shared = rxShare(np.arange(100_000.0)); "
        "task = lambda number, folder, pause: (time.sleep(pause), float(shared.sum() + number))[1]"
    )
    context = f"RxLocalParallel(shareDir={str(tmp_path)!r})"
    driver = _driver(tmp_path, context, tasks=6, pause=0.5, before=before)
    wait_until(lambda: _one_kept(tmp_path, driver), "a partition is kept")
    driver.kill()
    driver.wait()
    with RxLocalSeq(shareDir=str(tmp_path)):
        (job,) = rxGetJobs()
        assert job.status() == "failed"
        (shared,) = job._source.record.shared_files
        os.unlink(shared)  # as the next process that shares something does, which sweeps what killed ones have left
        with pytest.raises(RxJobError, match=r"cannot go on: it needs .*\.bundle, which rxShare had written"):
            job.resume()
        assert any(isinstance(value, float) and value >= 4999950000 for value in job.results(partial=True))
        job.cleanup()


def test_shared_objects_come_back_with_a_resumed_job(tmp_path):
    """The file of rxShare ends with its process; a job that is to survive takes it along."""
    after = "job.wait()"
    before = (
        "import numpy as np; shared = rxShare(np.arange(100_000.0)); "
        "task = lambda number, folder, pause: (time.sleep(pause), float(shared.sum() + number))[1]"
    )
    driver = _driver(
        tmp_path,
        f"RxLocalParallel(wait=False, shareDir={str(tmp_path)!r})",
        tasks=6,
        pause=0.5,
        before=before,
        after=after,
    )
    job_id = _id_of(driver)
    _wait_for_parts(tmp_path, job_id, 1)
    driver.kill()
    driver.wait()
    with RxLocalSeq(shareDir=str(tmp_path)):
        job = rxResumeJob(job_id)
        assert job.wait(60) == "finished"
        assert job.results() == [4999950000.0 + number for number in range(6)]


def test_who_resumes_brings_the_environment(tmp_path, monkeypatch):
    """It stands in no file; the tasks see that of the process that runs them, as those of a new call would."""
    monkeypatch.setenv("RXSPARK_TEST_PASSWORD", "first")
    with RxLocalParallel(wait=False, shareDir=str(tmp_path)):
        job = rxExec(lambda i: i or {"second": 7}[os.environ["RXSPARK_TEST_PASSWORD"]], rxElemArg([1, 0]))
        assert rxWaitForJob(job, timeout=60) == "finished"
    with pytest.warns(RxTaskWarning, match="KeyError"):
        rxGetJobResults(job, partial=True)
    monkeypatch.setenv("RXSPARK_TEST_PASSWORD", "second")
    with RxLocalParallel(shareDir=str(tmp_path)):
        assert rxWaitForJob(rxResumeJob(job, only="failed"), timeout=60) == "finished"
        assert rxGetJobResults(job) == [1, 7]


SCRIPT_CLASS = """
from rxspark import *

class Point:
    def __init__(self, x):
        self.x = x

    def twice(self):
        return 2 * self.x

if __name__ == "__main__":
    with {context}(shareDir={folder!r}, wait=False):
        job = rxExec(Point, rxElemArg([1, 2]))
        job.wait()
        print(job.id)
"""


@pytest.mark.parametrize("context", ["RxLocalSeq", "RxLocalParallel"])
def test_objects_of_a_class_of_the_script_reach_the_next_program(context, tmp_path):
    """They go by value wherever the tasks ran, as the next program has another `__main__`."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT_CLASS.format(context=context, folder=str(tmp_path)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=True)
    with RxLocalSeq(shareDir=str(tmp_path)):
        points = rxGetJobResults(ran.stdout.strip())
    assert [point.twice() for point in points] == [2, 4]
    assert type(points[0]) is type(points[1])
