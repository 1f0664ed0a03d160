"""The look for leftovers, after the tests on HDFS and in buckets, tells files of calls and jobs from those of users."""

from __future__ import annotations

import pytest
from leftovers import left_in

ROOT = "hdfs://namenode:8020/share"


@pytest.mark.parametrize(
    "name",
    [
        "rxspark-jobs/rxJob_1/job.json",
        "rxspark-jobs/rxJob_1/parts/0-0-1.results",
        "rxspark-root/host/4711-1a2b/0.bundle",
        "rxspark-root/host/4711-1a2b/call/5d41.results",
        ".sparkStaging/application_1_0001/__spark_conf__.zip",
        ".table.csv._COPYING_.4711",
        ".state.json.0a1b2c3d",
        ".lease-1.claim-1795998393-0a1b2c3d",
    ],
)
def test_files_of_calls_and_jobs_are_seen(name: str) -> None:
    """Shared data, results, staged packages, and files that are not whole yet."""
    assert left_in([f"{ROOT}/{name}"]) == [f"{ROOT}/{name}"]


@pytest.mark.parametrize("name", ["a.csv", "rxspark-env-py3.11-0f3a.tar.gz", "jars/spark-jars-1685.zip", ".hidden.csv"])
def test_files_of_users_are_none(name: str) -> None:
    """Nor are packed environments and Spark's jars, which were put there to stay."""
    assert left_in([f"{ROOT}/{name}"]) == []
