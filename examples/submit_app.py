"""A spark-submit application: bootstrap confidence intervals of the mean of each group of a table, in parallel.

    spark-submit --master local[2] examples/submit_app.py --output /tmp/intervals
    scripts/submit examples/submit_app.py --input hdfs:///data/sales --output hdfs:///data/intervals --resamples 10000

The input is a Parquet table with the columns `group` and `value`; without `--input` one is made up. Spark reads it and
writes the result; rxExec runs the bootstrap, one group a task, on the application's executors. The same seed gives
the same intervals under every master. What to see: a Parquet table with a row for each group.
"""

from __future__ import annotations

import argparse

import numpy as np
from pyspark.sql import DataFrame, SparkSession, functions

from rxspark import rxElemArg, rxExec, rxSetComputeContext


def interval(values: list[float], resamples: int) -> tuple[float, float, float]:
    """The mean, and the bounds that hold it in 95 of 100 resamples."""
    sample = np.array(values)
    means = sample[np.random.randint(len(sample), size=(resamples, len(sample)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(sample.mean()), float(low), float(high)


def made_up(spark: SparkSession) -> DataFrame:
    """Ten groups of 50 values around 0, 1, ..., 9."""
    rng = np.random.default_rng(1)
    rows = [(f"group {number}", float(value)) for number in range(10) for value in rng.normal(number, 1, 50)]
    return spark.createDataFrame(rows, "`group` string, value double")


def main() -> None:
    """Read, compute, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", help="a Parquet table with the columns group and value")
    parser.add_argument("--output", required=True, help="the folder for the Parquet table of intervals")
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=777)
    asked = parser.parse_args()

    spark = SparkSession.builder.getOrCreate()
    rxSetComputeContext("spark")
    table = spark.read.parquet(asked.input) if asked.input else made_up(spark)
    # Rows of Spark have no order: sorted values give the same resamples in every run.
    values = functions.sort_array(functions.collect_list("value")).alias("values")
    groups = table.groupBy("group").agg(values).orderBy("group").collect()

    data = rxElemArg({row["group"]: row["values"] for row in groups})
    intervals = rxExec(interval, data, asked.resamples, RNGseed=asked.seed, continueOnFailure=False)

    rows = [(name, *numbers) for name, numbers in zip(intervals.names, intervals, strict=True)]
    result = spark.createDataFrame(rows, "`group` string, mean double, low double, high double")
    result.coalesce(1).write.mode("overwrite").parquet(asked.output)
    print(f"{len(rows)} intervals of {asked.resamples} resamples: {asked.output}")
    spark.stop()


if __name__ == "__main__":
    main()
