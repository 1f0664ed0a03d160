"""Hash seed: the number from which Python makes the hashes of strings, and with them the order of a set of strings.

Python draws one for each process that it starts, so that ``list({"a", "b", "c"})`` would differ from worker to worker.
A call has one hash seed for all its workers: the ``PYTHONHASHSEED`` with which the caller was started, else 0, as
PySpark has it. It cannot be changed in a process that runs: where a worker has another one, tasks run in a child of it.
Tasks that run in the caller's own process have that process's.
"""

from __future__ import annotations

import os

__all__ = ["HASH_SEED", "call_hash_seed", "has_hash_seed"]

HASH_SEED = "PYTHONHASHSEED"

# Read early: a task changes the environment, and so do libraries (dask's LocalCluster sets this variable for good).
_OWN = os.environ.get(HASH_SEED) or "random"


def call_hash_seed() -> str:
    """Return the hash seed for the workers of a call."""
    return "0" if _OWN == "random" else _OWN


def has_hash_seed(seed: str) -> bool:
    """Tell whether this process was started with a hash seed."""
    return seed == _OWN
