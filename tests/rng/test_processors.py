"""The same seed gives the same numbers on every processor, to the last digit, in whatever process they are drawn."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from project import GOLDEN

from rxspark.rng.kinds import KINDS, SeedRoot
from rxspark.rng.streams import Streams

# A digest of some values of each function of np.random in the one stream, by kind.
DIGESTS = """
import hashlib
import numpy as np
from rxspark.rng.kinds import KINDS, SeedRoot
from rxspark.rng.streams import Streams

CALLS = {
    "random_sample": (), "uniform": (-3, 11.7), "standard_normal": (), "normal": (1.5, 2.3), "lognormal": (0.1, 0.7),
    "exponential": (2.1,), "gamma": (2.5, 1.3), "beta": (2.5, 1.3), "chisquare": (3.3,), "f": (3, 5),
    "standard_t": (4,), "standard_cauchy": (), "weibull": (1.7,), "pareto": (1.7,), "power": (1.7,),
    "laplace": (1.7, 2), "gumbel": (1.7, 2), "logistic": (1.7, 2), "rayleigh": (1.7,), "wald": (1.7, 2),
    "triangular": (1, 2, 4), "vonmises": (1, 2), "binomial": (100, 0.3), "negative_binomial": (5, 0.3),
    "poisson": (133.3,), "zipf": (2.3,),
    "geometric": (0.3,), "hypergeometric": (100, 50, 30), "logseries": (0.6,), "dirichlet": ([0.2, 0.3, 0.5],),
}
for kind in KINDS:
    drawn = hashlib.md5()
    with Streams(SeedRoot(kind, 777, chosen=True)) as streams:
        for name, parameters in CALLS.items():
            streams.start(3)
            drawn.update(np.ascontiguousarray(getattr(np.random, name)(*parameters, 500)).tobytes())
    print(kind, drawn.hexdigest())
"""
# An older processor, as far as libraries let themselves be told so.
OLDER = {
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Nehalem",
}


def output(program: str, *options: str, **variables: str) -> str:
    """Return what a program prints in a Python of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("MKL_CBWR", *OLDER)}
    command = [sys.executable, *options, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env={**kept, **variables})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_older_processor_draws_the_same_numbers():
    """All functions of np.random in streams of all kinds give the same bits without the newer instructions."""
    newer = output(DIGESTS)
    assert len(newer.splitlines()) == len(KINDS)
    assert output(DIGESTS, **OLDER) == newer


def test_what_mkl_makes_of_its_bits_is_what_another_processor_made_of_them():
    """Normals, exponentials, gammas, ... are those of the file, which was made on one machine and is read on others."""
    lines = (GOLDEN / "distributions.csv").read_text().splitlines()[1:]
    names = {line.split(",")[1] for line in lines}
    assert len(lines) == 9 * len(names) == 81
    parameters = {"lognormal": (0.1, 0.7), "exponential": (2.1,), "gamma": (2.5, 1.3), "beta": (2.5, 1.3)}
    parameters |= {"chisquare": (3.3,), "laplace": (1.7, 2.0), "rayleigh": (1.7,)}
    for line in lines:
        kind, name, *values = line.split(",")
        with Streams(SeedRoot(kind, 777, chosen=True)) as streams:
            streams.start(0)
            drawn = getattr(np.random, name)(*parameters.get(name, ()), len(values))
        assert drawn.tolist() == [float(value) for value in values], (kind, name)


AFTER_ANOTHER_USE = """
import numpy as np
from rxspark import RxLocalParallel, RxSpark, rxExec

def use_mkl():
    import mkl_random
    return mkl_random.MKLRandomState(1).random_sample() < 1

def draw():
    return np.random.normal(size=50).tolist()

context = {context}
with context:
    print(all(rxExec(use_mkl, timesToRun=4)))                     # no seed, so PHILOX: rxspark itself needs no MKL
    print([len(set(values)) for values in rxExec(draw, timesToRun=4, RNGseed=7, RNGkind="SFMT19937")])
    parallel = list(rxExec(draw, timesToRun=4, RNGseed=7, RNGkind="SFMT19937"))
print(parallel == list(rxExec(draw, timesToRun=4, RNGseed=7, RNGkind="SFMT19937")))
"""


@pytest.mark.parametrize(
    "context", ["RxLocalParallel()", pytest.param('RxSpark(master="local[2]")', marks=pytest.mark.spark)]
)
def test_a_worker_that_has_used_mkl_before_draws_the_same_numbers(context: str):
    """A task of a call before has used MKL by itself, which then keeps to the code path of the processor."""
    lines = output(AFTER_ANOTHER_USE.replace("{context}", context)).splitlines()
    assert lines == ["True", "[50, 50, 50, 50]", "True"]


USED_BEFORE = """
import mkl_random
import numpy as np
mkl_random.random_sample()
from rxspark import rxExec, rxRngNewStream
{call}
"""
TOLD = """
import warnings
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    exec('''{program}''')
print(*[warning.message for warning in told if warning.category is RuntimeWarning])
"""
CALLS = {
    "rxExec": 'rxExec(np.random.normal, RNGseed=1, RNGkind="MT2203")',
    "rxRngNewStream": 'rxRngNewStream("MT2203", seed=1)',
}


@pytest.mark.parametrize("call", CALLS)
def test_who_has_used_mkl_before_is_told_that_numbers_may_differ(call: str):
    """The warning names the variable that mends it; with it, and for NumPy's kinds, there is none."""
    program = USED_BEFORE.replace("{call}", CALLS[call])
    assert "MKL_CBWR=COMPATIBLE in the environment, before Python starts" in output(TOLD.replace("{program}", program))
    assert output(program, "-W", "error", MKL_CBWR="COMPATIBLE") == ""
    assert output(program, "-W", "error", MKL_CBWR="AUTO") == ""
    assert output(program.replace("MT2203", "PHILOX"), "-W", "error") == ""


def test_the_users_own_choice_of_a_code_path_stands():
    """MKL has the path that MKL_CBWR names, and the doctor's line says so."""
    program = (
        "from rxspark.doctor import _kinds\nfrom rxspark.rng.mkl import library\n"
        "print(_kinds())\nprint(library().MKL_CBWR_Get(1))"  # mkl_types.h: 2 stands for AUTO, 3 for COMPATIBLE
    )
    assert output(program).endswith("MKL_CBWR=COMPATIBLE: the same numbers on every processor)\n3\n")
    assert output(program, MKL_CBWR="COMPATIBLE").endswith("MKL_CBWR=COMPATIBLE)\n3\n")
    assert output(program, MKL_CBWR="AUTO").endswith("MKL_CBWR=AUTO)\n2\n")
