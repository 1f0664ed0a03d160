"""The place of a `random.Random` in its stream: read it, go to it, make a generator there."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["CORE", "generator_at_position", "generator_in", "position_of", "set_position"]

CORE: Any = random.Random.__base__
"""The C class: its getstate and setstate take 2 us, Python's 30 us."""


def position_of(generator: random.Random) -> tuple[Any, ...]:
    """Read the place of a generator, whatever its class."""
    return CORE.getstate(generator), vars(generator)["gauss_next"]


def set_position(place: tuple[Any, ...], generator: random.Random) -> None:
    """Set a generator to a place that `position_of` gave."""
    core, vars(generator)["gauss_next"] = place
    CORE.setstate(generator, core)


def generator_at_position(place: tuple[Any, ...]) -> random.Random:
    """Make a generator at a place that `position_of` gave."""
    made = random.Random(0)
    set_position(place, made)
    return made


def generator_in(state: tuple[Any, ...]) -> random.Random:
    """Make a generator in a state that `random.getstate` gave."""
    made = random.Random(0)
    made.setstate(state)
    return made
