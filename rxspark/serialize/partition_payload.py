"""PartitionPayload: the tasks of one partition as they travel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rxspark.data.bundle import Bundle

__all__ = ["PartitionPayload"]


class PartitionPayload(NamedTuple):
    """The tasks of one partition, and their bytes."""

    numbers: Sequence[int]
    data: Bundle
