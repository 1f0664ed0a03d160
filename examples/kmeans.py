"""Naive parallel k-means: scikit-learn's KMeans from 20 x 20 random starts, and the best of the 20 runs.

    python examples/kmeans.py --context local|localpar|dopar|spark

Shows a function of yours that calls rxExec, and a library that draws random numbers of its own: KMeans is given no
random_state, and yet draws from the task's stream. What to see: the same clustering twice for the same seed; the time
beside that of one call with all 400 starts, which falls with the number of cores (by nothing with `--context local`);
and examples/output/kmeans.png, the clusters in the plane of their first two principal components, numbered.
At the end the same data by `rxKmeans`: ten tasks start from rows that each draws from its stream, and the best is kept.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from common import COLOURS, OUTPUT, read_options
from matplotlib.figure import Figure
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from rxspark import rxExec, rxKmeans, rxLinePlot, rxSetComputeContext


def kmeans(x: np.ndarray, centers: int, iter_max: int = 10, nstart: int = 1) -> KMeans:
    """R's kmeans: the best clustering from `nstart` random starts; on one core, as all cores have tasks to do."""
    with threadpool_limits(1):
        return KMeans(centers, init="random", max_iter=iter_max, n_init=nstart).fit(x)


def kmeans_rxspark(
    x: np.ndarray, centers: int, iter_max: int = 10, nstart: int = 1, times: int = 20, seed: int | None = None
) -> KMeans:
    """The best of `times` runs of `kmeans`, which run in parallel."""
    results = rxExec(kmeans, x=x, centers=centers, iter_max=iter_max, nstart=nstart, timesToRun=times, RNGseed=seed)
    return min(results, key=lambda model: model.inertia_)


def main() -> None:
    """Cluster twice by rxExec and once without, and compare."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)
    rows, columns, nstart = (500, 10, 2) if options.quick else (5000, 50, 20)
    x = make_data(rows, columns)

    started = time.perf_counter()
    first = kmeans_rxspark(x, 10, 35, nstart, seed=777)
    starting = time.perf_counter() - started

    started = time.perf_counter()
    second = kmeans_rxspark(x, 10, 35, nstart, seed=777)
    parallel = time.perf_counter() - started

    np.random.seed(777)
    started = time.perf_counter()
    single = kmeans(x, 10, 35, 20 * nstart)
    alone = time.perf_counter() - started

    same = np.array_equal(first.cluster_centers_, second.cluster_centers_)
    print(f"20 runs of {nstart} starts by rxExec: {parallel:.2f} s ({starting:.2f} s with the start of the workers)")
    print(f"1 run of {20 * nstart} starts without: {alone:.2f} s")
    print(f"sums of squares: {first.inertia_:.2f}, {single.inertia_:.2f}")
    print(f"the same clusters for the same seed: {same}")
    plot(x, first)

    models = rxExec(rxKmeans, "~ .", pd.DataFrame(x).add_prefix("x"), numClusters=10, timesToRun=10, RNGseed=777)
    best = min(models, key=lambda model: model.totWithinss)
    sums = sorted(model.totWithinss for model in models)
    print(f"\n10 starts of rxKmeans, one a task: sums of squares from {sums[0]:.2f} to {sums[-1]:.2f}")
    print(best.centers.assign(rows=best.size).iloc[:, [-1, 0, 1, 2]].round(2))


def make_data(rows: int, columns: int) -> np.ndarray:
    """Normal points around ten centres (the article's have no centres, and so no clusters to see)."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(10, columns))
    return centres[rng.integers(10, size=rows)] + rng.normal(size=(rows, columns))


def plot(x: np.ndarray, model: KMeans) -> None:
    """Draw the points in the plane of their first two principal components, and the clusters' centres."""
    mean = x.mean(axis=0)
    plane = np.linalg.svd(x - mean, full_matrices=False)[2][:2].T
    axes = Figure(figsize=(7, 6), layout="constrained").subplots()
    first, second = ((x - mean) @ plane).T
    rxLinePlot(
        "second ~ first", {"first": first, "second": second}, groups=model.labels_, type="p", symbolSize=4, ax=axes
    )
    circle = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "linewidth": 1.5}
    for number, centre in enumerate((model.cluster_centers_ - mean) @ plane):  # a circle in the colour of its points
        axes.text(
            *centre, str(number), ha="center", va="center", fontsize=8, bbox={**circle, "edgecolor": COLOURS[number]}
        )
    axes.get_legend().set_title("cluster")
    axes.set(xlabel="first principal component", ylabel="second principal component", aspect="equal")
    axes.set_title(f"{len(model.cluster_centers_)} clusters of {len(x):,} points in {x.shape[1]} dimensions")
    axes.figure.savefig(OUTPUT / "kmeans.png", dpi=120)
    print(f"picture: {OUTPUT / 'kmeans.png'}")


if __name__ == "__main__":
    main()
