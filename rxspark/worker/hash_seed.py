"""Hash seed: the number from which Python makes the hashes of strings, and with them the order of a set of strings.

Python draws one for each process that it starts, so that ``list({"a", "b", "c"})`` would differ from worker to worker.
A call has one hash seed for all its workers: the caller's ``PYTHONHASHSEED`` where it is set, else 0, which is also
what PySpark sets. It cannot be changed in a process that runs: where a worker has another one, tasks run in a child of
it. Tasks that run in the caller's own process have that process's.
"""

from __future__ import annotations

import os

__all__ = ["HASH_SEED", "call_hash_seed", "has_hash_seed"]

HASH_SEED = "PYTHONHASHSEED"

_OWN = os.environ.get(HASH_SEED) or "random"  # read as a worker starts, before a task can change its environment


def call_hash_seed() -> str:
    """Give the hash seed for the workers of a call: a number, or "random" where the caller has set that."""
    return os.environ.get(HASH_SEED) or "0"


def has_hash_seed(seed: str) -> bool:
    """Tell whether this process was started with a hash seed."""
    return seed in (_OWN, "random")
