"""What a worker keeps of a job that is to survive its driver: the envelopes of each partition, in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rxspark import records
from rxspark.errors import RxError
from rxspark.places import open_place
from rxspark.worker.envelope import Envelopes

__all__ = ["ABOUT", "PARTS", "keep", "part_name"]

PARTS = "parts"
"""The folder of the envelope files in that of a job."""

ABOUT = "job.json"
"""What the driver writes last when it makes the folder of a job: without it the job is gone."""

_place = lru_cache(maxsize=8)(open_place)


def part_name(numbers: Sequence[int]) -> str:
    """The file name of the envelopes of these tasks: first, last and how many."""
    return f"{numbers[0]}-{numbers[-1]}-{len(numbers)}.envelopes"


def keep(folder: str, envelopes: Envelopes) -> str:
    """Write envelopes into a job's folder; gives why that was not possible, empty if it was.

    That is no error of the job: what cannot be kept still goes to the driver.
    """
    if envelopes.problem is not None or not envelopes.numbers:
        return ""
    try:
        place = _place(folder)
        if (place / ABOUT).info() is None:
            raise place.problem("no such job: it was removed, or this host does not share the folder")
        records.write(place / PARTS / part_name(envelopes.numbers), envelopes.pack())
    except RxError as problem:
        return f"{envelopes.host}: {problem}"
    return ""
