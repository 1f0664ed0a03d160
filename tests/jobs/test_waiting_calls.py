"""Calls that wait outlive their program too, where their context says so."""

from __future__ import annotations

import os

import pytest

# A program of its own, as jobs outlive programs: it submits one job, and prints its id.
from drivers import one_kept, start_driver, undisturbed
from waiting import wait_until

from rxspark import RxJobError, RxLocalParallel, RxLocalSeq, rxExec, rxGetJobResults, rxGetJobs, rxWaitForJob


def test_a_waiting_call_survives_too(tmp_path):
    """A blocking call in a context with a share folder can be resumed after its driver was killed."""
    context = f"RxLocalParallel(shareDir={str(tmp_path)!r})"
    driver = start_driver(tmp_path, context, tasks=8, size=2, pause=0.3)
    wait_until(lambda: one_kept(tmp_path, driver), "a partition is kept")
    driver.kill()
    driver.wait()
    with RxLocalSeq(shareDir=str(tmp_path)):
        (job,) = rxGetJobs()
        job.resume().wait(120)
        assert job.results() == undisturbed(8, 2)
        assert rxExec(abs, -1) == [1]
        assert not (tmp_path / "rxspark-jobs").exists()  # a call that succeeds leaves nothing


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
    driver = start_driver(tmp_path, context, tasks=6, pause=0.5, before=before)
    wait_until(lambda: one_kept(tmp_path, driver), "a partition is kept")
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
