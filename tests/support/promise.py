"""Calls that draw in every way that users do; their results in RxLocalSeq are what all others are held to."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rxspark import RxLocalSeq, RxTaskError, rxElemArg, rxExec
from rxspark.rng.kinds import KINDS, SeedRoot

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
        """Count the streams that it takes."""
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
