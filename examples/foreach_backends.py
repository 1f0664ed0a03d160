"""RxForeachDoPar: rxExec on any joblib backend, as loky, threading, multiprocessing, Dask and Ray.

    python examples/foreach_backends.py --context local|localpar|dopar|spark

Tell joblib of the backend as its documentation says, set the context to RxForeachDoPar, and call rxExec as usual. What
to see: every backend gives the numbers that the context of the command line gives; the times are those of a first call,
with the start of the workers; Dask and Ray are skipped where they are not installed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import joblib
import numpy as np
from common import read_options

from rxspark import RxForeachDoPar, rxExec, rxSetComputeContext


def random_walk(steps: int) -> int:
    """Where a walk of that many steps, each up or down, ends."""
    return int(np.random.choice([-1, 1], size=steps).sum())


@contextmanager
def dask() -> Iterator[None]:
    """Two Dask workers on this machine; on a cluster, give its scheduler's address to Client."""
    from dask.distributed import Client

    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None), joblib.parallel_config("dask"):
        yield


@contextmanager
def ray() -> Iterator[None]:
    """Two Ray workers on this machine; on a cluster, give its address to ray.init."""
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        with joblib.parallel_config("ray", n_jobs=2):
            yield
    finally:
        ray.shutdown()


BACKENDS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "loky": lambda: joblib.parallel_config("loky", n_jobs=2),
    "threading": lambda: joblib.parallel_config("threading", n_jobs=2),
    "multiprocessing": lambda: joblib.parallel_config("multiprocessing", n_jobs=2),
    "dask": dask,
    "ray": ray,
}


def main() -> None:
    """Run the same walks on every backend."""
    options = read_options(__doc__)
    steps = 1_000 if options.quick else 100_000

    rxSetComputeContext(options.context)
    expected = rxExec(random_walk, steps, timesToRun=8, RNGseed=14)
    print(f"{options.context:16} ends at {expected}")

    rxSetComputeContext(RxForeachDoPar())
    for name, backend in BACKENDS.items():
        try:
            with backend():
                started = time.perf_counter()
                walks = rxExec(random_walk, steps, timesToRun=8, RNGseed=14)
                seconds = time.perf_counter() - started
        except ImportError as error:
            print(f"{name:16} skipped: {error}")
            continue
        here = "this process" if set(walks.info["pid"]) == {os.getpid()} else "other processes"
        print(f"{name:16} same numbers: {walks == expected}; {seconds:.2f} s, in {here}")


if __name__ == "__main__":
    main()
