"""The promise: a call, a seed and a kind give the same numbers, bit for bit, wherever and however the tasks run.

As a program, ``python test_promise.py MASTER [speculation]`` runs the fixed calls on one Spark, as a process has one,
and prints digests of their results as JSON; the tests at the end start it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import joblib
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from project import ROOT

from rxspark import (
    RxArgumentError,
    RxForeachDoPar,
    RxLocalParallel,
    RxLocalSeq,
    RxSpark,
    RxTaskError,
    rxElemArg,
    rxExec,
    rxOptions,
    rxSparkDisconnect,
)
from rxspark.rng.kinds import KINDS, SeedRoot, capacity

pytestmark = [
    pytest.mark.filterwarnings("ignore::rxspark.RxTaskWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:joblib"),  # "A worker stopped while some jobs were given"
]

PSEUDO = [kind for kind, row in KINDS.items() if not row.quasi]


def scipy_draws() -> Any:
    """Draw by SciPy without a random_state."""
    import scipy.stats

    return scipy.stats.norm.rvs(size=2).tolist()


def sklearn_draws() -> Any:
    """Draw by scikit-learn without a random_state."""
    from sklearn.utils import check_random_state

    return check_random_state(None).uniform(size=2).tolist()


class Own(random.Random):
    """A class of the user's own."""


PACKAGES = {"scipy": "scipy.stats", "scikit-learn": "sklearn.utils"}

# All the ways in which a user draws. The numbers are wide enough that two tasks draw the same one only if streams meet.
WAYS: dict[str, Callable[[], Any]] = {
    "np.random.normal": lambda: np.random.normal(size=2).tolist(),
    "np.random.uniform": lambda: np.random.uniform(size=3).tolist(),
    "np.random.randint": lambda: np.random.randint(2**31 - 1, size=3).tolist(),
    "random.random": lambda: [random.random(), random.random()],
    "random.gauss": lambda: [random.gauss(0, 1), random.gauss(0, 1), random.gauss(0, 1)],
    "random.Random": lambda: [random.Random().random(), Own().getrandbits(60)],
    "default_rng": lambda: np.random.default_rng().normal(size=2).tolist(),
    "scipy": scipy_draws,
    "RandomState": lambda: np.random.RandomState().rand(2).tolist(),
    "scikit-learn": sklearn_draws,
}


@dataclass(frozen=True)
class Call:
    """Arguments of one call of rxExec, and its results."""

    tasks: int
    chunk: int | None
    scope: Literal["chunk", "task"]
    seed: int
    kind: str
    ways: tuple[str, ...]
    failing: frozenset[int] = frozenset()

    def run(self, function: Callable[..., Any] | None = None, *args: Any) -> list[Any]:
        """The results; for a task that failed, the type and the message of its error."""
        results = rxExec(
            function or draw,
            rxElemArg(range(self.tasks)),
            self.ways,
            self.failing,
            *args,
            taskChunkSize=self.chunk,
            RNGseed=self.seed,
            RNGkind=self.kind,
            RNGscope=self.scope,
            packagesToLoad=[PACKAGES[way] for way in self.ways if way in PACKAGES],
        )
        assert results.rng == SeedRoot(self.kind, self.seed, chosen=True)
        return [(value.type, value.message) if isinstance(value, RxTaskError) else value for value in results]

    @property
    def streams(self) -> int:
        """How many streams it takes."""
        size = self.chunk if self.chunk and self.scope == "chunk" else 1
        return -(-self.tasks // size)


def draw(number: int, ways: tuple[str, ...], failing: frozenset[int]) -> list[Any]:
    """A task: it draws in each of the ways; one that fails does so half-way, and tells what it had drawn by then."""
    drawn = []
    for way in ways:
        drawn.append(WAYS[way]())
        if number in failing and 2 * len(drawn) >= len(ways):
            raise ArithmeticError(f"after {drawn}")
    return drawn


def draw_or_die(number: int, ways: tuple[str, ...], failing: frozenset[int], deadly: int, mark: Path) -> list[Any]:
    """As `draw`, but task `deadly` ends its worker: each one, or if `mark` is no folder, the first one only."""
    if number == deadly and not mark.is_file():
        (mark / str(os.getpid()) if mark.is_dir() else mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return draw(number, ways, failing)


def draw_or_raise(number: int, ways: tuple[str, ...], failing: frozenset[int], broken: int) -> list[Any]:
    """As `draw`, but task `broken` fails before it draws."""
    if number == broken:
        raise ArithmeticError
    return draw(number, ways, failing)


def draw_late(
    number: int, ways: tuple[str, ...], failing: frozenset[int], folder: Path, late: int, pauses: tuple[float, ...]
) -> list[Any]:
    """As `draw`, after half a second; attempt k of task `late` takes ``pauses[k]`` seconds, and leaves a mark."""
    pause = 0.3
    if number == late:
        attempt = len(list(folder.iterdir()))
        pause = pauses[min(attempt, len(pauses) - 1)]
        tempfile.mkstemp(dir=folder)
    time.sleep(pause)
    return draw(number, ways, failing)


# Calls that Spark and the deaths are tried with: all kinds of cuts, drawn in advance.
FIXED = [
    Call(40, None, "chunk", 777, "MT2203", ("np.random.normal", "random.gauss", "default_rng")),
    Call(37, 8, "chunk", 0, "SFMT19937", ("np.random.normal", "np.random.uniform"), frozenset({3, 8, 36})),
    Call(23, 5, "task", 2**63 - 1, "MRG32K3A", ("random.random", "np.random.randint"), frozenset({0, 1, 22})),
    Call(11, 100, "chunk", 14, "MCG31", ("scipy", "np.random.uniform", "scikit-learn"), frozenset({4})),
    Call(6, 1, "chunk", 4_294_967_296, "R250", ("np.random.normal", "RandomState", "random.gauss")),
    Call(30, 7, "task", 99, "PHILOX", ("np.random.randint", "default_rng", "RandomState"), frozenset({0, 6, 9, 27})),
    Call(9, 4, "chunk", 31_415_926, "ARS5", ("random.random", "np.random.normal", "random.gauss"), frozenset({8})),
    Call(12, None, "chunk", 5, "PCG64DXSM", ("np.random.uniform", "RandomState", "default_rng"), frozenset({5})),
]
DEADLY = FIXED[6]


def digest(results: list[Any]) -> str:
    """Equal for results that are equal to the last bit, as repr gives floats exactly."""
    return hashlib.sha256(repr(results).encode()).hexdigest()[:16]


def here(call: Call, function: Callable[..., Any] | None = None, *args: Any) -> list[Any]:
    """The results in RxLocalSeq, which all others are measured by."""
    with RxLocalSeq():
        return call.run(function, *args)


def own_generators() -> str:
    """The state of the caller's own generators."""
    states: Any = (np.random.get_state(), np.random.mtrand._rand.get_state())
    return repr([(name, keys.tolist(), *rest) for name, keys, *rest in states] + [random.getstate()])


PLACES = ["localpar, 1 worker", "localpar, 2 workers", "localpar, 5 workers", "dopar"]


@contextmanager
def place(name: str) -> Iterator[None]:
    """A compute context with processes of its own."""
    with ExitStack() as stack:
        if name == "dopar":
            stack.enter_context(joblib.parallel_config("loky", n_jobs=2))
            stack.enter_context(RxForeachDoPar())
        else:
            workers = int(name.split()[1])
            # numCoresToUse asks for no more processes than there are cores: pretend that there are as many.
            stack.enter_context(mock.patch("rxspark.backends.local.loky.cpu_count", return_value=workers))
            stack.callback(rxOptions, **rxOptions(numCoresToUse=workers))
            stack.enter_context(RxLocalParallel())
        yield


calls = st.builds(
    Call,
    tasks=st.integers(0, 40),
    chunk=st.none() | st.integers(1, 45),
    scope=st.sampled_from(["chunk", "task"]),
    seed=st.integers(0, 2**63 - 1),
    kind=st.sampled_from(PSEUDO),
    ways=st.lists(st.sampled_from(sorted(WAYS)), min_size=1, max_size=4).map(tuple),
    failing=st.frozensets(st.integers(0, 39), max_size=8),
)


def assume_enough_streams(call: Call) -> None:
    """Leave out the few calls that MCG59 refuses, as an even seed shortens its period."""
    assume(call.streams <= capacity(SeedRoot(call.kind, call.seed, chosen=True)))


@pytest.mark.parametrize("name", PLACES)
@settings(max_examples=25, deadline=None)
@given(call=calls)
def test_the_numbers_are_those_of_the_sequential_context(name: str, call: Call) -> None:
    """Any call gives RxLocalSeq's bits, a second and third time too, and leaves the caller's generators alone."""
    assume_enough_streams(call)
    own = own_generators()
    expected = here(call)
    with place(name):
        found = [call.run() for _ in range(3)]
    assert found == [expected] * 3
    assert own_generators() == own
    numbers = [repr(one) for value in expected if isinstance(value, list) for drawn in value for one in drawn]
    assert len(set(numbers)) == len(numbers)
    assert sum(isinstance(value, tuple) for value in expected) == len(call.failing & set(range(call.tasks)))


@settings(max_examples=25, deadline=None)
@given(call=calls)
def test_no_number_depends_on_chunks_where_streams_are_the_tasks(call: Call) -> None:
    """Without taskChunkSize, and with RNGscope="task" for any chunk size, the numbers are the same in all contexts."""
    whole = replace(call, chunk=None)
    assume_enough_streams(whole)
    expected = here(whole)
    assert here(replace(call, chunk=1, scope="chunk")) == expected
    for size in (1, 7, 2_000):
        cut = replace(call, chunk=size, scope="task")
        assert here(cut) == expected
        with place("localpar, 2 workers"):
            assert cut.run() == expected


@settings(max_examples=25, deadline=None)
@given(before=calls, after=calls)
def test_a_call_leaves_nothing_behind_for_the_next(before: Call, after: Call) -> None:
    """The next call's numbers are its own, whatever a worker has run: other kinds and seeds, failed tasks."""
    assume_enough_streams(before)
    assume_enough_streams(after)
    expected = here(after)
    with place("localpar, 1 worker"):
        before.run()
        assert after.run() == expected
    with RxLocalSeq():
        before.run()
        assert after.run() == expected


def test_an_import_in_a_task_changes_no_number() -> None:
    """A task that is the first in its process to import SciPy draws the same as one that finds it there."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_AND_SECOND],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == second


FIRST_AND_SECOND = """
import numpy as np
from rxspark import rxExec
def draw():
    import scipy.stats
    return scipy.stats.norm.rvs(), np.random.RandomState().rand(), np.random.default_rng().random()
for _ in range(2):
    print(rxExec(draw, RNGseed=777))
"""


def seed_all(number: int) -> list[float]:
    """A task that takes the process's generators for itself; half of them then fail."""
    np.random.seed(number)
    random.seed(number)
    np.random.mtrand._rand.seed(number)
    if number % 2:
        raise ArithmeticError
    return [np.random.uniform(), random.random()]


@pytest.mark.parametrize("name", ["local", *PLACES])
@pytest.mark.parametrize("kind", [None, "MT2203", "PHILOX"])
def test_a_job_that_seeds_leaves_nothing_behind(name: str, kind: str | None) -> None:
    """A job whose tasks seed np.random and random gives plain numbers itself; the next job's are as without it."""
    call = Call(6, 2, "chunk", 3, kind or "MT2203", ("np.random.uniform", "random.gauss", "scipy"))
    expected, own = here(call), own_generators()
    with RxLocalSeq() if name == "local" else place(name):
        seeded = rxExec(seed_all, rxElemArg(range(6)), taskChunkSize=2, RNGkind=kind)
        assert seeded[4] == [np.random.RandomState(4).uniform(), random.Random(4).random()]
        assert call.run() == expected
        free = rxExec(np.random.uniform, timesToRun=6, taskChunkSize=2, RNGkind=kind)
    assert len(set(free)) == 6
    assert not set(free) & {np.random.RandomState(number).uniform() for number in range(6)}
    assert own_generators() == own


def lost_and_found(call: Call, folder: Path) -> bool:
    """Whether, in the current context, deaths of workers change no number of `call`."""
    once, each = folder / "once", folder / "each"
    each.mkdir()
    expected = here(call)
    once_lost = call.run(draw_or_die, 0, once)
    deadly = call.tasks // 2
    each_lost = call.run(draw_or_die, deadly, each)
    assert once.exists()
    assert len(list(each.iterdir())) > 1
    assert each_lost[deadly][0] == "WorkerDied"
    # The stream of a chunk goes on where the lost task began; the reference fails there before it draws.
    survivors = here(call, draw_or_raise, deadly)
    survivors[deadly] = each_lost[deadly]
    return once_lost == expected and each_lost == survivors


@pytest.mark.parametrize("name", ["localpar, 2 workers", "dopar"])
@pytest.mark.parametrize("scope", ["chunk", "task"])
def test_tasks_that_run_again_draw_the_same(name: str, scope: Literal["chunk", "task"], tmp_path: Path) -> None:
    """When a task kills its worker the others run again: a death by chance costs nothing, a sure one its own task."""
    with place(name):
        assert lost_and_found(replace(DEADLY, scope=scope), tmp_path)


MASTERS = ["local[1]", "local[4]", "local-cluster[2,1,1024]"]


class TestSpark:
    """The same on Spark: the fixed calls, in a process of its own, on one Spark after another."""

    pytestmark = pytest.mark.spark

    @pytest.mark.parametrize("number", range(len(MASTERS)), ids=MASTERS)
    def test_the_numbers_are_those_of_the_sequential_context(self, number: int) -> None:
        """Each fixed call gives RxLocalSeq's bits, in any order, again, and with workers that die in between."""
        told = spark_program(*MASTERS)[number]
        expected = [digest(here(call)) for call in FIXED]
        assert len(set(expected)) == len(FIXED)
        assert told["expected"] == expected
        assert told["found"] == [expected, expected, expected[:2]]
        assert told["with deaths"] == [True, True]
        assert told["the caller's generators are as before"] is True

    @pytest.mark.slow
    def test_a_speculative_copy_draws_the_same(self) -> None:
        """Spark starts a second copy of a slow task: the bits are the same whichever of the two is first."""
        with standalone() as master:
            (told,) = spark_program("speculation", master)
        assert told["copies"] == [2, 2]
        assert told["seconds"][0] < 20
        assert told["same"] == [True, True]


@cache
def spark_program(*options: str) -> list[dict[str, Any]]:
    """Answers of this file, run as a program, for each Spark."""
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, __file__, *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return told


@contextmanager
def standalone() -> Iterator[str]:
    """A cluster of two hosts, as Spark puts no second copy on the host of the first: 127.0.0.1 and 127.0.0.2."""
    import pyspark

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    master = f"spark://127.0.0.1:{port}"
    home = Path(pyspark.__file__).parent
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_DAEMON_MEMORY": "256m"}

    def start(name: str, host: str, *options: str) -> subprocess.Popen[bytes]:
        command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", "--host", host, *options]
        settings = {**environment, "SPARK_LOCAL_IP": host}
        return subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    worker = ("--webui-port", "0", "--cores", "1", "--memory", "1g")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        processes = [start("master.Master", "127.0.0.1", "--port", port, "--webui-port", "0")]
        for host in ("127.0.0.1", "127.0.0.2"):
            processes.append(start("worker.Worker", host, *worker, "--work-dir", folder, master))
        try:
            yield master
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)


def program(*masters: str) -> list[dict[str, Any]]:
    """Run the fixed calls on one Spark after another."""
    warnings.simplefilter("ignore")
    config = {"spark.ui.enabled": "false", "spark.log.level": "OFF"}
    look, told = fixed_calls, []
    if masters[0] == "speculation":
        masters, look = masters[1:], two_copies
        config |= {
            "spark.speculation": "true",
            "spark.speculation.quantile": "0.5",
            "spark.speculation.multiplier": "1.2",
            "spark.driver.host": "127.0.0.1",
        }
    for master in masters:
        with RxSpark(master=master, extraSparkConfig=config), tempfile.TemporaryDirectory() as folder:
            told.append(look(Path(folder)))
        rxSparkDisconnect()
    return told


def fixed_calls(folder: Path) -> dict[str, Any]:
    """Digests of the fixed calls, and whether deaths of workers change any."""
    own = own_generators()
    first = [digest(call.run()) for call in FIXED]
    second = [digest(call.run()) for call in reversed(FIXED)]
    third = [digest(call.run()) for call in FIXED[:2]]
    scopes: list[Literal["chunk", "task"]] = ["chunk", "task"]
    deaths = [lost_and_found(replace(DEADLY, scope=one), Path(tempfile.mkdtemp(dir=folder))) for one in scopes]
    return {
        "expected": [digest(here(call)) for call in FIXED],
        "found": [first, second[::-1], third],
        "with deaths": deaths,
        "the caller's generators are as before": own_generators() == own,
    }


def two_copies(folder: Path) -> dict[str, Any]:
    """A slow task: first its copy is the faster one, then it is itself. How long, and whether the numbers are right."""
    told: dict[str, Any] = {"copies": [], "seconds": [], "same": []}
    FIXED[0].run()  # the executors have come and run Python
    for number, pauses in enumerate([(60.0, 0.0), (12.0, 60.0)]):
        marks = folder / str(number)
        marks.mkdir()
        began = time.perf_counter()
        call = DEADLY
        same = call.run(draw_late, marks, call.tasks - 1, pauses) == here(call)
        told["seconds"].append(time.perf_counter() - began)
        told["copies"].append(len(list(marks.iterdir())))
        told["same"].append(same)
    return told


BAD = [
    ({"RNGseed": -1}, r"RNGseed=-1: a seed is a whole number from 0 to 2\*\*63 - 1"),
    ({"RNGseed": 2**63}, r"RNGseed=9223372036854775808: a seed is a whole number from 0 to 2\*\*63 - 1"),
    ({"RNGseed": 1.0}, r"RNGseed=1\.0: a seed is a whole number"),
    ({"RNGseed": True}, "RNGseed=True: a seed is a whole number"),
    ({"RNGseed": np.True_}, r"RNGseed=np\.True_: a seed is a whole number"),
    ({"RNGseed": "Auto"}, "RNGseed='Auto': a seed is a whole number"),
    (
        {"RNGkind": "MT2003"},
        "RNGkind='MT2003' is not a kind of generator: did you mean 'MT2203'.*MCG31, R250",
    ),
    ({"RNGkind": "sobol"}, "RNGkind='sobol' is not a kind of generator: did you mean 'SOBOL'"),
    ({"RNGscope": "worker"}, 'RNGscope=\'worker\': RNGscope is "chunk" or "task"'),
    (
        {"RNGkind": "MCG31", "RNGseed": 777, "timesToRun": 2_000},
        r"has 1,023 streams .*, but 2,000 are asked for\. Kinds that have enough: R250, MRG32K3A, .*MT2203",
    ),
    (
        {"RNGkind": "SOBOL", "timesToRun": 5_000},
        r"has 4,095 streams .*, but 5,000 are asked for\. Kinds that have enough: R250, MRG32K3A, .*MT2203",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[str(arguments) for arguments, _ in BAD])
def test_bad_arguments_are_refused_before_any_task_runs(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """The error names the argument, its value and what is allowed; no task has run."""
    with RxLocalSeq(), pytest.raises(RxArgumentError, match=message):
        rxExec(tempfile.mkstemp, dir=tmp_path, **{"timesToRun": 3, **arguments})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint64])
def test_a_numpy_integer_is_the_seed_that_it_equals(kind: type) -> None:
    """NumPy's integers are seeds like Python's, and `.rng` records a plain int."""
    with RxLocalSeq():
        plain, numpy = (rxExec(random.random, timesToRun=2, RNGseed=seed) for seed in (77, kind(77)))
    assert numpy == plain
    assert type(numpy.rng.seed) is int


def test_fewer_chunks_make_do_with_fewer_streams() -> None:
    """The advice for a kind without enough streams works: 2,000 tasks of MCG31 in chunks of two."""
    with RxLocalSeq():
        results = rxExec(np.random.uniform, timesToRun=2_000, RNGkind="MCG31", RNGseed=777, taskChunkSize=2)
    assert len(set(results)) == 2_000


def test_a_chunk_that_takes_too_much_of_a_quasi_random_stream_is_told() -> None:
    """Numbers past a segment of SOBOL would be the next chunk's: the task fails and says how many are left."""
    sizes = rxElemArg([2**20, 2**20 + 1])
    with RxLocalSeq():
        fits, exceeds = rxExec(lambda size: np.min(np.random.uniform(size=size)), sizes, RNGkind="SOBOL")
    assert 0 <= fits < 1e-5
    assert exceeds.type == "RxArgumentError"
    assert "1,048,576 points; 1,048,576 numbers are left and 1,048,577 are asked for" in exceeds.message


if __name__ == "__main__":
    print(json.dumps(program(*sys.argv[1:])))
