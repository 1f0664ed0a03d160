"""What the contenders do: tasks for rxspark, the same work cut into a peer's calls, and a check of the result."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

# The article's dice example: games, games a chunk, seed.
GAMES, CHUNK, SEED = 10_000, 2_000, 777

# Switches of streams; normal numbers in an array, and arrays: the first one alone would pay for new memory.
SWITCHES, NORMALS, ARRAYS = 10_000, 1_000_000, 10

# The article's Poisson simulation, a fifth of its runs and half of its trials: runs, runs a chunk, models a run, rows.
RUNS, RUNS_A_CHUNK, TRIALS, OBSERVATIONS = 20, 5, 5, 50_000

# The article's table: rows, and the tags that its tasks filter by. And the bytes of the one large object.
ROWS, TAGS = 5_000_000, "ABCDEFG"
OBJECT = 1_000_000_000


def noop(_: Any = None) -> None:
    """A task that costs nothing: what is measured is the system around it."""


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
        return sm.GLM(data["count"], columns, family=sm.families.Poisson()).fit().params.tolist()

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


@dataclass(frozen=True)
class Workload:
    """One kind of work.

    `check` raises ValueError for a wrong result. `rx` are the arguments of rxExec; a peer calls `task` once for each
    of `items`. `joined` puts a peer's results into the form of rxspark's. Work inside one task has none of these, and
    contenders of its own, of which `rival` is the one that the others are compared with.

    Work on `data` is `task(data, item)` for everybody; if it is `placed`, the data has gone before the clock starts to
    where the workers find it, in the way that the contender has for that. Where `memory` is measured and not time,
    each contender is alone, with so many `workers`, and does it once.
    """

    title: str
    check: Callable[[list[Any]], None]
    rx: dict[str, Any] = field(default_factory=dict)
    task: Callable[[Any], Any] = noop
    items: list[Any] = field(default_factory=list)
    joined: Callable[[list[Any]], list[Any]] = list
    rival: str = ""
    data: Callable[[], Any] | None = None
    placed: bool = False
    memory: bool = False
    workers: int = 2


def fingerprint(results: list[Any]) -> str:
    """Equal for equal results: contenders that draw the same numbers are compared by it."""
    return hashlib.sha256(repr(results).encode()).hexdigest()[:12]


def _check_noop(count: int) -> Callable[[list[Any]], None]:
    def check(results: list[Any]) -> None:
        if results != [None] * count:
            raise ValueError(f"{len(results)} results, not {count} times None")

    return check


def _check_dice(results: list[Any]) -> None:
    wins = results.count("Win")
    # 244/495 of all games are won; 300 is six standard deviations.
    if len(results) != GAMES or set(results) != {"Win", "Loss"} or abs(wins - GAMES * 244 / 495) > 300:
        raise ValueError(f"{len(results)} games, {wins} won")


def _check_estimates(results: list[Any]) -> None:
    import numpy as np

    # 0.01 is six standard errors of the mean of a hundred such estimates.
    if np.shape(results) != (RUNS, TRIALS, 3) or (abs(np.mean(results, axis=(0, 1)) - [0, 1, 2]) > 0.01).any():
        raise ValueError(f"{len(results)} results, not {RUNS} of {TRIALS} models with coefficients near 0, 1, 2")


def _check_uniform(results: list[Any]) -> None:
    if len(results) != 1 or not 0 <= results[0] < 1:
        raise ValueError(f"{results}, not one number from 0 to 1")


def _check_normals(results: list[Any]) -> None:
    mean, deviation = results[0].mean(), results[0].std()
    # Six standard deviations of both.
    if results[0].size != NORMALS or abs(mean) > 6 / NORMALS**0.5 or abs(deviation - 1) > 6 / (2 * NORMALS) ** 0.5:
        raise ValueError(f"{results[0].size} numbers with mean {mean} and standard deviation {deviation}")


def _check_sums(results: list[Any]) -> None:
    # 714,000 numbers from 0 to 1 a tag: 3,000 are ten standard deviations, those of how many there are counted too.
    expected = ROWS / len(TAGS) / 2
    if len(results) != len(TAGS) or any(abs(total - expected) > 3_000 for total in results):
        raise ValueError(f"sums {results}, not {len(TAGS)} near {expected:,.0f}")


def _check_held(workers: int) -> Callable[[list[Any]], None]:
    def check(results: list[Any]) -> None:
        if results != [float(-(-(OBJECT // 8) // 512))] * workers:
            raise ValueError(f"{results}, not the sum over every page, {workers} times")

    return check


def _filter(title: str, placed: bool) -> Workload:
    return Workload(title, _check_sums, {}, filter_test, list(TAGS), data=make_table, placed=placed)


def _memory(workers: int) -> Workload:
    return Workload(
        f"memory for one object of 1 GB, {workers} workers",
        _check_held(workers),
        {"taskChunkSize": 1},
        hold,
        list(range(workers)),
        data=make_object,
        memory=True,
        workers=workers,
    )


def _noops(title: str, count: int) -> Workload:
    return Workload(title, _check_noop(count), {"FUN": noop, "timesToRun": count}, noop, list(range(count)))


WORKLOADS = {
    "noop2": _noops("no-op, 2 tasks in 2 chunks", 2),
    "noop10k": _noops("no-op, 10,000 tasks", 10_000),
    "dice": Workload(
        f"dice, {GAMES:,} games in {GAMES // CHUNK} chunks, seeded",
        _check_dice,
        {"FUN": play_dice, "timesToRun": GAMES, "taskChunkSize": CHUNK, "RNGseed": SEED},
        play_batch,
        [SEED + chunk for chunk in range(GAMES // CHUNK)],
        lambda batches: list(chain.from_iterable(batches)),
    ),
    "poisson": Workload(
        f"{RUNS} x {TRIALS} Poisson models of {OBSERVATIONS:,} rows in chunks of {RUNS_A_CHUNK}: rxGlm; statsmodels",
        _check_estimates,
        {"FUN": estimate, "timesToRun": RUNS, "taskChunkSize": RUNS_A_CHUNK, "RNGseed": SEED},
        estimate_batch,
        [SEED + chunk for chunk in range(RUNS // RUNS_A_CHUNK)],
        lambda batches: list(chain.from_iterable(batches)),
    ),
    "filter": _filter(f"filterTest, {ROWS:,} rows x {len(TAGS)} tags, the table as an argument", placed=False),
    "filter-placed": _filter("the same once the table has been placed (rxShare, put, scatter, broadcast)", placed=True),
    "memory2": _memory(2),
    "memory4": _memory(4),
    "streams": Workload(
        f"{SWITCHES:,} switches of streams in a task (10 ms are 1 µs each)", _check_uniform, rival="rx-mt2203"
    ),
    "normals": Workload(f"{NORMALS:,} normal numbers, {ARRAYS} times in a task", _check_normals, rival="rx-mt2203"),
}
