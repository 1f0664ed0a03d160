"""Asks every contender for every workload, in turn, and writes what they answered: see the package's own text."""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

from benchmarks import combined, driver, empty, executors, kept, report, shipping, start_up
from benchmarks.contenders import CONTENDERS, CORES, R
from benchmarks.workloads import WORKLOADS

# A warm-up ends after so many runs or seconds: a JVM that has run 20 small jobs has compiled what they need.
WARM_RUNS, WARM_SECONDS = 20, 3.0
# A run longer than the first, once warm, is made only once more; one longer than the second is not repeated at all.
SLOW, VERY_SLOW = 3.0, 30.0
# Seconds after which a contender is given up, at its start (a JVM: 10 on two cores) and in a run (joblib-spark's
# 10,000 no-op tasks: 343).
START_LIMIT, RUN_LIMIT = 120.0, 900.0

# Packages whose import is timed, each time by a fresh Python.
IMPORTS = ("rxspark", "joblib", "loky", "pyspark", "distributed", "ray")

# What rxspark is measured at without its peers.
ALONE: dict[str, Callable[[int], str]] = {
    "empty": lambda repeats: empty.table([], repeats),
    "shipping": shipping.table,
}

# Equal ground for all Spark sessions: loopback only, no web server, no progress bar, and a log that holds the errors.
SPARK_ENV = {
    "SPARK_LOCAL_IP": "127.0.0.1",
    "PYSPARK_SUBMIT_ARGS": "--conf spark.ui.enabled=false --conf spark.ui.showConsoleProgress=false "
    "--conf spark.log.level=ERROR pyspark-shell",
}


@dataclass
class Measure:
    """Figures of one contender at one workload."""

    figures: list[float] = field(default_factory=list)
    """Seconds, or where memory is measured, copies."""
    fingerprints: set[str] = field(default_factory=set)
    note: str = ""

    def add(self, answer: dict[str, Any]) -> None:
        """Put one answer down."""
        if "error" in answer:
            self.note = answer["error"]
        else:
            self.figures.append(answer["figure"])
            self.fingerprints.add(answer["fingerprint"])


class Running:
    """A contender's process, seen from here."""

    def __init__(self, name: str, logs: Path, cores: int = CORES) -> None:
        self.name = name
        self.log = logs / (f"{name}.log" if cores == CORES else f"{name}-{cores}.log")
        command = [sys.executable, "-m", "benchmarks.worker", name]
        if isinstance(CONTENDERS[name], R):
            command = ["Rscript", str(Path(__file__).parent / "peers.R"), name]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={
                    **os.environ,
                    **SPARK_ENV,
                    "BENCH_CORES": str(cores),
                    "BENCH_MEETING": str(logs.absolute() / f"{name}-meeting"),
                },
                text=True,
            )

    def ask(self, workload: str) -> dict[str, Any]:
        """One run: its figure and fingerprint, or its error."""
        assert self.process.stdin
        try:
            self.process.stdin.write(workload + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"error": f"it has ended: see {self.log}"}
        return self.answer(RUN_LIMIT)

    def answer(self, limit: float) -> dict[str, Any]:
        """The next line it says; an error when it ends or takes too long."""
        stdout: IO[str] | None = self.process.stdout
        assert stdout
        if not select.select([stdout], [], [], limit)[0]:
            self.process.kill()
            return {"error": f"no answer within {limit:g} s"}
        line = stdout.readline()
        return json.loads(line) if line else {"error": f"it has ended: see {self.log}"}

    def stop(self) -> None:
        """Let it end by itself, for a minute."""
        assert self.process.stdin
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


def start(names: list[str], logs: Path, cores: int = CORES) -> list[Running]:
    """Those of the contenders that can be started, one after the other, each with so many workers."""
    ready = []
    for name in names:
        began = time.perf_counter()
        running = Running(name, logs, cores)
        error = running.answer(START_LIMIT).get("error")
        say(f"{name}: " + (f"left out, {error}" if error else f"started in {time.perf_counter() - began:.1f} s"))
        if error:
            running.process.kill()
        else:
            ready.append(running)
    return ready


def contest(workload: str, contenders: list[Running], repeats: int, everything: bool) -> dict[str, Measure]:
    """One workload: a warm-up of each contender that takes part, then the rounds, each in another order."""
    contenders = [one for one in contenders if workload in CONTENDERS[one.name].workloads]
    measures = {one.name: Measure() for one in contenders}
    rounds: dict[str, int] = {}
    for one in contenders:
        if workload in CONTENDERS[one.name].slow and not everything:
            measures[one.name].note = "takes minutes: only with --all"
            rounds[one.name] = 0
        elif WORKLOADS[workload].memory:
            rounds[one.name] = 1
        else:
            rounds[one.name] = min(warm_up(workload, one, measures[one.name]), repeats)
    for turn in range(repeats):
        due = [one for one in contenders if turn < rounds[one.name]]
        first = turn % max(len(due), 1)
        for one in due[first:] + due[:first]:
            measures[one.name].add(one.ask(workload))
    return measures


def alone(workload: str, names: list[str], logs: Path, repeats: int, everything: bool) -> dict[str, Measure]:
    """A workload for which each contender is the only one that runs."""
    measures: dict[str, Measure] = {}
    taking_part = [name for name in names if workload in CONTENDERS[name].workloads]
    for name in taking_part:
        for running in start([name], logs, WORKLOADS[workload].workers):
            measures |= contest(workload, [running], repeats, everything)
            running.stop()
    return measures


def warm_up(workload: str, one: Running, measure: Measure) -> int:
    """Untimed runs; gives the number of timed ones that may follow."""
    began = time.perf_counter()
    for run in range(WARM_RUNS):
        answer = one.ask(workload)
        if "error" in answer or answer["figure"] > VERY_SLOW:
            measure.add(answer)
            measure.note = measure.note or "one run, not warmed up"
            return 0
        # Never after the first, which may start processes and so says nothing about the next.
        if run and time.perf_counter() - began > WARM_SECONDS:
            break
    if answer["figure"] > SLOW:
        measure.note = "one run"
        return 1
    return sys.maxsize


def disagreements(workload: str, measures: dict[str, Measure]) -> list[str]:
    """Contenders that should have got the same numbers, all of them from the same data, and did not."""
    said = []
    exact = WORKLOADS[workload].exact or WORKLOADS[workload].data is not None
    group = {name: "all" if exact else CONTENDERS[name].draws for name in measures}
    for draws in set(group.values()) - {""}:
        members = {name: measure.fingerprints for name, measure in measures.items() if group[name] == draws}
        if len(set().union(*members.values())) > 1:
            said.append("results differ: " + ", ".join(f"{n} {'/'.join(sorted(f))}" for n, f in members.items() if f))
    return said


def imports(repeats: int) -> dict[str, Measure]:
    """Seconds of each import in a fresh Python, the first run left out (it fills the file cache)."""
    measures = {module: Measure() for module in IMPORTS}
    for turn in range(repeats + 1):
        for module, measure in measures.items():
            code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
            told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
            if told.returncode:
                measure.note = told.stderr.strip().splitlines()[-1]
            elif turn:
                measure.figures.append(float(told.stdout.split()[-1]))
    return measures


def say(text: str) -> None:
    """Progress: to standard error, as the table is what standard output is for."""
    print(text, file=sys.stderr, flush=True)


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures rxspark beside its peers, in one run.")
    parser.add_argument("--repeats", type=int, default=7, help="timed runs of each contender (default 7)")
    for option, among in (("only", [*WORKLOADS, "import", *ALONE]), ("contenders", list(CONTENDERS))):
        what = "workloads" if option == "only" else option
        parser.add_argument(
            f"--{option}", nargs="+", type=one_of(among), metavar="NAME", help=f"only these {what}: {', '.join(among)}"
        )
    parser.add_argument("--all", action="store_true", help="also the runs that take minutes")
    parser.add_argument("--driver", action="store_true", help="only what the driver does with up to 1e7 tasks (1 GB)")
    parser.add_argument(
        "--executors",
        nargs="+",
        type=int,
        metavar="N",
        help="only what N executors cost the driver, and a stand-in for more (0.25 GB an executor)",
    )
    parser.add_argument("--start", action="store_true", help="only the start of Spark, with several options of its JVM")
    parser.add_argument("--combined", action="store_true", help="only 1e7 tasks to the end, their results combined")
    parser.add_argument(
        "--empty",
        nargs="*",
        type=Path,
        metavar="CHECKOUT",
        help="only the processor time of an empty task, here and in other checkouts of rxspark in turn",
    )
    parser.add_argument("--shipping", action="store_true", help="only what elements and results of many kinds take")
    parser.add_argument("--kept", metavar="URL", help="only what this share folder adds to a short call on Spark")
    parser.add_argument("--with-r", action="store_true", help="install R and its packages first, if they are not there")
    asked = parser.parse_args()
    asked.only = list(chain.from_iterable(asked.only or []))
    asked.contenders = list(chain.from_iterable(asked.contenders or []))
    return asked


def one_of(among: list[str]) -> Callable[[str], list[str]]:
    """Reads names of `among`, one or several with commas."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in among:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(among)}")
        return names

    return read


def main() -> None:
    """Run, write, print."""
    asked = options()
    if asked.driver:
        print(driver.table())
        return
    if asked.executors:
        print(executors.table(asked.executors))
        return
    if asked.start:
        print(start_up.table(asked.repeats))
        return
    if asked.combined:
        print(combined.table())
        return
    if asked.shipping:
        print(shipping.table(asked.repeats))
        return
    if asked.kept:
        print(kept.table(asked.kept, asked.repeats))
        return
    if asked.empty is not None:
        print(empty.table([checkout.absolute() for checkout in asked.empty], asked.repeats))
        return
    where = report.machine()
    folder = Path("bench-results") / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    workloads = [name for name in asked.only or [*WORKLOADS, "import"] if name not in ALONE]
    names = [name for name in asked.contenders or CONTENDERS if set(workloads) & set(CONTENDERS[name].workloads)]
    if not shutil.which("Rscript"):
        names = [name for name in names if not isinstance(CONTENDERS[name], R)]
    results: dict[str, dict[str, Measure]] = {}
    problems: list[str] = []
    together = [workload for workload in workloads if workload == "import" or not WORKLOADS[workload].alone]
    contenders = start([name for name in names if set(together) & set(CONTENDERS[name].workloads)], folder)
    try:
        for workload in together:
            say(f"{workload} ...")
            if workload == "import":
                results[workload] = imports(asked.repeats)
            else:
                results[workload] = contest(workload, contenders, asked.repeats, asked.all)
                problems += [f"{workload}: {text}" for text in disagreements(workload, results[workload])]
    finally:
        for one in contenders:
            one.stop()
    for workload in workloads:
        if workload not in together:
            say(f"{workload} ...")
            results[workload] = alone(workload, names, folder, asked.repeats, asked.all)
            problems += [f"{workload}: {text}" for text in disagreements(workload, results[workload])]
    cells = {workload: {name: vars(measure) for name, measure in row.items()} for workload, row in results.items()}
    more = [make(asked.repeats) for name, make in ALONE.items() if name in (asked.only or ALONE)]
    print(report.write(folder, where, cells, problems, more))


if __name__ == "__main__":
    main()
