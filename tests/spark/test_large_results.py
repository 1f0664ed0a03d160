"""Results past Spark's limits arrive whole, or cost the one task whose result no setting lets through."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import pytest

from rxspark import RxContextError, RxLocalParallel, RxSpark, RxTaskError, RxTaskWarning, rxElemArg, rxExec
from rxspark.backends.spark.session import stop_own
from rxspark.worker.delivery import ResultFile

MB = 1 << 20


def mark(folder, i, size):
    """Leave a trace of this run of the task, and give so many bytes."""
    with open(Path(folder, str(i)), "a") as file:
        file.write("x")
    return bytes([i]) * size


def sizes(results):
    """Size and content of each result."""
    return [(len(value), value[:1], value[-1:]) for value in results]


def whole(count, size):
    """Value of `sizes` for results that arrived whole."""
    return [(size, bytes([i]), bytes([i])) for i in range(count)]


def runs(folder):
    """Count the runs of each task."""
    return [len(Path(folder, name).read_text()) for name in sorted(os.listdir(folder), key=int)]


def test_on_one_machine_results_of_any_size_arrive(tmp_path):
    """In a session on this machine they come by files, whatever the limit; nothing is left behind."""
    marks, share = tmp_path / "marks", tmp_path / "share"
    marks.mkdir()
    share.mkdir()
    config = {"spark.ui.enabled": "false", "spark.driver.maxResultSize": "1m"}
    stop_own()
    try:
        with RxSpark(master="local[2,4]", extraSparkConfig=config, shareDir=str(share)), warnings.catch_warnings():
            warnings.simplefilter("error")
            results = rxExec(mark, str(marks), rxElemArg(range(4)), 6 * MB, taskChunkSize=1)
    finally:
        stop_own()
    assert sizes(results) == whole(4, 6 * MB)
    assert runs(marks) == [1] * 4
    assert not list(share.rglob("*.results"))


def test_results_that_cannot_be_reached_end_the_call_and_no_other(tmp_path, monkeypatch):
    """As when a ticket has expired: the call's error is that of the file system; no task runs again for it."""

    def refuse(_file):
        raise RxContextError("the ticket has expired")

    config = {"spark.ui.enabled": "false"}
    stop_own()
    try:
        with RxSpark(master="local[2,4]", extraSparkConfig=config):
            with monkeypatch.context() as meanwhile:
                meanwhile.setattr(ResultFile, "take", refuse)
                with pytest.raises(RxContextError, match="the ticket has expired"):
                    rxExec(mark, str(tmp_path), rxElemArg(range(2)), 6 * MB, taskChunkSize=1)
            assert max(runs(tmp_path)) == 1
            assert sizes(rxExec(bytes, rxElemArg([6 * MB] * 2))) == [(6 * MB, b"\0", b"\0")] * 2
    finally:
        stop_own()


@pytest.fixture(scope="module")
def _cluster():
    """A borrowed session with an executor of its own, whose driver takes 4 MB of results a job."""
    import pyspark
    from pyspark.sql import SparkSession

    stop_own()
    builder = SparkSession.builder.master("local-cluster[1,2,1024]").config("spark.ui.enabled", "false")
    settings = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    for name, value in {**settings, "spark.driver.maxResultSize": "4m"}.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield
    folder = Path(os.environ.get("SPARK_HOME", pyspark.__path__[0]), "work", session.sparkContext.applicationId)
    session.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.usefixtures("_cluster")
def test_results_that_are_too_much_together_arrive(tmp_path):
    """Eight results of 1 MB past a limit of 4 MB a job: all arrive, in more than one round."""
    with RxSpark():
        results = rxExec(mark, str(tmp_path), rxElemArg(range(8)), MB, taskChunkSize=1)
    assert sizes(results) == whole(8, MB)


@pytest.mark.usefixtures("_cluster")
def test_a_result_that_is_too_large_alone_costs_its_task_alone(tmp_path):
    """Its error names size and setting; the others of its chunk arrive, and no task runs twice."""
    with RxSpark(), pytest.warns(RxTaskWarning, match="1 of 3"):
        results = rxExec(mark, str(tmp_path), rxElemArg(range(3)), rxElemArg([10, 6 * MB, 20]), taskChunkSize=3)
    assert sizes([results[0], results[2]]) == [(10, b"\0", b"\0"), (20, b"\2", b"\2")]
    error = results[1]
    assert isinstance(error, RxTaskError)
    assert error.type == "ResultTooLarge"
    for told in ("takes 6291465 bytes", "spark.driver.maxResultSize=4m", "hdfsShareDir"):
        assert told in error.message
    assert runs(tmp_path) == [1, 1, 1]


@pytest.mark.usefixtures("_cluster")
def test_by_a_share_folder_results_of_any_size_arrive(tmp_path):
    """With an hdfsShareDir both arrive, each task runs once, and nothing is left in the folder."""
    marks, share = tmp_path / "marks", tmp_path / "share"
    marks.mkdir()
    with RxSpark(hdfsShareDir=f"file://{share}"):
        results = rxExec(mark, str(marks), rxElemArg(range(4)), 6 * MB, taskChunkSize=1)
    assert sizes(results) == whole(4, 6 * MB)
    assert runs(marks) == [1] * 4
    assert not [name for _, _, files in os.walk(share) for name in files]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_result_of_more_than_two_gigabytes_arrives():
    """More than fits into an array of Java's, or a 32-bit number: by processes of this machine and by Spark."""
    size = (2 << 30) + 5
    config = {"spark.ui.enabled": "false"}
    try:
        for context in (RxLocalParallel(), RxSpark(master="local[2,4]", extraSparkConfig=config)):
            with context:
                value = rxExec(lambda n: bytes(n - 1) + b"x", size)[0]
                assert (len(value), value[-1:]) == (size, b"x")
    finally:
        stop_own()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_million_results_arrive():
    """One for each of a million tasks, in order."""
    config = {"spark.ui.enabled": "false"}
    try:
        for context in (RxLocalParallel(), RxSpark(master="local[2,4]", extraSparkConfig=config)):
            with context:
                assert rxExec(lambda i: i, rxElemArg(range(1_000_000))) == list(range(1_000_000))
    finally:
        stop_own()
