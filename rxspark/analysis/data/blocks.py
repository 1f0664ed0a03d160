"""Rows of a model, wherever they are: in this process or, part by part, in the workers of a cluster.

A fit asks them for sums, which are the same however the rows are divided: one fit for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

__all__ = ["Here", "Parts", "Sums"]

T = TypeVar("T")


class Parts(Protocol):
    """All rows of a model; what a part is, each model says."""

    def total(self, of: Callable[[Any], T], add: Callable[[T, T], T]) -> T:
        """What the parts give, added up."""

    def release(self) -> None:
        """Let go of what is kept of them."""


@dataclass(frozen=True)
class Here:
    """Rows in this process: a single part."""

    part: Any

    def total(self, of: Callable[[Any], T], add: Callable[[T, T], T]) -> T:
        """What the part gives."""
        return of(self.part)

    def release(self) -> None:
        """There is nothing to let go of."""


class Sums:
    """Sums over rows, added field by field."""

    def __add__(self, other: Any) -> Any:
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))  # type: ignore[arg-type]
