"""S3 by Hadoop's own client, s3a://, beside that of rxspark's files: hadoop-aws comes by Maven, 640 MB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyspark
import pytest
from s3_server import ENVIRONMENT, Bucket

from rxspark import RxLocalSeq, RxSpark, rxElemArg, rxExec, rxExecBy, rxHadoopCopyFromLocal, rxHadoopListFiles
from rxspark.backends.spark.session import stop_own

pytestmark = [pytest.mark.buckets, pytest.mark.timeout(900)]  # the first time Maven Central is asked


@pytest.fixture
def context(bucket: Bucket):
    """Spark on this machine that reads s3a:// URLs, with a share folder by such a name."""
    [jar] = Path(pyspark.__path__[0], "jars").glob("hadoop-client-api-*.jar")
    hadoop = jar.stem.removeprefix("hadoop-client-api-")
    settings = {
        "spark.ui.enabled": "false",
        "spark.jars.packages": f"org.apache.hadoop:hadoop-aws:{hadoop}",
        "spark.hadoop.fs.s3a.endpoint": bucket.server.url,
        "spark.hadoop.fs.s3a.endpoint.region": ENVIRONMENT["AWS_DEFAULT_REGION"],
        "spark.hadoop.fs.s3a.path.style.access": "true",
    }
    stop_own()
    share = bucket.url.replace("s3:", "s3a:") + "/share"
    yield RxSpark(master="local[2]", hdfsShareDir=share, extraSparkConfig=settings)
    stop_own()


def test_tables_and_jobs_side_by_side(context, bucket: Bucket, tmp_path):
    """Spark reads Parquet files that a file command has put there, tasks those of the share, with the same numbers."""
    table = pd.DataFrame({"city": ["Oslo", "Bergen", "Oslo", "Moss"] * 50, "x": np.arange(200.0)})
    table.to_parquet(tmp_path / "table.parquet")
    data = bucket.url.replace("s3:", "s3a:") + "/data/table.parquet"
    rxHadoopCopyFromLocal(tmp_path / "table.parquet", data)
    with RxLocalSeq():
        expected = rxExecBy(data, "city", lambda keys, rows: (keys["city"], float(rows["x"].sum())))
    big = np.arange(1_000_000.0)
    with context:
        assert rxExecBy(data, "city", lambda keys, rows: (keys["city"], float(rows["x"].sum()))) == expected
        assert rxExec(lambda x, k: float(x[k]), big, rxElemArg([3, -1])) == [3.0, 999_999.0]
        from pyspark.sql import SparkSession

        SparkSession.getActiveSession().read.parquet(data).write.parquet(data.replace("table", "copy"))
    written = rxHadoopListFiles(data.replace("table", "copy")).names
    assert any(name.endswith(".snappy.parquet") for name in written)
    assert {key.split("/")[0] for key in bucket.objects()} == {"data"}
