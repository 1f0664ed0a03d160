"""Hosts lose their power or their cable while a call runs: its numbers stay, and so does all that had come home."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lab_runs import Lab
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

Runs = dict[int, list[tuple[str, str]]]
"""Notes of each task, as (began or ended, host)."""

TASKS = 45  # of two seconds each on three slots, which is half a minute

# Runs on host0. Each task notes in the folder that all hosts share when it begins and when it has ended.
_CALL = f"""
import json, socket, sys, time, warnings
from pathlib import Path
import numpy as np
from rxspark import *

def work(i, seconds, folder):
    def note(what):
        with open(f"{{folder}}/{{i}}", "a") as file:
            file.write(f"{{what}} {{socket.gethostname()}}\\n")
    note("began")
    time.sleep(seconds)
    note("ended")
    return i, float(np.random.random())

notes = Path("/run/share", sys.argv[1])
notes.mkdir()
quiet = Path("/tmp/quiet")
quiet.mkdir(exist_ok=True)
call = dict(RNGseed=5, taskChunkSize=1)
config = {{"spark.ui.enabled": "false", "spark.cores.max": "3", **json.loads(sys.argv[2])}}
context = RxSpark(master="spark://host0:7077", executorCores=1, executorMem="512m", extraSparkConfig=config)
with context, warnings.catch_warnings():
    warnings.simplefilter("ignore")
    while len(rxPingNodes()) < 3:
        time.sleep(0.5)
    print("ready", flush=True)
    result = rxExec(work, rxElemArg(range({TASKS})), 2, str(notes), **call)
    with RxLocalSeq():
        alone = rxExec(work, rxElemArg(range({TASKS})), 0, str(quiet), **call)
    print(json.dumps(dict(errors=len(result.errors), same=result == alone)), flush=True)
    assert list(rxExec(abs, rxElemArg([-1, -2]))) == [1, 2]
    print("again", flush=True)
    for line in sys.stdin:
        print(json.dumps(sorted(rxPingNodes())), flush=True)
"""


class Call:
    """A call that runs on host0, the notes of its tasks, and what it says at its end."""

    def __init__(self, lab: Lab, name: str, process: subprocess.Popen[str]) -> None:
        self._notes = lab.share / name
        self._process = process
        self.next_line("ready")

    def next_line(self, wanted: str = "") -> str:
        """Return the next line that it prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, f"it ended with {self._process.wait()}"
        assert not wanted or line == wanted
        return line

    def nodes(self) -> list[str]:
        """Ask it for the nodes that there are now."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        told: list[str] = json.loads(self.next_line())
        return told

    def runs(self) -> Runs:
        """Return the notes of each task, as (began or ended, host)."""
        notes = {}
        for file in self._notes.iterdir():
            lines = [line.split() for line in file.read_text().splitlines()]
            notes[int(file.name)] = [(what, host) for what, host in lines]
        return notes

    def wait_until(self, true: Callable[[Runs], bool], seconds: float) -> None:
        """Wait for something of the notes."""
        wait_until(lambda: true(self.runs()), "what is waited for stands in the notes", seconds)

    def begun_on(self, host: str) -> int:
        """Count the tasks that have begun on a host."""
        return sum(("began", host) in notes for notes in self.runs().values())

    def outcome(self) -> dict[str, Any]:
        """Return what it says at its end, and the tasks that began more than once, with the hosts where they did."""
        told: dict[str, Any] = json.loads(self.next_line())
        began = {number: [host for what, host in notes if what == "began"] for number, notes in self.runs().items()}
        self.next_line("again")
        return {**told, "again": {number: hosts for number, hosts in began.items() if len(hosts) > 1}}


def _ended(runs: Runs) -> int:
    return sum(what == "ended" for notes in runs.values() for what, _ in notes)


def _ended_on(runs: Runs) -> set[str]:
    return {host for notes in runs.values() for what, host in notes if what == "ended"}


@contextmanager
def call(lab: Lab, name: str, **settings: str) -> Iterator[Call]:
    """Start a call and wait until each host has ended a task of it."""
    # An application that starts while a host is missing fills its cores with two executors on another one.
    wait_until(lambda: "spark at work" in lab.try_to("status").stdout, "Spark has a worker on each host", 600)
    command = lab.command("on", "host0", "python", "-c", _CALL, name, json.dumps(settings))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            running = Call(lab, name, process)
            running.wait_until(lambda runs: _ended_on(runs) == {"host1", "host2", "host3"}, 120)
            yield running
        finally:
            assert process.stdin is not None
            process.stdin.close()


def test_a_host_that_is_off_for_a_moment_only(spark_lab: Lab) -> None:
    """Booted at once, while Spark still takes it for alive, it costs no more than one that stays away."""
    with call(spark_lab, "moment") as running:
        spark_lab.do("kill", "host1")
        spark_lab.do("boot", "host1")
        told = running.outcome()
        again = told.pop("again")
        assert told == {"errors": 0, "same": True}
        assert [hosts[0] for hosts in again.values()] == ["host1"]
        _back(running, "HOST1")


def test_a_host_whose_end_is_announced(spark_lab: Lab) -> None:
    """It ends the task that it runs, which comes home, and gets no other; nothing runs twice."""
    with call(spark_lab, "notice", **{"spark.decommission.enabled": "true"}) as running:
        spark_lab.on("host1", "pkill", "-PWR", "-f", "spark.deploy.worker.Worker")
        try:
            begun = running.begun_on("host1")
            assert running.outcome() == {"errors": 0, "same": True, "again": {}}
            assert running.begun_on("host1") - begun <= 1  # it may have had the next one when the notice came
        finally:
            spark_lab.do("kill", "host1")
            spark_lab.do("boot", "host1")
        _back(running, "HOST1")


@contextmanager
def cut(lab: Lab, host: str) -> Iterator[None]:
    """Cut the cable of a host for a while."""
    lab.do("cut", host)
    try:
        yield
    finally:
        lab.do("mend", host)


def test_a_cable_that_is_cut_for_half_a_minute(spark_lab: Lab) -> None:
    """Nothing runs twice: what had ended meanwhile is delivered when the cable is mended."""
    with call(spark_lab, "cable") as running:
        with cut(spark_lab, "host2"):  # for fifteen tasks of two seconds on each of the two others
            running.wait_until(lambda runs: _ended(runs) >= 34, 120)
        assert running.outcome() == {"errors": 0, "same": True, "again": {}}


def test_a_cable_that_is_cut_for_good(spark_lab: Lab) -> None:
    """The one task that the host had not delivered runs again elsewhere."""
    with call(spark_lab, "cut") as running, cut(spark_lab, "host2"):
        told = running.outcome()
    _assert_one_lost_on("host2", told)


def test_a_host_without_power_for_good(spark_lab: Lab) -> None:
    """The one task that ran there runs again elsewhere."""
    with call(spark_lab, "power") as running:
        spark_lab.do("kill", "host3")
        try:
            told = running.outcome()
        finally:
            spark_lab.do("boot", "host3")
    _assert_one_lost_on("host3", told)


def test_a_slow_network_that_loses_packets(spark_lab: Lab) -> None:
    """With 100 ms there and back and 2 % lost nothing is different but the time."""
    hosts = ["host1", "host2", "host3"]
    for host in hosts:
        spark_lab.do("net", host, "--delay", 50, "--loss", 2)
    try:
        with call(spark_lab, "slow") as running:
            assert running.outcome() == {"errors": 0, "same": True, "again": {}}
    finally:
        for host in hosts:
            spark_lab.do("net", host, "--delay", 0, "--loss", 0)


def _assert_one_lost_on(host: str, told: dict[str, Any]) -> None:
    """Check that all is as undisturbed, but for at most one task, which had begun on a host and ran again elsewhere."""
    again = told.pop("again")
    assert told == {"errors": 0, "same": True}
    assert len(again) <= 1
    assert all(first == host and host not in others for first, *others in again.values())


def _back(running: Call, node: str) -> None:
    """Wait until a node serves again: Spark asks for an executor there once its worker has registered."""
    wait_until(lambda: node in running.nodes(), f"{node} serves again", 200)
