"""The bit generators that all streams of a process share, and the entropy for what is made without a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import bit_generator

from rxspark.concurrency import once
from rxspark.rng.active import current
from rxspark.rng.numpy_threads import SHARED

__all__ = ["randbits", "shared_bits", "system_randbits"]


class _StreamSeeds(bit_generator.ISpawnableSeedSequence):
    """The seed sequence of the shared bit generators: its children differ from stream to stream, as they must."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        return np.zeros(n_words, dtype)

    def spawn(self, n_children: int) -> list[np.random.SeedSequence]:  # type: ignore[override]
        return [np.random.SeedSequence(randbits(128)) for _ in range(n_children)]


@once
def shared_bits(name: str) -> np.random.BitGenerator:
    """The process's one bit generator of a class, so that what holds it follows every stream to come."""
    made: np.random.BitGenerator = getattr(np.random, name)(_StreamSeeds())
    return made


system_randbits: Callable[[int], int] = bit_generator.randbits  # type: ignore[attr-defined]


def randbits(count: int) -> int:
    """Return random bits, from the stream of this thread if it has one, else from the system."""
    with SHARED.held():
        active = current()
        return active.entropy(count) if active else system_randbits(count)
