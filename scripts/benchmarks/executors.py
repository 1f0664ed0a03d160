"""Measure what many executors cost the driver: `scripts/bench --executors 16 64`.

Each is a JVM of its own with one slot and one Python worker (local-cluster), made as small as it runs well: compiled
once only, collected by one thread, its classes in an archive that all of them map. What is counted is the processor
time of the driver, its Python and its JVM apart; the JVM holds Spark's master and workers too. On a machine with few
cores the seconds say little, as all executors share them. A process of its own for each number of executors. For more
executors than the machine has memory for, the driver's Python is measured with a stand-in.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import driver
from benchmarks.cluster import Cluster, Spent, many_executors, memory_of, own_executor
from benchmarks.tasks import noop
from rxspark import RxLocalSeq, rxElemArg, rxExec, rxOptions
from rxspark.results import RxResults

# Tasks that do nothing, and more of them in as many partitions, to see what a result costs.
TASKS, MORE_TASKS = 10_000, 310_000

# Partitions a slot in the call that shows what one costs, and in those of which executors are lost.
MANY, DISTURBED = 8, 4

# Tasks a partition of the calls of which executors are lost, and seconds that each sleeps.
CHUNK, SLEEP_S = 5, 0.05

# One of so many executors is killed, and at least one.
LOST_SHARE = 16

# The parent of a worker whose executor was killed, in the last moments that it has.
ORPHAN = 1

SHARED_BYTES = 10_000_000

# Runs of each call in turn, of which the least counts, after one that is not counted.
ROUNDS = 2

# The stand-in: executors, with so many partitions each, and results a partition.
STAND_IN, PARTITIONS, RESULTS = (200, 1_000), 15, 100

ARCHIVE_LIMIT_S = 60.0

# Milliseconds and microseconds of the driver's processor: its Python's + its JVM's; memory likewise.
TITLES = (
    "executors",
    "all there, s",
    "10,000 empty tasks, a partition each, ms",
    "a partition more, ms",
    "a result, µs",
    "bytes",
    "10 MB to all, ms",
    "a lost executor, ms",
    "tasks twice, of lost",
    "driver, MB",
    "an executor: JVM + Python, MB",
)


def draw(number: int, log: str | None) -> float:
    """Sleep, write down where the task runs, and give a random number; without a log only the number."""
    if log is not None:
        with open(log, "a") as file:
            file.write(f"{number} {own_executor()}\n")
        time.sleep(SLEEP_S)
    return random.random()


def size_of(shared: bytes) -> int:
    """A task that reads an object which all tasks share."""
    return len(shared)


def _runs(log: Path) -> list[tuple[int, int]]:
    """Task and executor of each run so far; of a line that is being written nothing."""
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    return [(int(task), int(pid)) for task, pid in (line.split() for line in lines if line.endswith("\n"))]


def _nothing(tasks: int, partitions: int) -> RxResults[Any]:
    results = rxExec(noop, timesToRun=tasks, taskChunkSize=-(-tasks // partitions))
    if list(results) != [None] * tasks:
        raise ValueError(f"{len(results.errors)} errors in {len(results)} results of {tasks} tasks")
    return results


def _shared(executors: int) -> RxResults[Any]:
    results = rxExec(size_of, os.urandom(SHARED_BYTES), timesToRun=executors, taskChunkSize=1)
    if list(results) != [SHARED_BYTES] * executors:
        raise ValueError(f"{results} of an object of {SHARED_BYTES} bytes")
    return results


def _draws(executors: int, log: Path | None) -> RxResults[float]:
    numbers = rxElemArg(range(executors * DISTURBED * CHUNK))
    return rxExec(draw, numbers, None if log is None else str(log), taskChunkSize=CHUNK, RNGseed=777, RNGkind="PHILOX")


@contextmanager
def _killing(cluster: Cluster, log: Path, count: int) -> Iterator[list[int]]:
    """Kill the executors that have begun a task last, once half of the tasks have been begun."""
    half = cluster.count * DISTURBED * CHUNK // 2
    killed: list[int] = []

    def kill() -> None:
        while len(_runs(log)) < half:
            time.sleep(0.05)
        killed.extend(dict.fromkeys([pid for _, pid in reversed(_runs(log))]))
        del killed[count:]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    if count:
        thread.start()
    yield killed
    if count:
        thread.join()


def _disturbed(cluster: Cluster, lost: int, folder: Path, expected: list[float]) -> tuple[Spent, int]:
    """Measure a call in which executors are lost, and count the tasks that ran twice."""
    log = Path(tempfile.mkdtemp(dir=folder), "runs")
    with _killing(cluster, log, lost) as killed:
        found: list[RxResults[float]] = []
        spent = cluster.spent(lambda: found.append(_draws(cluster.count, log)))
    if list(found[0]) != expected:
        raise ValueError("the results are not those of RxLocalSeq")
    return spent, _ran_twice(_runs(log), {*killed})


def _ran_twice(runs: list[tuple[int, int]], killed: set[int]) -> int:
    """Count the tasks that ran twice: no more than the killed executors had at hand, and had not delivered."""
    ran_on: dict[int, list[int]] = {}
    for task, pid in runs:
        ran_on.setdefault(task, []).append(pid)
    twice = [task for task, pids in ran_on.items() if len(pids) > 1]
    elsewhere = [task for task in twice if not {*ran_on[task]} & (killed | {ORPHAN})]
    if elsewhere or len({task // CHUNK for task in twice}) > len(killed):
        raise ValueError(f"killed {killed}, and twice ran { {task: ran_on[task] for task in twice} }")
    return len(twice)


def _least(rounds: list[Spent]) -> Spent:
    """The least of each of its times, and the most memory, as what is free again is used again."""
    columns = list(zip(*rounds, strict=True))
    return Spent(*[*map(min, columns[:3]), *map(max, columns[3:])])


def _figures(cluster: Cluster, folder: Path, expected: list[float]) -> dict[str, Any]:
    """Measure each call a few times in turn."""
    count = cluster.count
    lost = max(1, count // LOST_SHARE)
    calls: dict[str, Callable[[], Spent]] = {
        "few": lambda: cluster.spent(lambda: _nothing(TASKS, count)),
        "many": lambda: cluster.spent(lambda: _nothing(TASKS, count * MANY)),
        "results": lambda: cluster.spent(lambda: _nothing(MORE_TASKS, count)),
        "shared": lambda: cluster.spent(lambda: _shared(count)),
        "calm": lambda: _disturbed(cluster, 0, folder, expected)[0],
    }
    rounds: dict[str, list[Spent]] = {name: [] for name in calls}
    for turn in range(ROUNDS + 1):
        for name, call in calls.items():
            spent = call()
            if turn:
                rounds[name].append(spent)
    figures: dict[str, Any] = {name: _least(spent) for name, spent in rounds.items()}
    figures["memory"] = memory_of(cluster)
    figures["lost"], figures["twice"] = _disturbed(cluster, lost, folder, expected)
    return figures | {"killed": lost}


def measure(executors: int, java_options: str) -> dict[str, Any]:
    """Figures of a session with so many executors."""
    rxOptions(reportProgress=0)
    with RxLocalSeq():
        expected = list(_draws(executors, None))
    with many_executors(executors, java_options), tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(executors)
        told = {"start": cluster.seconds} | _figures(cluster, Path(folder), expected)
        cluster.spark.stop()
    return told


def _run(executors: int, java_options: str) -> dict[str, Any]:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.executors", str(executors), java_options]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(text, file=sys.stderr)  # as the next number may be too many
    told: dict[str, Any] = json.loads(text)
    return told


def _made(archive: Path) -> Path:
    """Wait for the archive of classes, which an executor writes when it ends."""
    until = time.monotonic() + ARCHIVE_LIMIT_S
    size = -1
    while not archive.exists() or size != archive.stat().st_size:
        if time.monotonic() > until:
            raise RuntimeError("no executor has left an archive of its classes")
        size = archive.stat().st_size if archive.exists() else -1
        time.sleep(2)
    return archive


def table(numbers: list[int]) -> str:
    """All numbers of executors, as Markdown."""
    lines = [_row(TITLES), "|--:" * len(TITLES) + "|"]
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "classes.jsa")
        _run(1, f"-XX:ArchiveClassesAtExit={archive}")
        for executors in numbers:
            told = _run(executors, f"-XX:SharedArchiveFile={_made(archive)}")
            lines.append(_row([str(executors), *_cells(executors, told)]))
    return "\n".join([*lines, "", *_stand_in()])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(executors: int, told: dict[str, Any]) -> list[str]:
    few, many, results, shared, calm, lost = (
        Spent(*told[name]) for name in ("few", "many", "results", "shared", "calm", "lost")
    )
    partitions, more, killed = executors * (MANY - 1), MORE_TASKS - TASKS, told["killed"]
    memory = told["memory"]
    return [
        f"{told['start']:.0f}",
        f"{few.python * 1e3:.0f} + {few.jvm * 1e3:.0f}",
        f"{(many.python - few.python) / partitions * 1e3:.2f} + {(many.jvm - few.jvm) / partitions * 1e3:.1f}",
        f"{(results.python - few.python) / more * 1e6:.2f} + {(results.jvm - few.jvm) / more * 1e6:.2f}",
        f"{(results.python_mb - few.python_mb) / more * 1e6:.0f}",
        f"{shared.python * 1e3:.0f} + {shared.jvm * 1e3:.0f}",
        f"{(lost.python - calm.python) / killed * 1e3:.0f} + {(lost.jvm - calm.jvm) / killed * 1e3:.0f}",
        f"{told['twice']} of {killed}",
        f"{memory['python']:.0f} + {memory['jvm']:.0f}",
        f"{memory['executor jvm']:.0f} + {memory['executor python']:.0f}",
    ]


def _stand_in() -> list[str]:
    """Measure the driver's Python with more executors, by a stand-in for the cluster."""
    lines = ["| executors | partitions | results | lost executors | s | MB |", "|--:" * 6 + "|"]
    for executors in STAND_IN:
        partitions = executors * PARTITIONS
        for lost in (0, 1, executors // 2):
            told = driver.run(partitions * RESULTS, partitions, {"lost": lost / executors})
            cells = (f"{executors:,}", f"{partitions:,}", f"{partitions * RESULTS:,}", str(lost))
            lines.append(_row([*cells, f"{told['seconds']:.2f}", f"{told['megabytes']:.0f}"]))
    return lines


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
