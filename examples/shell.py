"""A session of the PySpark shell, to be typed or pasted.

To see it run, line by line, from the project's folder:

    PYTHONPATH=. PYSPARK_DRIVER_PYTHON_OPTS=-i pyspark < examples/shell.py

or start `pyspark` and paste the lines. What to see: the shell's own session does the work, and is still there at the
end; functions typed at the prompt travel to the executors, with what they use.
"""

import numpy as np

from rxspark import rxElemArg, rxExec, rxGetComputeContext, rxSetComputeContext

rxSetComputeContext("spark")
rxGetComputeContext()

DAYS = 365


def shared_birthday(people, groups=2000):
    """The share of random groups in which two have the same birthday."""
    days = np.sort(np.random.randint(DAYS, size=(groups, people)), axis=1)
    return float((np.diff(days, axis=1) == 0).any(axis=1).mean())


z = rxExec(shared_birthday, rxElemArg([10, 23, 50]), RNGseed=777)
z  # noqa: B018 - the prompt shows it
z.info[["task", "host", "seconds"]]
# The results as a table of the session, for Spark's own functions.
table = spark.createDataFrame([(n, p) for n, p in zip((10, 23, 50), z, strict=True)], "people int, p double")  # noqa: F821
table.where("p > 0.4").orderBy("people").show()
rxExec(lambda x: 1 / x, rxElemArg([1, 0]))
print("the session is still there:", spark.range(5).count() == 5)  # noqa: F821
