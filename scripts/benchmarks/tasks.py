"""Functions that the tasks of the workloads run, and their data: the same for every contender."""

from __future__ import annotations

import os
import random
import time
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

# The article's dice example: games a chunk.
CHUNK = 2_000

# The article's table: rows, and the tags that its tasks filter by. And the bytes of the one large object.
ROWS, TAGS = 5_000_000, "ABCDEFG"
OBJECT = 1_000_000_000

# The article's Mandelbrot set: points a row, rows, iterations at most. Its birthday problem: groups simulated a size.
SIDE, LIMIT = 240, 100
GROUPS = 5_000

# The article's Poisson simulation, a fifth of its runs and half of its trials: runs, runs a chunk, models a run, rows.
RUNS, RUNS_A_CHUNK, TRIALS, OBSERVATIONS = 20, 5, 5, 50_000

# The article's k-means: points, their dimensions, clusters, iterations at most, random starts a run.
POINTS, DIMENSIONS, CLUSTERS, ITERATIONS, STARTS = 5_000, 50, 10, 35, 20


def noop(_: Any = None) -> None:
    """A task that costs nothing: what is measured is the system around it."""


def same(number: int) -> int:
    """A task that gives its element."""
    return number


def say() -> None:
    """A task that writes a line."""
    print("a line")


def play_dice() -> str:
    """One game of craps, "Win" or "Loss"."""
    point = 0
    while True:
        roll = int(random.random() * 6) + int(random.random() * 6) + 2
        if point == 0:
            if roll in (7, 11):
                return "Win"
            if roll in (2, 3, 12):
                return "Loss"
            point = roll
        elif roll == point:
            return "Win"
        elif roll == 7:
            return "Loss"


def play_batch(seed: int) -> list[str]:
    """A chunk of games with a seed of its own: how the peers' users write it."""
    random.seed(seed)
    return [play_dice() for _ in range(CHUNK)]


def simulated() -> dict[str, Any]:
    """Counts whose logarithm depends on two variables, with the coefficients 0, 1 and 2."""
    import numpy as np

    x1 = np.log(np.random.uniform(0.5, 1.5, OBSERVATIONS))
    x2 = np.log(np.random.uniform(0.5, 1.5, OBSERVATIONS))
    return {"count": np.random.poisson(np.exp(x1 + 2 * x2)), "x1": x1, "x2": x2}


def estimate() -> list[list[float]]:
    """The coefficients of a run's models, by rxGlm."""
    from rxspark import rxGlm

    return [rxGlm("count ~ x1 + x2", simulated(), family="poisson").params.tolist() for _ in range(TRIALS)]


def estimate_batch(seed: int) -> list[list[list[float]]]:
    """A chunk of runs with a seed of its own, by statsmodels: on arrays, which is faster than its formulas."""
    import numpy as np
    import statsmodels.api as sm

    def model() -> list[float]:
        data = simulated()
        columns = np.column_stack([np.ones(OBSERVATIONS), data["x1"], data["x2"]])
        return list(map(float, sm.GLM(data["count"], columns, family=sm.families.Poisson()).fit().params))

    np.random.seed(seed)
    return [[model() for _ in range(TRIALS)] for _ in range(RUNS_A_CHUNK)]


def filter_test(table: Any, tag: str) -> float:
    """The sum of column a over the rows of one tag."""
    return float(table["a"][table["tag"] == tag].sum())


@cache
def make_table() -> Any:
    """A frame of 85 MB: a tag and two numbers."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(1)
    tags = pd.Categorical.from_codes(rng.integers(0, len(TAGS), ROWS).astype("i1"), categories=list(TAGS))
    return pd.DataFrame({"tag": tags, "a": rng.random(ROWS), "b": rng.random(ROWS)})


def make_object() -> Any:
    """An array of one GB."""
    import numpy as np

    return np.ones(OBJECT // 8)


def hold(array: Any, number: int) -> float:
    """Read each page of the array, and hold it until the memory of all who do so has been measured."""
    total = float(array[::512].sum())
    meeting = Path(os.environ["BENCH_MEETING"])
    (meeting / str(number)).touch()
    until = time.monotonic() + 300
    while not (meeting / "measured").exists():
        if time.monotonic() > until:
            raise TimeoutError("the others did not come")
        time.sleep(0.01)
    return total


def birthday(people: int) -> float:
    """The share of random groups of so many people in which two have the same birthday."""
    import numpy as np

    days = np.sort(np.random.randint(365, size=(GROUPS, people)), axis=1)
    return float((np.diff(days, axis=1) == 0).any(axis=1).mean())


def seeded_birthday(people: int) -> float:
    """The same with a seed of its own: how the peers' users write it."""
    import numpy as np

    np.random.seed(people)
    return birthday(people)


def mandelbrot(row: int) -> list[int]:
    """The iterations until each point of a row leaves the circle of radius 2."""
    y0 = -1.3 + row * 2.6 / (SIDE - 1)
    counts = []
    for column in range(SIDE):
        x0 = -2.0 + column * 2.6 / (SIDE - 1)
        x, y, iteration = x0, y0, 0
        while x * x + y * y < 4 and iteration < LIMIT:
            x, y = x * x - y * y + x0, 2 * x * y + y0
            iteration += 1
        counts.append(iteration)
    return counts


def cluster(points: Any, seed: int) -> float:
    """The within sum of squares of the best of some k-means from random starts, on one core."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        model = KMeans(CLUSTERS, init="random", max_iter=ITERATIONS, n_init=STARTS, random_state=seed).fit(points)
    return round(float(model.inertia_), 3)


@cache
def make_points() -> Any:
    """Normal points around as many centres as there are clusters to find."""
    import numpy as np

    rng = np.random.default_rng(1)
    centres = rng.normal(size=(CLUSTERS, DIMENSIONS))
    return centres[rng.integers(CLUSTERS, size=POINTS)] + rng.normal(size=(POINTS, DIMENSIONS))


def touch(array: Any, half: int) -> float:
    """The sum of one number of each page of a half of the array."""
    middle = len(array) // 2
    return float((array[:middle] if half == 0 else array[middle:])[::512].sum())


@lru_cache(maxsize=1)
def make_numbers(size: int) -> Any:
    """An array of so many bytes."""
    import numpy as np

    return np.ones(size // 8)
