"""RxForeachDoPar runs on whatever joblib backend is active: joblib's own, dask's and ray's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from waiting import wait_until

from rxspark import RxArgumentError, RxForeachDoPar, RxLocalSeq, rxCancelJob, rxElemArg, rxExec, rxShare
from rxspark.backends.foreach import ForeachBackend
from rxspark.backends.joblib_hosts import _is_here

# Threads of Ray's pool ask for results every 100 ms: after its shutdown they would start Ray anew, in this process.
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"

BACKENDS = ["loky", "threading", "multiprocessing", "sequential", "dask", "ray"]


@contextmanager
def active(backend: str) -> Iterator[None]:
    """Make a joblib backend with two workers the active one."""
    if backend == "dask":
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
            Client(cluster),
            joblib.parallel_config("dask", n_jobs=2),
        ):
            yield
    elif backend == "ray":
        import ray
        from joblib.pool import PicklingPool
        from ray.util.joblib import register_ray

        bases = PicklingPool.__bases__  # which Ray replaces by its own, also for the backend "multiprocessing"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONBREAKPOINT", "")  # for Ray to set to its own debugger, for good
            ray.init(num_cpus=2, ignore_reinit_error=True, include_dashboard=False, log_to_driver=False)
            register_ray()
            try:
                with joblib.parallel_config("ray", n_jobs=2):
                    yield
            finally:
                ray.shutdown()
                PicklingPool.__bases__ = bases
    else:
        with joblib.parallel_config(backend, n_jobs=2):
            yield


def draw(i: int) -> tuple[int, float, float]:
    """A task that fails for one element; it takes time, in which dask's threads draw from `random` too."""
    time.sleep(0.15)
    if i == 3:
        raise ValueError("three")
    return i, float(np.random.normal()), random.random()


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_joblib_backend_gives_the_same(backend: str) -> None:
    """Values, errors and random numbers are those of RxLocalSeq on each backend, with and without chunks."""
    with RxLocalSeq(), pytest.warns(match="1 of 7 tasks failed"):
        expected = rxExec(draw, rxElemArg(range(7)), RNGseed=777, taskChunkSize=2)
    with active(backend), RxForeachDoPar():
        for _ in range(2):  # the second call meets used workers
            with pytest.warns(match="1 of 7 tasks failed"):
                found = rxExec(draw, rxElemArg(range(7)), RNGseed=777, taskChunkSize=2)
            assert [found[i] for i in range(7) if i != 3] == [expected[i] for i in range(7) if i != 3]
    assert (found.errors[3].type, found.errors[3].message) == ("ValueError", "three")


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "dask", "ray"])
def test_tasks_run_in_other_processes(backend: str) -> None:
    """The backends that have processes use them."""
    with active(backend), RxForeachDoPar():
        pids = rxExec(os.getpid, timesToRun=8)
    assert os.getpid() not in pids


def test_foreach_opts_go_to_joblib() -> None:
    """The options choose backend and workers for one call."""
    with RxForeachDoPar():
        pids = rxExec(os.getpid, timesToRun=8, foreachOpts={"backend": "loky", "n_jobs": 2})
    assert os.getpid() not in pids


def test_joblibs_default_is_used_as_when_it_is_named() -> None:
    """With no backend named loky's workers are kept between calls, tasks run in them, not in children of theirs."""
    two = {"n_jobs": 2}
    with RxForeachDoPar():
        workers = {pid for _ in range(3) for pid in rxExec(os.getpid, timesToRun=8, foreachOpts=two)}
        assert set(rxExec(os.getppid, timesToRun=8, foreachOpts=two)) == {os.getpid()}
    assert len(workers) <= 2
    with RxForeachDoPar(wait=False):
        job = rxExec(abs, rxElemArg([-1, -2]), foreachOpts=two)
        assert job.wait(60) == "finished"
        assert job.results() == [1, 2]


def test_an_unknown_option_is_refused_by_its_name() -> None:
    """A misspelt option, which joblib would hand on to the backend, is an error that names the right one."""
    with RxForeachDoPar(), pytest.raises(RxArgumentError, match=r"'njobs'.*did you mean 'n_jobs'"):
        rxExec(abs, -1, foreachOpts={"njobs": 2})


# Threads of Ray's own pool end in an error when Ray is shut down.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("cluster", ["dask", "ray"])
def test_jobs_in_the_background_run_on_the_cluster_and_end_when_cancelled(cluster: str, tmp_path: Path) -> None:
    """Their tasks are not in this process; a job whose tasks go on for ever is cancelled at once all the same."""

    def waits(gate: str) -> int:
        wait_until(lambda: os.path.exists(gate), "the gate is opened", 200)
        return os.getpid()

    with active(cluster), RxForeachDoPar(wait=False):
        busy = rxExec(waits, str(tmp_path / "gate"), timesToRun=20, taskChunkSize=1)
        wait_until(lambda: busy.status() == "running", "the job runs")
        assert rxCancelJob(busy) is True
        assert busy.status() == "canceled"
        (tmp_path / "gate").touch()
        job = rxExec(waits, str(tmp_path / "gate"), timesToRun=4)
        assert job.wait(120) == "finished"
        assert os.getpid() not in job.results()


class GoneCluster(joblib.parallel.ParallelBackendBase):  # type: ignore[misc]
    """A cluster that was shut down while joblib asks it for workers: it does not answer."""

    supports_return_generator = True
    asked, ended = threading.Event(), threading.Event()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """As many as are asked for."""
        return n_jobs or 1

    def configure(self, **_: object) -> int:
        """Wait until the end of the test."""
        self.asked.set()
        self.ended.wait(200)
        raise RuntimeError("the cluster has gone")


def test_a_job_on_a_cluster_that_has_gone_costs_later_calls_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it waits in vain, calls on joblib's own backend start, and their workers run tasks themselves."""
    joblib.register_parallel_backend("gone", GoneCluster)
    try:
        with joblib.parallel_config("gone", n_jobs=2), RxForeachDoPar(wait=False):
            job = rxExec(abs, rxElemArg([-1, -2]))
            assert GoneCluster.asked.wait(60)
            assert rxCancelJob(job)
        monkeypatch.setenv("PYTHONHASHSEED", "6640")  # as dask's LocalCluster does
        get_reusable_executor(max_workers=1).shutdown()  # the next call starts workers
        with active("loky"), RxForeachDoPar():
            assert set(rxExec(os.getppid, timesToRun=8)) == {os.getpid()}
    finally:
        GoneCluster.ended.set()
        del joblib.parallel.BACKENDS["gone"]


@pytest.mark.parametrize("backend", ["multiprocessing", "dask"])
def test_workers_with_another_hash_seed_hand_tasks_to_children(backend):
    """A set of strings has joblib's order under loky also where the workers' own hash seed is a random one."""
    names = [f"name {number}" for number in range(40)]
    orders: list[list[str]] = []
    for name in ("loky", backend):
        with active(name), RxForeachDoPar():
            orders += rxExec(lambda: list(set(names)), timesToRun=3)
    assert all(order == orders[0] for order in orders)


ALONE = """
import os, sys, time
from rxspark import *
out = os.dup(1)  # past the capture of what tasks write
with RxForeachDoPar():
    rxExec(abs, rxElemArg([-1, -2]))
    rxExec(abs, rxElemArg([-1, -2]))
    began = time.time()
    try:
        rxExec(lambda i: os.write(out, b"begun\\n") and time.sleep(20), rxElemArg(range(3)), taskChunkSize=1)
    except KeyboardInterrupt:
        print("interrupted", time.time() - began < 10, flush=True)
    print(rxExec(abs, -3), flush=True)
"""


def test_without_a_backend_it_says_that_nothing_is_parallel_and_ctrl_c_ends_the_call() -> None:
    """One warning with the line that changes it; the tasks run in this very process, and Ctrl-C is the caller's."""
    program = subprocess.Popen([sys.executable, "-c", ALONE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stderr is not None
    assert "joblib has one worker" in program.stderr.readline()
    assert program.stdout is not None
    assert program.stdout.readline() == "begun\n"
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=60)
    assert out.splitlines() == ["interrupted True", "[3]"]
    assert "joblib has one worker" not in err


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_workers_of_a_cluster_on_this_host_are_seen(backend: str) -> None:
    """Their addresses are this host's, so large data go by files that they map."""
    with active(backend):
        assert ForeachBackend(None).same_host


def test_workers_elsewhere_get_bytes_and_no_file_of_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Large constants, elements and shared objects travel to workers whose address is not this host's."""
    monkeypatch.setattr("rxspark.backends.joblib_hosts._is_here", lambda address: False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    large, shared = np.arange(200_000.0), rxShare(np.ones(300_000))
    written = {str(path) for path in tmp_path.rglob("*.bundle")}

    def total(element: np.ndarray, constant: np.ndarray, other: np.ndarray) -> tuple[float, set[str]]:
        files = {str(path) for path in tmp_path.rglob("*.bundle")}
        return float(element.sum() + constant.sum() + other.sum()), files - written

    with active("dask"), RxForeachDoPar():
        backend = ForeachBackend(None)
        assert (backend.same_host, backend.journals) == (False, None)
        values = rxExec(total, rxElemArg([large, large + 1]), large, shared)
    assert list(values) == [(2 * large.sum() + 300_000, set()), (2 * large.sum() + 500_000, set())]


def test_an_address_of_another_host_is_not_taken_for_this_one() -> None:
    """Loopback and names of this host are here; an address for documentation (RFC 5737) is not."""
    assert [_is_here(address) for address in ("127.0.0.1", "localhost", "192.0.2.1")] == [True, True, False]


def test_workers_that_follow_others_run_tasks_themselves() -> None:
    """A new worker has the hash seed of calls, as those have that it follows: it needs no child to run tasks in."""
    with RxForeachDoPar(), active("loky"):
        for _ in range(3):
            ended = rxExec(lambda: sys.addaudithook(lambda *_: None), timesToRun=2, taskChunkSize=1)
            results = rxExec(os.getpid, timesToRun=4)
            assert list(results) == list(results.info["pid"])
            assert not set(results) & set(ended.info["pid"])
