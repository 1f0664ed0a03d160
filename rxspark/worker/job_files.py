"""Keep the results of each partition in a file of its own, for a job that is to survive its driver."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rxspark.errors import RxError
from rxspark.files import atomic
from rxspark.files.paths import open_path
from rxspark.worker.results import PartitionResult

__all__ = ["ABOUT", "PARTS", "keep", "part_name"]

PARTS = "parts"
"""The folder of the result files in that of a job."""

ABOUT = "job.json"
"""File that the driver writes last when it makes the folder of a job: without it the job is gone."""

_place = lru_cache(maxsize=8)(open_path)


def part_name(numbers: Sequence[int]) -> str:
    """The file name of the results of these tasks: first, last and how many."""
    return f"{numbers[0]}-{numbers[-1]}-{len(numbers)}.results"


def keep(folder: str, result: PartitionResult) -> str:
    """Write results into a job's folder; gives why that was not possible, empty if it was.

    That is no error of the job: what cannot be kept still goes to the driver.
    """
    if result.problem is not None or not result.numbers:
        return ""
    try:
        place = _place(folder)
        if (place / ABOUT).info() is None:
            raise place.problem("no such job: it was removed, or this host does not share the folder")
        atomic.write(place / PARTS / part_name(result.numbers), result.pack())
    except RxError as problem:
        return f"{result.host}: {problem}"
    return ""
