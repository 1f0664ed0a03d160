"""Machines for which there is no Intel MKL: ARM, macOS. The tests hide it from a Python of their own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from project import EXAMPLES

from rxspark import rxExec

HIDDEN = "import sys, platform; sys.modules['mkl_random'] = None; platform.machine = lambda: 'arm64'\n"


def without_mkl(program):
    """Output and errors of a program where Intel MKL does not exist."""
    run = subprocess.run([sys.executable, "-c", HIDDEN + program], capture_output=True, text=True, cwd=EXAMPLES)
    return run.stdout, run.stderr


def test_auto_is_a_kind_that_is_there():
    """RNGkind="auto", and a stream without kind and seed, are PHILOX there."""
    told, errors = without_mkl(
        "from rxspark import *\n"
        "print(rxExec(int, timesToRun=2, RNGkind='auto').rng.kind, rxExec(int, RNGseed='auto').rng.kind)\n"
        "with rxRngNewStream() as stream: print(stream.kind)\n"
    )
    assert told.split() == ["PHILOX"] * 3, errors


def test_a_seed_alone_is_refused_with_what_helps_there():
    """MT2203's numbers cannot be made there: the error names PHILOX, and no package that does not exist."""
    for call in ("rxExec(int, RNGseed=1)", "rxRngNewStream(seed=1)"):
        errors = without_mkl(f"from rxspark import *\n{call}\n")[1]
        assert "random numbers of kind MT2203 need Intel MKL, which does not exist for machines like" in errors
        assert "rxOptions(RNGkind='PHILOX') makes it the kind of all calls with a seed" in errors
        assert "pip install" not in errors


def test_the_option_gives_the_numbers_of_machines_with_mkl():
    """rxOptions(RNGkind="PHILOX") and a seed: the same numbers there as here."""
    told, errors = without_mkl(
        "import numpy as np\nfrom rxspark import *\nrxOptions(RNGkind='PHILOX')\n"
        "print([float(v) for v in rxExec(np.random.normal, timesToRun=3, RNGseed=777)])\n"
    )
    wanted = [float(value) for value in rxExec(np.random.normal, timesToRun=3, RNGseed=777, RNGkind="PHILOX")]
    assert told.strip() == repr(wanted), errors


def test_the_doctor_finds_nothing_wrong():
    """It says which kinds there are."""
    told, errors = without_mkl(
        "from rxspark import RxLocalSeq\nfrom rxspark.doctor import examine\n"
        "for finding in examine(RxLocalSeq()): print(finding.check, finding.well, finding.outcome)\n"
    )
    assert "False" not in told, told + errors
    assert "random numbers True PHILOX, PCG64DXSM; Intel MKL, for the others, does not exist for arm64" in told


def test_examples_run_with_a_kind_that_is_there():
    """dice.py and random_numbers.py say so and run to their ends."""
    for example in ("dice", "random_numbers"):
        told, errors = without_mkl(
            f"import importlib.machinery\nimport importlib.util\nfind = importlib.util.find_spec\n"
            f"importlib.util.find_spec = lambda name, *more: None if name == 'mkl_random' else find(name, *more)\n"
            f"import runpy\nsys.path.insert(0, '.')\nsys.argv = ['{example}.py', '--quick']\n"
            f"runpy.run_path('{example}.py', run_name='__main__')\n"
        )
        assert "without Intel MKL: the random numbers are of kind PHILOX" in told, errors
        assert "Traceback" not in errors, errors
        assert "Win" in told
