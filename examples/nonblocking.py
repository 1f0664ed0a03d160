"""Calls that do not wait: the birthday problem and k-means in two halves, with other work in between.

    python examples/nonblocking.py --context local|localpar|dopar|spark

Shows ``wait=False``: rxExec returns a job at once, and the second half of the analysis takes its results when they are
there. What to see: the table of jobs before and after, in between numbers as they come, and the same results as
birthday.py and kmeans.py give for these seeds.
"""

from __future__ import annotations

from queue import SimpleQueue

import numpy as np
from birthday import exact, pbirthday
from common import read_options
from kmeans import kmeans, make_data
from sklearn.cluster import KMeans

from rxspark import (
    RxJob,
    RxResults,
    rxElemArg,
    rxExec,
    rxGetJobResults,
    rxGetJobs,
    rxGetJobStatus,
    rxSetComputeContext,
    rxWaitForJob,
)


def gen_kmeans_clusters(x: np.ndarray, centers: int, iter_max: int, nstart: int) -> RxJob:
    """The first half of k-means, which is computed in the background."""
    return rxExec(kmeans, x=x, centers=centers, iter_max=iter_max, nstart=nstart, timesToRun=20, RNGseed=777)


def find_kmeans_best(results: RxResults) -> KMeans:
    """The second half, for results that are there."""
    return min(results, key=lambda model: model.inertia_)


def main() -> None:
    """Submit both jobs, watch the first, fetch the results of both."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context, wait=False)
    ntests, rows, columns, nstart = (500, 500, 10, 2) if options.quick else (2000, 5000, 50, 20)

    birthday = rxExec(pbirthday, n=rxElemArg(range(2, 101)), ntests=ntests, taskChunkSize=20, RNGseed=777)
    clusters = gen_kmeans_clusters(make_data(rows, columns), 10, 35, nstart)
    told: SimpleQueue[str] = SimpleQueue()
    clusters.add_done_callback(lambda job: told.put(job.status()))  # in a thread of its own
    print(f"{rxGetJobs()}\n")

    reached = max(number + 2 for number, probability in birthday if probability < 0.5)
    print(f"birthday, as its values came: below one half up to {reached} people")
    print(f"birthday is {rxGetJobStatus(birthday)}")
    probabilities = rxGetJobResults(birthday)
    largest = max(abs(p - exact(n)) for n, p in zip(range(2, 101), probabilities, strict=True))
    print(f"largest difference from the exact probabilities: {largest:.4f}")

    rxWaitForJob(clusters)
    print(f"told by the callback: k-means has {told.get()}")
    best = find_kmeans_best(rxGetJobResults(clusters))
    print(f"k-means: the best of 20 runs has a sum of squares of {best.inertia_:.2f}")
    print(f"jobs left: {rxGetJobs()}")


if __name__ == "__main__":
    main()
