"""The command line and the folder for pictures, which the examples share.

The calls of rxExec are not here: each example shows its own.
"""

from __future__ import annotations

import argparse
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import joblib

from rxspark import rxOptions

OUTPUT = Path(__file__).resolve().parent / "output"

# Okabe and Ito's colours, which colour-blind people tell apart too; instead of their yellow, three darker ones.
COLOURS = [
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000"),
    *("#999933", "#332288", "#999999"),
]


@dataclass(frozen=True)
class Options:
    """Options of the command line: the short name of a compute context, and whether sizes shall be small."""

    context: str
    quick: bool


def read_options(about: str | None) -> Options:
    """Read ``--context`` and ``--quick``; `about`, the docstring of the example, is what ``--help`` prints."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--context",
        choices=["local", "localpar", "dopar", "spark"],
        default="local",
        help="RxLocalSeq, RxLocalParallel, RxForeachDoPar on all cores by loky, or RxSpark (default: %(default)s)",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, for a first try and for tests")
    given = parser.parse_args()
    if given.context == "dopar":  # RxForeachDoPar runs on the backend that joblib is told of, as foreach is in R
        joblib.parallel_config(backend="loky", n_jobs=-1)
    if importlib.util.find_spec("mkl_random") is None:  # no Intel MKL for this machine
        rxOptions(RNGkind="PHILOX")
        print("without Intel MKL: the random numbers are of kind PHILOX")
    OUTPUT.mkdir(exist_ok=True)
    return Options(given.context, given.quick)
