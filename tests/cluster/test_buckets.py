"""Spark with a share folder in a bucket: what goes by it, the jobs that are kept there, and what becomes of faults."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from typing import Any

import numpy as np
import pytest
from bucket_programs import executors_environment, run
from drivers import read_id, start_driver, started_tasks, undisturbed
from s3_server import Bucket, broken, refused
from waiting import wait_until

from rxspark import (
    RxFileError,
    RxLocalSeq,
    RxSpark,
    rxElemArg,
    rxExec,
    rxGetJobResults,
    rxGetJobs,
    rxGetJobStatus,
    rxHadoopListFiles,
    rxResumeJob,
    rxShare,
)
from rxspark.backends.spark.session import stop_own
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob

CONFIG = {"spark.ui.enabled": "false"}


def settings(bucket: Bucket) -> Any:
    """The arguments of the context of these tests."""
    config = CONFIG | executors_environment(bucket.server.url)
    return {"master": "local[2,4]", "hdfsShareDir": f"{bucket.url}/share", "extraSparkConfig": config}


@pytest.fixture(scope="module")
def session():
    """One session for all tests here, made by the first one."""
    stop_own()
    yield
    stop_own()


@pytest.fixture
def context(bucket: Bucket, session):
    """Spark on this machine, with a share folder in an empty bucket, in which nothing is left behind."""
    with RxSpark(**settings(bucket)) as context:
        yield context
    assert (bucket.objects(), bucket.uploads()) == ([], [])


def draw(number, table, place):
    """A random number, one of a large constant, and a large result; and how many large objects are in the bucket."""
    import random

    drawn = random.random()  # before the listing: botocore draws from there, too, when it repeats a request
    large = [file for file in rxHadoopListFiles(place, recursive=True) if file.size > 1_000_000]
    return drawn, float(table[number]), np.full(400_000, number), len(large)


def numbers(results):
    """The part of those results that is the same everywhere."""
    return [(drawn, cell, float(full.sum())) for drawn, cell, full, _ in results]


def test_large_constants_and_results_go_by_the_bucket(context, bucket: Bucket):
    """With the numbers of a call here; what is large lies there once, as long as the call runs."""
    table = np.arange(1_000_000.0)
    call = (draw, rxElemArg([7, 8, 9]), table, bucket.url)
    found = rxExec(*call, RNGseed=5, taskChunkSize=1)
    assert all(large >= 1 for *_, large in found)
    with RxLocalSeq():
        assert numbers(found) == numbers(rxExec(*call, RNGseed=5, taskChunkSize=1))
    assert bucket.objects() == []
    shared = rxShare(table)
    assert [key.endswith(".bundle") for key in bucket.objects()] == [True]
    assert rxExec(lambda x, k: float(x[k]), shared, rxElemArg([7, -1])) == [7.0, 999_999.0]
    shared.remove()


def test_a_job_outlives_its_program(context, bucket: Bucket, tmp_path):
    """Another process finds it in the bucket, and runs what is missing: the undisturbed numbers, nothing twice."""
    spark = f"RxSpark(master='local[2]', hdfsShareDir='{bucket.url}/share', extraSparkConfig={CONFIG}, wait=False)"
    driver = start_driver(tmp_path, spark, tasks=8, pause=1)
    job = read_id(driver)
    parts = re.compile(rf"share/rxspark-jobs/{job}/parts/\d+-\d+-1\.results")
    kept = lambda: [key for key in bucket.objects() if parts.fullmatch(key)]  # noqa: E731
    wait_until(lambda: len(kept()) >= 3, "three tasks are kept", 120)
    driver.kill()
    driver.wait()
    finished = {int(key.rpartition("/")[2].partition("-")[0]) for key in kept()}
    assert {key.removeprefix(f"share/rxspark-jobs/{job}/").partition("/")[0] for key in bucket.objects()} == {
        "call.data", "job.json", "partitions.data", "parts", "state.json",
    }  # fmt: skip
    assert [one.id for one in rxGetJobs()] == [job]
    wait_until(lambda: rxGetJobStatus(job) == "failed", "that its process has ended is seen")
    assert rxResumeJob(job).wait(120) == "finished"
    assert rxGetJobResults(job) == undisturbed(8)
    started = started_tasks(tmp_path)
    assert all(started[number] == 1 for number in finished)


def test_results_of_a_job_are_complete_though_listings_lag(context, bucket: Bucket):
    """Another process that fetches them waits for what was just written, and takes no part for the whole."""
    with RxSpark(**settings(bucket), wait=False):
        job = rxExec(lambda number: number, rxElemArg(range(4)), taskChunkSize=1, autoCleanup=False)
        bucket.server.lag = 5.0
        try:
            assert job.wait(60) == "finished"
            elsewhere: RxJob[int] = RxJob(RemoteJob(JobFolder(job._source.folder.path)))
            began = time.monotonic()
            assert elsewhere.results(autoCleanup=False) == [0, 1, 2, 3]
            assert 1 < time.monotonic() - began < 20
        finally:
            bucket.server.lag = 0.0
        job.cleanup(force=True)


@pytest.mark.parametrize("wait", [True, False], ids=["call", "job"])
def test_nothing_is_left_of_what_listings_do_not_show_yet(context, bucket: Bucket, wait: bool):
    """A call, and a job whose results are fetched, remove all that they wrote, though it is listed only later."""
    table = np.arange(1_000_000.0)
    bucket.server.lag = 60.0
    try:
        with RxSpark(**settings(bucket), wait=wait):
            results: Any = rxExec(lambda x, k: float(x[k]), table, rxElemArg([3, 4, 5, 6]), taskChunkSize=1)
            if not wait:
                assert results.wait(60) == "finished"
                results = results.results()
            assert results == [3.0, 4.0, 5.0, 6.0]
    finally:
        bucket.server.lag = 0.0
    assert bucket.objects() == []


def test_throttled_and_broken_requests_change_no_result(context, bucket: Bucket):
    """Each third request is refused as one too many, and two writes of results break: what was asked for comes."""
    asked = iter(range(10**6))
    often = refused(503, "SlowDown")
    table = np.arange(1_000_000.0)
    call = (draw, rxElemArg(range(6)), table, bucket.url)
    with (
        bucket.server.failing(lambda request: often(request) if next(asked) % 3 == 0 else None),
        bucket.server.failing(broken(2, "/parts/")),
    ):
        found = rxExec(*call, RNGseed=5, taskChunkSize=1)
    with RxLocalSeq():
        assert numbers(found) == numbers(rxExec(*call, RNGseed=5, taskChunkSize=1))


def test_results_that_may_not_be_written_come_home_and_a_warning_says_why(context, bucket: Bucket, caplog):
    """The job goes on; another process is told that not all is there, and takes nothing away."""
    with (
        RxSpark(**settings(bucket), wait=False),
        bucket.server.failing(refused(403, "AccessDenied", methods="PUT", where="/parts/")),
    ):
        job = rxExec(lambda number: number, rxElemArg(range(4)), taskChunkSize=1)
        assert job.wait(60) == "finished"
        [warning] = [record.getMessage() for record in caplog.records if record.name == "rxspark"]
        assert re.search(rf"cannot be kept: .*{bucket.url}/share/.*permission denied: .*AWS_ACCESS_KEY_ID", warning)
        elsewhere: RxJob[int] = RxJob(RemoteJob(JobFolder(job._source.folder.path)))
        with caplog.at_level("ERROR", logger="rxspark"), pytest.MonkeyPatch.context() as patch:
            patch.setattr("rxspark.jobs.remote_job._LISTING_LAG_S", 0.0)
            with pytest.raises(RxFileError, match="has the results of 0 of 4 tasks"):
                elsewhere.results()
        assert job.results() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "AccessDenied", "permission denied: .*AWS_ACCESS_KEY_ID"),
        (404, "NoSuchBucket", "there is no bucket 'test-"),
    ],
)
def test_a_share_folder_that_cannot_be_used_is_an_error_at_once(session, bucket: Bucket, status, code, says):
    """Before any task has run: the error names the folder and what mends it."""
    with (
        RxSpark(**settings(bucket)),
        bucket.server.failing(refused(status, code)),
        pytest.raises(RxFileError, match=rf"{bucket.url}/share.*{says}"),
    ):
        rxExec(abs, -1)
    assert bucket.objects() == []


def test_settings_of_fsspec_lead_executors_too(s3_server, tmp_path):
    """Its files and its variables, in place of AWS's own: read in each process of this machine."""
    bucket = s3_server.bucket(f"test-{secrets.token_hex(8)}")
    (tmp_path / "s3.json").write_text(json.dumps({"s3": {"endpoint_url": s3_server.url}}))
    program = (
        "import numpy; from rxspark import *\n"
        f"with RxSpark(master='local[2]', hdfsShareDir='{bucket.url}/share', extraSparkConfig={CONFIG}):\n"
        "    print(rxExec(lambda x, k: float(x[k]), numpy.arange(1e6), rxElemArg([3, -1])))\n"
    )
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    given = {"FSSPEC_CONFIG_DIR": str(tmp_path), "FSSPEC_S3_KEY": "test", "FSSPEC_S3_SECRET": "test"}
    environment = {**own, **given, "AWS_EC2_METADATA_DISABLED": "true"}
    assert run(program, tmp_path, environment=environment) == ["[3.0, 999999.0]"]
    assert bucket.objects() == []
