"""Engines that make the numbers of a stream, each with start, get_state, set_state, and names."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from rxspark.errors import RxArgumentError
from rxspark.rng.kinds import KINDS, MEMBERS, WARM_UP, SeedRoot, digest, require
from rxspark.rng.mkl_quirks import mkl_functions
from rxspark.rng.quasi import Quasi, check_dimension
from rxspark.rng.stream_bits import shared_bits

__all__ = ["NORMAL_KINDS", "Counter", "Engine", "Jumped", "Mkl", "engine"]

NORMAL_KINDS = {"BOXMULLER": "BoxMuller", "BOXMULLER2": "BoxMuller2", "ICDF": "ICDF"}

_SCALAR_SEEDS = 2**32  # MKL's own seeds are below
_VECTOR_WORDS = 6  # 192 bits: as many words as MRG32K3A and the Philox key and counter take
_R250_WORDS = 250  # R250 takes its whole state, or only the first word of anything shorter


class Engine(Protocol):
    """One sort of streams."""

    def start(self, number: int) -> None:
        """Go to the beginning of a stream."""

    def get_state(self) -> Any:
        """The place in the stream, picklable."""

    def set_state(self, state: Any) -> None:
        """Go to a place that `get_state` gave."""

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The functions of np.random that draw from the engine itself."""


def engine(root: SeedRoot, normal_kind: str | None, dimension: int) -> Engine | None:
    """Make the engine of a root; None for PHILOX, whose numbers are those of the bits beneath all kinds."""
    row = KINDS[root.kind]
    check_dimension(root.kind, dimension)
    if normal_kind is not None and (row.library != "mkl_random" or normal_kind not in NORMAL_KINDS):
        raise RxArgumentError(
            f"normalKind={normal_kind!r} with kind {root.kind!r}: the pseudo-random kinds of MKL take "
            f"{', '.join(NORMAL_KINDS)}; all others None"
        )
    require(root.kind)
    if row.library == "mkl_random":
        return Mkl(root, normal_kind)
    if row.quasi:
        return Quasi(root.kind, dimension)
    return Jumped(root.seed) if root.kind == "PCG64DXSM" else None


def _words(root: SeedRoot, number: int, count: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """MKL's seed vector for a stream: little-endian words of `digest`, the first made odd, as MCG59 needs."""
    words = np.frombuffer(digest(root, "stream", number, 4 * count), dtype="<u4").copy()
    words[0] |= 1
    return words


@lru_cache(maxsize=8)
def _philox_key(seed: int) -> list[int]:
    return [int(word) for word in np.random.Philox(seed).state["state"]["key"]]


class Counter:
    """The Philox bits beneath every kind: NumPy's ``Philox(seed).jumped(k)`` for kind PHILOX, another key for the rest.

    Setting a state from lists of ints takes 0.5 us, from arrays 1.2 us.
    """

    def __init__(self, root: SeedRoot) -> None:
        self.bits = shared_bits("Philox")
        if root.kind == "PHILOX":
            key = _philox_key(root.seed)
        else:
            both = digest(root, "bits", 0, 16)
            key = [int.from_bytes(both[:8], "little"), int.from_bytes(both[8:], "little")]
        self._counter = [0, 0, 0, 0]
        self._state = {
            "bit_generator": "Philox",
            "state": {"counter": self._counter, "key": key},
            "buffer": [0, 0, 0, 0],
            "buffer_pos": 4,  # the buffer of four draws is used up
            "has_uint32": 0,
            "uinteger": 0,
        }

    def start(self, number: int) -> None:
        """Go to the beginning of a stream: 2**128 counters for each."""
        self._counter[2] = number
        self.bits.state = self._state


class Jumped:
    """PCG64DXSM: stream k is NumPy's ``PCG64DXSM(seed).jumped(k)``."""

    _JUMP = 0x9E3779B97F4A7C15F39CC0605CEDC835  # numpy/random/_pcg64.pyx: 2**128 by the golden section

    def __init__(self, seed: int) -> None:
        self.bits = shared_bits("PCG64DXSM")
        self._first = np.random.PCG64DXSM(seed).state

    def start(self, number: int) -> None:
        """Go to the beginning of a stream."""
        self.bits.state = self._first
        self.bits.advance(number * self._JUMP % 2**128)  # type: ignore[attr-defined]

    def get_state(self) -> None:
        """Nothing: the place is in the RandomState over the bits."""

    def set_state(self, state: None) -> None:
        """Nothing, as in `get_state`."""

    def functions(self) -> dict[str, Callable[..., Any]]:
        """None: the legacy functions draw from the bits."""
        return {}


class Mkl:
    """The pseudo-random kinds of MKL, by one MKLRandomState that is seeded in place."""

    def __init__(self, root: SeedRoot, normal_kind: str | None) -> None:
        import mkl_random

        self._root = root
        self._state = mkl_random.MKLRandomState(1, brng=root.kind)
        self._normal_kind = normal_kind
        self._block = KINDS[root.kind].draws
        self._count = _R250_WORDS if root.kind == "R250" else _VECTOR_WORDS
        self._seed: Any = root.seed if root.seed < _SCALAR_SEEDS else _words(root, 0, self._count)
        self._round, self._round_seed = 0, self._seed
        starts = {"member": self._start_member, "skip": self._start_skipped, "vector": self._start_vector}
        self.start: Callable[[int], None] = starts[KINDS[root.kind].how]

    def _start_member(self, number: int) -> None:
        # Not by skipping: MKL's skip-ahead of MT2203 takes time in proportion, and 2**31 draws or more it takes for 0.
        rounds, member = divmod(number, MEMBERS)
        if rounds != self._round:
            self._round = rounds
            self._round_seed = _words(self._root, rounds, self._count) if rounds else self._seed
        self._state.seed(self._round_seed, brng=(self._root.kind, member))
        if number:
            self._state.skipahead(WARM_UP)

    def _start_skipped(self, number: int) -> None:
        self._state.seed(self._seed, brng=self._root.kind)
        if number:
            self._state.skipahead(number * self._block)

    def _start_vector(self, number: int) -> None:
        seed = _words(self._root, number, self._count) if number else self._seed
        self._state.seed(seed, brng=self._root.kind)

    def get_state(self) -> Any:
        """MKL's own record of the stream."""
        return self._state.get_state()

    def set_state(self, state: Any) -> None:
        """Go to a place that `get_state` gave."""
        self._state.set_state(state)

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Functions of np.random that MKL draws; the others are NumPy's legacy functions over the bits beneath."""
        return mkl_functions(self._state, self._root.kind, self._normal_kind and NORMAL_KINDS[self._normal_kind])
