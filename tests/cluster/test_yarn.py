"""rxExec on a real YARN from plain Python: the environment that travels, and what is killed meanwhile."""

from __future__ import annotations

import ast
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project import EXAMPLES, HADOOP
from waiting import wait_until
from yarn import SETTINGS, SIZE, files, run, wins

pytestmark = pytest.mark.timeout(1200)  # Hadoop, the archive and a program come first

# Prints what the tests look at, one line a promise, as Python literals.
PROGRAM = """
import glob, json, os, shutil, signal, sys, threading, time
import numpy as np
sys.path.insert(0, sys.argv[1])
from dice import play_dice
from rxspark import *
share, environment, hadoop, size, config = sys.argv[2], sys.argv[3], sys.argv[4], eval(sys.argv[5]), eval(sys.argv[6])
show = lambda name, value: print(name, repr(value), sep="=", flush=True)
kill = lambda pid: os.kill(pid, signal.SIGKILL)
daemons = json.load(open(hadoop + "/pids.json"))

context = rxSparkConnect(master="yarn", hdfsShareDir=share, pythonEnv=environment, queue="default",
                         extraSparkConfig=config, **size)
show("left", [file.name for file in rxHadoopListFiles(share) if "check" in file.name])
show("games", rxExec(play_dice, timesToRun=1000, taskChunkSize=100, RNGseed=777).count("Win"))

def where():
    import os, sys, numpy
    return os.getcwd(), sys.prefix, numpy.__file__, os.environ["CONTAINER_ID"]
show("places", list(rxExec(where, timesToRun=2)))

def needs_sklearn():
    import sklearn
    raise SystemExit
try:
    rxExec(needs_sklearn)
except RxMissingError as error:
    show("lacking", str(error))

numbers = np.arange(400_000.0)

def bundles():
    return [file.name for file in rxHadoopListFiles(share, recursive=True) if file.name.endswith(".bundle")]

def source(array):  # the file that an array's numbers are mapped from: its path and inode
    address = array.__array_interface__["data"][0]
    for line in open("/proc/self/maps"):
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        if first <= address < last:
            *_, inode, path = line.split(maxsplit=5)
            return path.strip(), inode

def beholds(x, number, url):
    import os, time, fsspec
    open(f"{met}/{os.environ['CONTAINER_ID']}", "w").close()
    until = time.monotonic() + 60
    while len(os.listdir(met)) < 2 and time.monotonic() < until:  # so that neither executor takes all
        time.sleep(0.05)
    fs, path = fsspec.core.url_to_fs(url)
    # By rxShare, or with the rest of the call in the folder of its job.
    large = [name for name, file in fs.find(path, detail=True).items() if file["size"] >= 3_200_000]
    return float(x[number]), source(x), sum(name.endswith((".bundle", "/call.data")) for name in large)

met = os.path.abspath("met")

def sharing(x):
    shutil.rmtree(met, ignore_errors=True)
    os.mkdir(met)
    results = rxExec(beholds, x, rxElemArg(range(8)), share)
    return [value for value, _, _ in results], {place for _, place, _ in results}, {count for _, _, count in results}

shared = rxShare(numbers)
show("rxShare", [sharing(shared), sharing(shared)])
shared.remove()
show("removed", bundles())
show("automatic", sharing(numbers))
show("left_by_calls", bundles())

with open("numbers", "wb") as file:
    file.write(bytes(range(256)) * 40_000)
rxHadoopCopyFromLocal("numbers", share + "/numbers", overwrite=True)
table = np.arange(12_500_000.0)

def reads(number, path, table, seconds):
    import hashlib, os, random, time, fsspec
    from numpy.random import normal
    open(f"{begun}/{os.environ['CONTAINER_ID']}", "w").close()
    time.sleep(seconds)
    with fsspec.open(path) as file:
        file.seek(number * 1000)
        digest = hashlib.sha256(file.read()).hexdigest()
    return number, digest, float(table[number::24].sum()), random.random(), normal()

begun = os.path.abspath("begun")

def call(seconds, meanwhile=lambda size: None):
    shutil.rmtree(begun, ignore_errors=True)
    os.mkdir(begun)
    shared = rxShare(table)  # anew, so that each host fetches it anew
    threading.Thread(target=meanwhile, args=[shared.ref.size], daemon=True).start()
    path = "hdfs:///" + share.split("/", 3)[3] + "/numbers"  # without the host, which executors know
    results = rxExec(reads, rxElemArg(range(24)), path, shared, seconds, RNGseed=7)
    shared.remove()
    return results

def sends(pid, size):  # a DataNode has a block open as long as it sends it
    for name in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            block = os.readlink(name)
            if "/finalized/" in block and os.path.getsize(block) == size:
                return True
        except OSError:
            pass
    return False

killed = []

def kill_who_sends(size):
    while not killed:
        for pid in [pid for name, pid in daemons.items() if name.startswith("datanode")]:
            if sends(pid, size):
                os.kill(pid, signal.SIGSTOP)
                if sends(pid, size):  # it had not come to the end before it was stopped
                    kill(pid)
                    killed.append(pid)
                    return
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.001)

undisturbed = call(0)
show("undisturbed", (len({result[1:] for result in undisturbed}), len(undisturbed.errors)))

def disturbed(seconds, meanwhile):
    results = call(seconds, meanwhile)
    return results == undisturbed, len(results.errors), int(max(results.info["attempt"])) > 0

show("datanode", disturbed(0.3, kill_who_sends))
show("senders_killed", len(killed))

def containers():
    found = {}
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            place = os.readlink(folder + "/cwd")
            if place.startswith(hadoop + "/node") and "/container_" in place and "java" in os.readlink(folder + "/exe"):
                found[place] = int(folder.split("/")[2])
        except OSError:
            pass
    return found

def executors():
    return {place: pid for place, pid in containers().items() if not place.endswith("_000001")}  # YARN's own master

def kill_where_tasks_run(victim, places):
    def wait_and_kill(size):
        while not any(os.path.exists(f"{begun}/{os.path.basename(place)}") for place in places):
            time.sleep(0.01)
        kill(victim)
    return wait_and_kill

place, pid = next(iter(executors().items()))
show("executor", disturbed(0.4, kill_where_tasks_run(pid, [place])))

def node(place):
    return place.removeprefix(hadoop).split("/")[1]
of_executors = {node(place) for place in executors()}
of_master = {node(place) for place in containers() if place.endswith("_000001")}
victim = min(of_executors - of_master or of_executors)
on_it = [place for place in executors() if node(place) == victim]
show("nodemanager", disturbed(1.5, kill_where_tasks_run(daemons[victim], on_it)))

def dies(number, ways, folder):
    import os, signal, time
    way = ways.get(number)
    if way is not None:
        time.sleep(0.3)
        os._exit(3) if way == "exit" else os.kill(os.getpid(), getattr(signal, way))
    time.sleep(0.02)
    with open(f"{folder}/{number}", "a") as file:  # the nodes are on this machine
        file.write("x")
    return number

os.mkdir("ran")
ran = os.path.abspath("ran")
lost = rxExec(dies, rxElemArg(range(12)), {1: "SIGSEGV", 6: "SIGKILL", 9: "exit"}, ran, taskChunkSize=1)
show("faults", {number: (type(error).__name__, error.message) for number, error in lost.errors.items()})
show("survivors", [value for number, value in enumerate(lost) if number not in lost.errors])
show("twice", [name for name in os.listdir(ran) if os.path.getsize(f"{ran}/{name}") > 1])

kept = rxShare(numbers)

def waits(x, mark):
    open(mark, "w").close()
    time.sleep(300)

def die():
    while not os.path.exists("running"):
        time.sleep(0.05)
    show("stranded", bundles())
    kill(os.getpid())
threading.Thread(target=die, daemon=True).start()
rxExec(waits, numbers, os.path.abspath("running"))
"""

# The next program of this user here: it needs no session of its own to sweep, as it shares something.
NEXT = """
import sys
import numpy as np
from rxspark import *
rxSetComputeContext(RxSpark(master="yarn", hdfsShareDir=sys.argv[1]))
kept = rxShare(np.ones(9))
print([file.name for file in rxHadoopListFiles(sys.argv[1], recursive=True) if file.name.endswith(".bundle")])
killed = rxGetJobs()
print([job.status() for job in killed])
rxCleanupJobs(killed)
"""


@pytest.fixture(scope="session")
def told(cluster: Path, share: str, environment: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Output of the program above, by name; afterwards all daemons run again."""
    folder = tmp_path_factory.mktemp("program")
    arguments = [str(EXAMPLES), share, environment, str(cluster.parent), repr(SIZE), repr(SETTINGS)]
    try:
        lines = run(PROGRAM, folder, cluster, *arguments, ends=-signal.SIGKILL)
    finally:
        command = [sys.executable, str(HADOOP), "start", "--dir", str(cluster.parent)]
        subprocess.run(command, check=True, timeout=200)
    seen = {name: ast.literal_eval(value) for name, value in (line.split("=", 1) for line in lines if "=" in line)}
    next_sees, jobs = map(ast.literal_eval, run(NEXT, folder, cluster, share))
    return {**seen, "next_sees": next_sees, "jobs": jobs, "left_by_next": files(share, ".bundle")}


def test_plain_python_plays_the_same_games_on_yarn(told: dict[str, Any]) -> None:
    """RxSpark(master="yarn") gives the numbers of RxLocalSeq."""
    assert told["games"] == wins(1000, 100)


def test_executors_run_the_environment_that_travelled(told: dict[str, Any], cluster: Path) -> None:
    """Interpreter and packages are those unpacked in the container."""
    for place, prefix, numpy, container in told["places"]:
        assert place.startswith(f"{cluster.parent}/nodemanager")
        assert place.endswith(container)
        assert prefix == f"{place}/environment"
        assert numpy.startswith(f"{place}/environment/lib/python3")


def test_a_package_that_did_not_travel_is_named_before_launch(told: dict[str, Any]) -> None:
    """The function imports scikit-learn, which was not packed."""
    assert re.match(r"'sklearn' cannot be imported on \S+, and the function", str(told["lacking"]))


def test_the_share_folder_was_tested_and_left_clean(told: dict[str, Any]) -> None:
    """Its test file is gone."""
    assert told["left"] == []


def test_shared_data_goes_by_the_share_folder(told: dict[str, Any], cluster: Path) -> None:
    """One file on HDFS for two calls by rxShare, or for one call with a large constant; each host maps its copy."""
    first, second = told["rxShare"]
    assert first == second  # what the hosts have fetched, the very files, serves the next call
    for values, places, counts in (first, told["automatic"]):
        assert values == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
        assert counts == {1}
        fetched = re.compile(rf"{cluster.parent}/nodemanager(\d)/local/.*/fetched/[^/]+$")
        hosts = {host for path, _ in places for host in fetched.findall(path)}
        assert len(hosts) == len(places)
    assert told["removed"] == told["left_by_calls"] == []


def test_what_a_killed_driver_has_shared_is_swept_by_the_next(told: dict[str, Any], cluster: Path) -> None:
    """Killed (-9) in a call: what it had shared goes from HDFS with the next program's first, from hosts by itself.

    The call is a job that could be resumed, until it is cleaned up.
    """
    assert len(told["stranded"]) == 1
    (kept,) = told["next_sees"]
    assert kept not in told["stranded"]
    assert told["jobs"] == ["failed"]
    assert told["left_by_next"] == []
    fetched = "nodemanager*/local/**/fetched/*.*"
    wait_until(lambda: not list(cluster.parent.glob(fetched)), "YARN clears up behind its application", 100)


@pytest.mark.parametrize("victim", ["datanode", "executor", "nodemanager"])
def test_what_is_killed_changes_no_result(told: dict[str, Any], victim: str) -> None:
    """Killed (-9) while tasks fetch shared data, read from HDFS and draw: results are those of an undisturbed run."""
    assert told["undisturbed"] == (24, 0)
    assert told["senders_killed"] == 1  # the DataNode, while it sent what rxShare had written
    equal, errors, retried = told[victim]
    assert (equal, errors) == (True, 0)
    assert retried or victim != "executor"  # that of a killed NodeManager works on for some time, as an orphan


def test_a_task_that_ends_its_worker_costs_itself_alone(
    told: dict[str, Any], record_fault_row: Callable[[str, int, int, int], None]
) -> None:
    """SIGSEGV, SIGKILL and os._exit in YARN's containers: three lost tasks, which tell how; none runs twice."""
    said = {1: "SIGSEGV", 6: "SIGKILL", 9: "exit status 3"}
    record_fault_row("yarn", len(said), len(told["faults"]), len(told["twice"]))
    assert {number: kind for number, (kind, _) in told["faults"].items()} == dict.fromkeys(said, "RxLostTaskError")
    assert all(said[number] in message for number, (_, message) in told["faults"].items())
    assert told["survivors"] == [number for number in range(12) if number not in said]
    assert told["twice"] == []
