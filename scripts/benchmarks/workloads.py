"""Workloads of the contenders: tasks for rxspark, the same work cut into a peer's calls, and a check of the result."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

from benchmarks import groups, jobs, tasks
from benchmarks.tasks import CHUNK, OBJECT, ROWS, TAGS

# The article's dice example: games, and its seed.
GAMES, SEED = 10_000, 777

# Switches of streams; normal numbers in an array, and arrays: the first one alone would pay for new memory.
SWITCHES, NORMALS, ARRAYS = 10_000, 1_000_000, 10

# Sizes of the works through which a curve is fitted: tasks that do nothing, bytes of data.
COUNTS = {"100": 10**2, "1k": 10**3, "10k": 10**4, "100k": 10**5, "1M": 10**6}
SIZES = {"1 MB": 10**6, "10 MB": 10**7, "100 MB": 10**8, "1 GB": 10**9, "4 GB": 4 * 10**9}


@dataclass(frozen=True)
class Workload:
    """One kind of work.

    `check` raises ValueError for a wrong result. `rx` are the arguments of rxExec; a peer calls `task` once for each
    of `items`. `joined` puts a peer's results into the form of rxspark's. Work inside one task has none of these, and
    contenders of its own, of which `rival` is the one that the others are compared with.

    Work on `data` is `task(data, item)` for everybody; if it is `placed`, the data has gone before the clock starts to
    where the workers find it, in the way that the contender has for that. What only rxspark does is `own(data)`. Where
    results are `exact`, those of all contenders are the same, as are those of all work on the same data.

    Work by `key` is `task(keys, rows)` of each group of rows of the data, for everybody, in the order of the keys.

    Works of one `family` differ by their `size` alone. A contender is `alone` where others would take the memory or
    the cores from it; it then has so many `workers`. Where `memory` is measured and not time, the work is done once.
    """

    title: str
    check: Callable[[list[Any]], None]
    rx: dict[str, Any] = field(default_factory=dict)
    task: Callable[..., Any] = tasks.noop
    items: list[Any] = field(default_factory=list)
    joined: Callable[[list[Any]], list[Any]] = list
    rival: str = ""
    data: Callable[[], Any] | None = None
    placed: bool = False
    own: Callable[[Any], list[Any]] | None = None
    key: str = ""
    exact: bool = False
    memory: bool = False
    alone: bool = False
    workers: int = 2
    family: str = ""
    size: float = 0


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
    if (
        np.shape(results) != (tasks.RUNS, tasks.TRIALS, 3)
        or (abs(np.mean(results, axis=(0, 1)) - [0, 1, 2]) > 0.01).any()
    ):
        raise ValueError(
            f"{len(results)} results, not {tasks.RUNS} of {tasks.TRIALS} models with coefficients near 0, 1, 2"
        )


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


def _check_birthdays(results: list[Any]) -> None:
    alone = 1.0  # the probability that no two of so many people share a birthday
    for people, share in enumerate(results, 2):
        alone *= 1 - (people - 1) / 365
        # Six standard deviations; where all groups are expected alike, one of them may differ.
        if abs(share - (1 - alone)) > 6 * (alone * (1 - alone) / tasks.GROUPS) ** 0.5 + 1 / tasks.GROUPS:
            raise ValueError(f"{share} for {people} people, not {1 - alone:.4f}")
    if len(results) != 99:
        raise ValueError(f"{len(results)} results, not 99")


def _check_mandelbrot(results: list[Any]) -> None:
    inside = sum(row.count(tasks.LIMIT) for row in results)
    # About 1.5066 of the square's area, 6.76, is in the set; some points near its edge take longer than the limit.
    if len(results) != tasks.SIDE or not 0.220 < inside / tasks.SIDE**2 < 0.235:
        raise ValueError(f"{len(results)} rows, {inside} points inside")


def _check_clusters(results: list[Any]) -> None:
    # With the true centres it is the sum of squares of as many standard normal numbers, within six deviations.
    mean, deviation = tasks.POINTS * tasks.DIMENSIONS, (2 * tasks.POINTS * tasks.DIMENSIONS) ** 0.5
    if len(results) != 20 or not abs(min(results) - mean) < 6 * deviation:
        raise ValueError(f"{results}, of which the least is not near {mean}")


def _check_halves(size: int) -> Callable[[list[Any]], None]:
    def check(results: list[Any]) -> None:
        if sum(results) != 2 * -(-(size // 16) // 512):
            raise ValueError(f"{results}, not the two halves of the pages of {size} bytes")

    return check


def _check_resumed(results: list[Any]) -> None:
    if results != list(range(jobs.TASKS)):
        raise ValueError(f"{len(results)} results, not the numbers of {jobs.TASKS} tasks")


def _filter(title: str, placed: bool) -> Workload:
    return Workload(title, _check_sums, {}, tasks.filter_test, list(TAGS), data=tasks.make_table, placed=placed)


def _memory(workers: int) -> Workload:
    return Workload(
        f"memory for one object of 1 GB, {workers} workers",
        _check_held(workers),
        {"taskChunkSize": 1},
        tasks.hold,
        list(range(workers)),
        data=tasks.make_object,
        memory=True,
        alone=True,
        workers=workers,
    )


def _birthdays(title: str, **more: Any) -> Workload:
    people = list(range(2, 101))
    rx = {"FUN": tasks.birthday, "elemArgs": people, "taskChunkSize": 20, "RNGseed": SEED}
    return Workload(title, _check_birthdays, rx, tasks.seeded_birthday, people, **more)


def _on_data(name: str, size: int) -> Workload:
    return Workload(
        f"{name} as an argument of two tasks",
        _check_halves(size),
        {},
        tasks.touch,
        [0, 1],
        data=partial(tasks.make_numbers, size),
        alone=True,
        family="data",
        size=size,
    )


def _noops(title: str, count: int) -> Workload:
    rx = {"FUN": tasks.noop, "timesToRun": count}
    family = "tasks" if count in COUNTS.values() else ""
    return Workload(title, _check_noop(count), rx, tasks.noop, list(range(count)), family=family, size=count)


WORKLOADS = {
    "noop2": _noops("no-op, 2 tasks in 2 chunks", 2),
    **{f"noop{name}": _noops(f"no-op, {count:,} tasks", count) for name, count in COUNTS.items()},
    "dice": Workload(
        f"dice, {GAMES:,} games in {GAMES // CHUNK} chunks, seeded",
        _check_dice,
        {"FUN": tasks.play_dice, "timesToRun": GAMES, "taskChunkSize": CHUNK, "RNGseed": SEED},
        tasks.play_batch,
        [SEED + chunk for chunk in range(GAMES // CHUNK)],
        lambda batches: list(chain.from_iterable(batches)),
    ),
    "birthday": _birthdays("birthday problem, 99 tasks in 5 chunks, seeded"),
    "mandelbrot": Workload(
        f"Mandelbrot, {tasks.SIDE} rows in 5 chunks",
        _check_mandelbrot,
        {"FUN": tasks.mandelbrot, "elemArgs": list(range(tasks.SIDE)), "taskChunkSize": tasks.SIDE // 5},
        tasks.mandelbrot,
        list(range(tasks.SIDE)),
        exact=True,
    ),
    "kmeans": Workload(
        f"k-means, 20 runs of {tasks.STARTS} starts on {tasks.POINTS:,} x {tasks.DIMENSIONS} numbers",
        _check_clusters,
        {},
        tasks.cluster,
        list(range(20)),
        data=tasks.make_points,
    ),
    "poisson": Workload(
        f"{tasks.RUNS} x {tasks.TRIALS} Poisson models of {tasks.OBSERVATIONS:,} rows: rxGlm; statsmodels",
        _check_estimates,
        {"FUN": tasks.estimate, "timesToRun": tasks.RUNS, "taskChunkSize": tasks.RUNS_A_CHUNK, "RNGseed": SEED},
        tasks.estimate_batch,
        [SEED + chunk for chunk in range(tasks.RUNS // tasks.RUNS_A_CHUNK)],
        lambda batches: list(chain.from_iterable(batches)),
    ),
    "filter": _filter(f"filterTest, {ROWS:,} rows x {len(TAGS)} tags, the table as an argument", placed=False),
    "filter-placed": _filter("the same once the table has been placed (rxShare, put, scatter, broadcast)", placed=True),
    "groups": Workload(
        f"a function of {groups.GROUPS:,} groups of {groups.ROWS_A_GROUP} rows (rxExecBy; groupby; applyInPandas)",
        groups.check_means,
        task=groups.mean,
        data=groups.make_groups,
        key="key",
    ),
    "filter-groups": Workload(
        f"filterTest by groups, {ROWS:,} rows x {len(TAGS)} tags",
        _check_sums,
        task=groups.total,
        data=tasks.make_table,
        key="tag",
    ),
    "job": Workload("a job of 2 no-op tasks: submitted, waited for, fetched", _check_noop(2), own=jobs.submit),
    "resume": Workload(
        f"a job in a folder resumed: {jobs.TASKS // 2} of {jobs.TASKS:,} no-op tasks are missing",
        _check_resumed,
        data=jobs.half_a_job,
        own=jobs.resume,
    ),
    "memory2": _memory(2),
    "memory4": _memory(4),
    **{f"data{name.replace(' ', '')}": _on_data(name, size) for name, size in SIZES.items()},
    **{
        f"workers{count}": _birthdays(
            f"birthday problem, {count} workers", alone=True, workers=count, family="workers", size=count
        )
        for count in (1, 2, 4)
    },
    "streams": Workload(
        f"{SWITCHES:,} switches of streams in a task (10 ms are 1 µs each)", _check_uniform, rival="rx-mt2203"
    ),
    "normals": Workload(f"{NORMALS:,} normal numbers, {ARRAYS} times in a task", _check_normals, rival="rx-mt2203"),
}
