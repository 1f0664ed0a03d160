"""rxExec on a real YARN: the three ways to run there, the environment that travels, and what is killed meanwhile.

One Hadoop for all of them (scripts/hadoop), and as few applications as possible, since each takes its time to start.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rxspark import RxFileError, RxLocalSeq, rxExec, rxHadoopFileExists, rxHadoopListFiles
from rxspark.backends.preflight import check_folder
from rxspark.backends.yarn import jars_archive
from rxspark.places import open_place

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"

pytestmark = [pytest.mark.hadoop, pytest.mark.timeout(600)]  # the first one waits for Hadoop, the archive and a program

# Prints the libraries of this environment that MKL loads on this processor: the others are 600 MB.
MKL = """
import os, sys, mkl_random
mkl_random.MKLRandomState(1, brng="MT2203").normal(size=9)
mapped = {line.split()[-1] for line in open("/proc/self/maps")}
print(*(os.path.basename(path) for path in mapped if os.path.dirname(path) == os.path.join(sys.prefix, "lib")))
"""


@functools.cache
def pack() -> list[str]:
    """What tests need of this environment, for a small archive, as arguments of `python -m rxspark pack`."""
    used = subprocess.run([sys.executable, "-c", MKL], check=True, capture_output=True, text=True).stdout.split()
    unused = [f"lib/{path.name}" for path in Path(sys.prefix, "lib").glob("lib*") if path.name not in used]
    return ["pandas", *(f"--exclude={pattern}" for pattern in ("share/*", "opt/*", "etc/*", "*/tests/*", *unused))]


JARS = "local:" + os.path.join(os.path.dirname(__import__("pyspark").__file__), "jars", "*")
SETTINGS = {"spark.yarn.jars": JARS, "spark.ui.enabled": "false"}
SIZE = {
    "numExecutors": 2,
    "executorCores": 1,
    "executorMem": "600m",
    "driverMem": "512m",
    "executorOverheadMem": "400m",
}


@pytest.fixture(scope="session")
def share(hdfs_root: str) -> str:
    """A share folder on HDFS."""
    return f"{hdfs_root}/share/rxspark"


@pytest.fixture(scope="session")
def environment(cluster: Path, share: str) -> str:
    """The Python of the tests, packed and put on HDFS: its URL."""
    command = [sys.executable, "-m", "rxspark", "pack", "--to", share, *pack()]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=around(cluster)).stdout.strip()


def around(cluster: Path, **more: str) -> dict[str, str]:
    """The environment variables of a program on the cluster; the Python of its executors is not among them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYSPARK_PYTHON"}
    return {**kept, "HADOOP_CONF_DIR": str(cluster), "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(ROOT), **more}


def run(code: str, folder: Path, cluster: Path, *arguments: str, **more: str) -> list[str]:
    """Run a program; the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=around(cluster, **more),
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()


# ------------------------------------------------------------------ one application from plain Python

# Prints what the tests look at, one line a promise, as Python literals.
PROGRAM = """
import glob, json, os, signal, sys, threading, time
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

with open("numbers", "wb") as file:
    file.write(bytes(range(256)) * 40_000)
rxHadoopCopyFromLocal("numbers", share + "/numbers", overwrite=True)

def reads(number, path, seconds):
    import hashlib, random, time, fsspec
    from numpy.random import normal
    time.sleep(seconds)
    with fsspec.open(path) as file:
        file.seek(number * 1000)
        digest = hashlib.sha256(file.read()).hexdigest()
    return number, digest, random.random(), normal()

def call(seconds):  # without the host: executors know the name of the file system
    path = "hdfs:///" + share.split("/", 3)[3] + "/numbers"
    return rxExec(reads, rxElemArg(range(24)), path, seconds, RNGseed=7)

undisturbed = call(0)
show("undisturbed", (len({result[1:] for result in undisturbed}), len(undisturbed.errors)))

def disturbed(victim, seconds):
    threading.Timer(1.5, kill, [victim]).start()
    results = call(seconds)
    return results == undisturbed, len(results.errors), int(max(results.info["attempt"])) > 0

blocks = glob.glob(hadoop + "/datanode*/**/blk_*", recursive=True)
holders = {os.path.relpath(block, hadoop).split("/")[0] for block in blocks if os.path.getsize(block) == 10_240_000}
show("datanode", disturbed(daemons[min(holders)], 0.3))

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

show("executor", disturbed(next(iter(executors().values())), 0.4))

def node(place):
    return place.removeprefix(hadoop).split("/")[1]
of_executors = {node(place) for place in executors()}
of_master = {node(place) for place in containers() if place.endswith("_000001")}
show("nodemanager", disturbed(daemons[min(of_executors - of_master or of_executors)], 1.5))
rxSparkDisconnect()
"""


@pytest.fixture(scope="session")
def told(cluster: Path, share: str, environment: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the program above prints, by name; afterwards all daemons run again."""
    folder = tmp_path_factory.mktemp("program")
    arguments = [str(EXAMPLES), share, environment, str(cluster.parent), repr(SIZE), repr(SETTINGS)]
    try:
        lines = run(PROGRAM, folder, cluster, *arguments)
    finally:
        command = [sys.executable, ROOT / "scripts" / "hadoop", "start", "--dir", cluster.parent]
        subprocess.run(command, check=True, timeout=200)
    return {name: ast.literal_eval(value) for name, value in (line.split("=", 1) for line in lines if "=" in line)}


def wins(games: int, chunk: int) -> int:
    """The games won in this process, with the seed of the dice example."""
    sys.path.insert(0, str(EXAMPLES))
    from dice import play_dice

    with RxLocalSeq():
        return rxExec(play_dice, timesToRun=games, taskChunkSize=chunk, RNGseed=777).count("Win")


@pytest.mark.spark
def test_plain_python_plays_the_same_games_on_yarn(told: dict[str, object]) -> None:
    """RxSpark(master="yarn") gives the numbers of RxLocalSeq."""
    assert told["games"] == wins(1000, 100)


@pytest.mark.spark
def test_executors_run_the_environment_that_travelled(told: dict[str, object], cluster: Path) -> None:
    """Interpreter and packages are those unpacked in the container."""
    for place, prefix, numpy, container in told["places"]:
        assert place.startswith(f"{cluster.parent}/nodemanager")
        assert place.endswith(container)
        assert prefix == f"{place}/environment"
        assert numpy.startswith(f"{place}/environment/lib/python3")


@pytest.mark.spark
def test_a_package_that_did_not_travel_is_named_before_launch(told: dict[str, object]) -> None:
    """The function imports scikit-learn, which was not packed."""
    assert re.match(r"'sklearn' cannot be imported on \S+, and the function", str(told["lacking"]))


@pytest.mark.spark
def test_the_share_folder_was_tested_and_left_clean(told: dict[str, object]) -> None:
    """Its test file is gone."""
    assert told["left"] == []


@pytest.mark.spark
@pytest.mark.parametrize("victim", ["datanode", "executor", "nodemanager"])
def test_what_is_killed_changes_no_result(told: dict[str, object], victim: str) -> None:
    """Killed (-9) while a call reads from HDFS and draws: all results are there, equal to an undisturbed run's."""
    assert told["undisturbed"] == (24, 0)
    equal, errors, retried = told[victim]
    assert (equal, errors) == (True, 0)
    assert retried or victim != "executor"  # that of a killed NodeManager works on for some time, as an orphan


# ------------------------------------------------------------------ by scripts/submit


def submit(cluster: Path, share: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Play the dice example by scripts/submit."""
    command = [str(ROOT / "scripts" / "submit"), "--num-executors", "1", "--executor-memory", "600m"]
    command += ["--driver-memory", "512m", *arguments]
    for name, value in SETTINGS.items():
        command += ["--conf", f"{name}={value}"]
    variables = around(cluster, VIRTUAL_ENV=sys.prefix, RXSPARK_SHARE=share, RXSPARK_PACK=" ".join(pack()))
    if "cluster" in arguments:
        del variables["PYTHONPATH"]  # it would go into the container, where rxspark shall come with the environment
    done = subprocess.run(
        [*command, "--py-files", str(EXAMPLES / "common.py"), str(EXAMPLES / "dice.py"), "--context", "spark"],
        env=variables,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done


def table(text: str) -> tuple[int, int]:
    """Losses and wins that the dice example prints."""
    found = re.search(r"^ *Loss +Win\n *(\d+) +(\d+)$", text, re.MULTILINE)
    assert found, text
    return int(found[1]), int(found[2])


@pytest.mark.spark
def test_the_dice_example_in_client_mode(cluster: Path, share: str, environment: str) -> None:
    """The driver runs here, the games in containers; they are those of RxLocalSeq."""
    won = wins(10_000, 2_000)
    done = submit(cluster, share, "--deploy-mode", "client")
    assert table(done.stdout) == (10_000 - won, won)
    assert "the same result of every game: True" in done.stdout


@pytest.mark.spark
def test_the_dice_example_in_cluster_mode(cluster: Path, share: str, environment: str) -> None:
    """The driver runs in a container, in the packed environment; the games are those of RxLocalSeq."""
    won = wins(10_000, 2_000)
    done = submit(cluster, share, "--deploy-mode", "cluster")
    application = re.search(r"application_\d+_\d+", done.stderr)
    assert application, done.stderr[-2000:]
    (output,) = cluster.parent.glob(f"nodemanager*/logs/{application[0]}/container_*_01_000001/stdout")
    assert table(output.read_text()) == (10_000 - won, won)


# ------------------------------------------------------------------ HDFS that does not take part


def administer(cluster: Path, *command: str) -> None:
    """Run `hdfs dfsadmin`."""
    (jars,) = cluster.parent.glob("jars-*.txt")
    path = f"{cluster}:{jars.read_text().strip()}"
    main = "org.apache.hadoop.hdfs.tools.DFSAdmin"
    subprocess.run(["java", "-cp", path, main, *command], check=True, timeout=60, capture_output=True)


def test_a_share_folder_in_safe_mode_is_named(cluster: Path, hdfs_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDFS in safe mode refuses the test file: path, user and reason; what only reads goes on."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(cluster))
    folder = open_place(f"{hdfs_root}/share/safe")
    administer(cluster, "-safemode", "enter")
    try:
        with pytest.raises(RxFileError, match=rf"{hdfs_root}/share/safe \(user '\w+'\): .*safe mode"):
            check_folder(folder, lambda file, text: None)
        assert not rxHadoopFileExists(str(folder))
    finally:
        administer(cluster, "-safemode", "leave")
    check_folder(folder, lambda file, text: None)
    assert list(rxHadoopListFiles(str(folder))) == []


REFUSED = """
import sys
from rxspark import *
config = {"spark.ui.enabled": "false"}
for number in range(2):
    try:
        rxSparkConnect(master="local[1]", hdfsShareDir=sys.argv[1], extraSparkConfig=config)
    except RxFileError as error:
        print(error)
print(rxSparkConnect(master="local[1]", extraSparkConfig=config).master)
"""


@pytest.mark.spark
def test_a_share_folder_without_permission_is_named_when_the_context_is_made(
    cluster: Path, hdfs_root: str, tmp_path: Path
) -> None:
    """Path, user and reason; each time, as long as it is so, and the session itself can be used."""
    lines = run(REFUSED, tmp_path, cluster, f"{hdfs_root}/not-eves", HADOOP_USER_NAME="eve")
    assert len(lines) == 3
    for line in lines[:2]:
        assert re.match(rf"{hdfs_root}/not-eves \(user 'eve'\): Permission denied: user=eve, access=WRITE", line), line
    assert lines[2] == "local[1]"


# ------------------------------------------------------------------ what takes longer


def test_the_jars_of_spark_are_put_there_once(cluster: Path, hdfs_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All jars, flat in one archive named after them; the second time it is only named."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(cluster))
    folder = open_place(f"{hdfs_root}/share/jars")
    url = jars_archive(folder)
    (file,) = rxHadoopListFiles(str(folder))
    assert file.name == url
    with open_place(url).fs.open(open_place(url).path, "rb") as opened:
        names = zipfile.ZipFile(opened).namelist()
    assert sorted(names) == sorted(path.name for path in Path(JARS.removeprefix("local:")).parent.glob("*.jar"))
    assert jars_archive(folder) == url
    assert [again.modified for again in rxHadoopListFiles(str(folder))] == [file.modified]


LONGER = """
import sys
from rxspark import *
from pyspark import SparkContext
size = eval(sys.argv[2])
try:
    rxSparkConnect(master="yarn", hdfsShareDir=sys.argv[1] or None, extraSparkConfig=eval(sys.argv[3]), **size)
    print(rxExec(pow, rxElemArg(range(4)), 2))
    print(SparkContext._active_spark_context.getConf().get("spark.yarn.archive"))
except RxError as error:
    print(type(error).__name__, error)
rxSparkDisconnect()
"""


@pytest.mark.slow
@pytest.mark.spark
def test_a_session_takes_its_jars_from_the_cluster(cluster: Path, share: str, tmp_path: Path) -> None:
    """Without spark.yarn.jars, a session that we make uses the archive in the share folder."""
    lines = run(
        LONGER, tmp_path, cluster, share, repr(SIZE), "{'spark.ui.enabled': 'false'}", PYSPARK_PYTHON=sys.executable
    )
    assert lines[0] == "[0, 1, 4, 9]"
    assert lines[1].startswith(f"{share}/spark-jars-")


@pytest.mark.slow
@pytest.mark.spark
def test_a_python_without_numpy_is_refused_on_yarn(cluster: Path, tmp_path: Path) -> None:
    """As everywhere: before launch, with a table of what executors have."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    bare = str(tmp_path / "bare" / "bin" / "python")
    lines = run(LONGER, tmp_path, cluster, "", repr(SIZE), repr(SETTINGS), PYSPARK_PYTHON=bare)
    assert lines[0] == "RxMissingError executors lack cloudpickle and numpy:"
    assert lines[2].startswith("driver")
