"""S3 by Hadoop's own client, s3a://, beside that of rxspark's files: hadoop-aws comes by Maven, 640 MB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyspark
import pytest
from bucket_programs import run
from s3_server import ENVIRONMENT, Bucket

from rxspark import RxLocalSeq, rxExecBy, rxHadoopCopyFromLocal, rxHadoopListFiles

pytestmark = [pytest.mark.buckets, pytest.mark.timeout(900)]  # the first time Maven Central is asked

# Prints sums by city of a table that Spark reads, and numbers of a large constant; copies the table by Spark.
PROGRAM = """
import sys
import numpy as np
from rxspark import *
bucket, config = sys.argv[1], eval(sys.argv[2])
with RxSpark(master="local[2]", hdfsShareDir=f"{bucket}/share", extraSparkConfig=config):
    print(list(rxExecBy(f"{bucket}/data/table.parquet", "city", lambda k, rows: (k["city"], float(rows["x"].sum())))))
    print(rxExec(lambda x, k: float(x[k]), np.arange(1_000_000.0), rxElemArg([3, -1])))
    from pyspark.sql import SparkSession
    session = SparkSession.getActiveSession()
    session.read.parquet(f"{bucket}/data/table.parquet").write.parquet(f"{bucket}/data/copy.parquet")
"""


def test_tables_and_files_side_by_side(bucket: Bucket, tmp_path):
    """Spark reads Parquet files that a file command has put there, tasks those of the share, with the same numbers."""
    [jar] = Path(pyspark.__path__[0], "jars").glob("hadoop-client-api-*.jar")
    settings = {
        "spark.ui.enabled": "false",
        "spark.jars.packages": f"org.apache.hadoop:hadoop-aws:{jar.stem.removeprefix('hadoop-client-api-')}",
        "spark.hadoop.fs.s3a.endpoint": bucket.server.url,
        "spark.hadoop.fs.s3a.endpoint.region": ENVIRONMENT["AWS_DEFAULT_REGION"],
        "spark.hadoop.fs.s3a.path.style.access": "true",
    }
    table = pd.DataFrame({"city": ["Oslo", "Bergen", "Oslo", "Moss"] * 50, "x": np.arange(200.0)})
    table.to_parquet(tmp_path / "table.parquet")
    place = bucket.url.replace("s3:", "s3a:")
    rxHadoopCopyFromLocal(tmp_path / "table.parquet", f"{place}/data/table.parquet")
    with RxLocalSeq():
        expected = rxExecBy(f"{place}/data/table.parquet", "city", lambda k, rows: (k["city"], float(rows["x"].sum())))
    assert run(PROGRAM, tmp_path, place, repr(settings))[-2:] == [str(list(expected)), "[3.0, 999999.0]"]
    written = rxHadoopListFiles(f"{place}/data/copy.parquet").names
    assert any(name.endswith(".snappy.parquet") for name in written)
    assert {key.split("/")[0] for key in bucket.objects()} == {"data"}
