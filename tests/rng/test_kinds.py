"""RNGseed and RNGkind become a root, or an error that says what to do."""

import pickle
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rxspark.errors import RxArgumentError, RxMissingError
from rxspark.rng.kinds import KINDS, SeedRoot, check_capacity, fresh_seed, resolve
from rxspark.rng.streams import Streams

ARTICLE = ["MCG31", "R250", "MRG32K3A", "MCG59", "MT19937", "MT2203", "SFMT19937", "SOBOL", "NIEDERR"]

random_of_numpy: Any = np.random  # NumPy's types know neither all of its names nor the older form of a state


def test_all_kinds_of_the_article_are_there():
    """The nine kinds that RevoScaleR's rxExec knows have a row, with a source."""
    assert set(ARTICLE) < set(KINDS)
    assert all(row.source and row.why for row in KINDS.values())


def test_no_control_needs_no_mkl_and_is_recorded():
    """Neither seed nor kind: NumPy's PHILOX, a seed that differs from call to call, and a root that says so."""
    first, second = resolve(None, None), resolve(None, None)
    assert first.kind == second.kind == "PHILOX"
    assert first.seed != second.seed
    assert not first.chosen


@pytest.mark.parametrize(("seed", "kind"), [("auto", None), (None, "auto"), ("auto", "auto")])
def test_auto_is_mt2203_with_a_recorded_seed(seed, kind):
    """The word "auto" in either argument means MT2203 and a random seed that stands in the root."""
    root = resolve(seed, kind)
    assert (root.kind, root.chosen) == ("MT2203", True)
    assert root.seed != resolve(seed, kind).seed


def test_a_seed_alone_means_mt2203_and_zero_is_a_seed():
    """RNGseed without RNGkind uses MT2203; 0 is not "no seed"."""
    assert resolve(777, None) == SeedRoot("MT2203", 777, chosen=True)
    assert resolve(0, None) == SeedRoot("MT2203", 0, chosen=True)
    assert resolve(5, "auto") == SeedRoot("MT2203", 5, chosen=True)


def test_a_kind_alone_gets_a_fresh_seed():
    """RNGkind without RNGseed is replayed by the seed that the root records."""
    root = resolve(None, "MCG59")
    assert root.kind == "MCG59"
    assert resolve(root.seed, root.kind) == root


@pytest.mark.parametrize("seed", [np.int64(777), np.uint8(7), np.int32(0)])
def test_numpy_integers_are_seeds(seed):
    """Whole numbers of NumPy become plain ints."""
    root = resolve(seed, "PHILOX")
    assert type(root.seed) is int
    assert root.seed == int(seed)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, np.float64(3), True, np.True_, "777", [1], object])
def test_what_is_no_seed_is_refused_with_the_range(seed):
    """Negative, too large, fractional, boolean and textual seeds are named, with the range that is taken."""
    with pytest.raises(RxArgumentError, match=r"RNGseed=.*whole number from 0 to 2\*\*63 - 1"):
        resolve(seed, "PHILOX")


@pytest.mark.parametrize(
    ("kind", "guess"), [("mt2203", "MT2203"), ("MT-2203", "MT2203"), ("PHILOX4x32x10", "PHILOX4X32X10")]
)
def test_a_misspelt_kind_gets_a_suggestion_and_the_list(kind, guess):
    """An unknown kind names the likely one and all that there are."""
    with pytest.raises(RxArgumentError, match=f"did you mean '{guess}'.*SOBOL, NIEDERR"):
        resolve(1, kind)


@pytest.mark.parametrize("kind", [5, b"MT2203", ["MT2203"], "WICHMANN-HILL"])
def test_any_other_kind_is_refused_with_the_list(kind):
    """Values that are no kind at all get the list of kinds."""
    with pytest.raises(RxArgumentError, match=r"RNGkind=.*The kinds are MCG31"):
        resolve(1, kind)


def test_more_streams_than_there_are_is_refused_with_the_arithmetic():
    """The error says how many there are, why, how many were asked for, and which kinds have enough."""
    check_capacity(SeedRoot("SOBOL", 1, chosen=True), 4095)
    with pytest.raises(
        RxArgumentError, match=r"4,095 streams \(.*2\*\*20\), but 5,000 .*PHILOX, PCG64DXSM.*taskChunkSize"
    ):
        check_capacity(SeedRoot("SOBOL", 1, chosen=True), 5000)


def test_an_even_seed_of_mcg59_has_fewer_streams():
    """MCG59's period halves with each factor of two in the seed, and so does its number of streams."""
    check_capacity(SeedRoot("MCG59", 1025, chosen=True), 2**20)
    check_capacity(SeedRoot("MCG59", 1024, chosen=True), 2**10)
    with pytest.raises(RxArgumentError, match="RNGseed=1024 has 1,024 streams"):
        check_capacity(SeedRoot("MCG59", 1024, chosen=True), 2**10 + 1)


@pytest.mark.parametrize(("kind", "module"), [("MT2203", "mkl_random"), ("SOBOL", "rxspark.rng.kinds.library")])
def test_without_mkl_the_error_says_what_to_install_and_what_does_without(kind, module, monkeypatch):
    """A host without MKL is named, with the packages to install and the kinds that need NumPy alone."""
    if module == "mkl_random":
        monkeypatch.setitem(sys.modules, module, None)
    else:

        def missing():
            raise OSError("libmkl_rt was not found")

        monkeypatch.setattr(module, missing)
    with pytest.raises(RxMissingError, match=r"pip install mkl mkl-random there, or use RNGkind=PHILOX or PCG64DXSM"):
        resolve(1, kind)
    with pytest.raises(RxMissingError, match=kind):
        Streams(SeedRoot(kind, 1, chosen=True))


@pytest.mark.parametrize("kind", ["MT2203", "SOBOL"])
def test_what_mkl_leaves_of_a_killed_process_goes_with_the_next_that_draws(kind):
    """A file of Intel's OpenMP in /dev/shm, of a process that has had no time to exit, is there no longer."""
    program = f"""
import os
from rxspark import RxLocalSeq, rxExec
with RxLocalSeq():
    rxExec(int, RNGseed=1, RNGkind={kind!r})
print(*(name for name in os.listdir("/dev/shm") if f"_{{os.getpid()}}_" in name), flush=True)
"""

    def mark(end):
        done = subprocess.run([sys.executable, "-c", program + end], stdout=subprocess.PIPE, text=True)
        name = done.stdout.strip()
        assert name.startswith("__KMP_REGISTERED_LIB_")
        return Path("/dev/shm", name)

    left = mark("os.kill(os.getpid(), 9)")
    its_own = mark("")
    assert (left.exists(), its_own.exists()) == (False, False)


def test_a_fresh_seed_in_a_task_comes_from_its_stream():
    """Nested calls without a seed repeat with the task: their seeds are the stream's."""

    def seeds():
        with Streams(SeedRoot("PHILOX", 1, chosen=True)) as streams:
            streams.start(3)
            return [fresh_seed(), fresh_seed()]

    first = seeds()
    assert first == seeds()
    assert first[0] != first[1]
    assert 0 <= min(first) <= max(first) < 2**63
    assert fresh_seed() != fresh_seed()


def test_roots_travel():
    """A root pickles and prints what replays it."""
    root = SeedRoot("MT2203", 777, chosen=True)
    assert pickle.loads(pickle.dumps(root)) == root
    assert repr(root) == "SeedRoot(kind='MT2203', seed=777, chosen=True)"


def test_importing_the_package_loads_neither_numpy_nor_mkl():
    """`import rxspark` brings only light parts of rng."""
    code = "import sys, rxspark.rng, rxspark.rng.pickling; print({'numpy', 'mkl_random', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_a_numpy_kind_loads_no_mkl():
    """PHILOX and PCG64DXSM work where MKL is missing: they never import it."""
    code = """
import sys; sys.modules["mkl_random"] = None
from rxspark.rng.kinds import resolve
from rxspark.rng.streams import Streams
for kind in ("PHILOX", "PCG64DXSM"):
    with Streams(resolve(1, kind)) as streams:
        streams.start(1)
print("ok")
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "ok"


def test_fresh_seeds_leave_the_callers_generators_alone():
    """Resolving an unseeded call draws nothing from random or np.random."""
    before = random.getstate(), random_of_numpy.get_state()[1].tolist()
    resolve(None, None)
    assert before == (random.getstate(), random_of_numpy.get_state()[1].tolist())
