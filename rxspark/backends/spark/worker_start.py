"""Make a worker of Spark run this very version of rxspark, also where it has served a program with another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyspark import cloudpickle

from rxspark.backends.spark.idle_worker import end_with_the_jvm
from rxspark.backends.spark.package import packed_rxspark

__all__ = ["with_this_rxspark"]

Run = Callable[[Any], Iterator[Any]]


def with_this_rxspark(run: Run) -> Run:
    """Wrap what Spark runs: the wrapper travels by value, and loads the package before it unpickles `run`."""
    package = Path(packed_rxspark()).name
    pickled: bytes = cloudpickle.dumps((run, end_with_the_jvm))  # type: ignore[no-untyped-call]

    def started(values: Any) -> Iterator[Any]:
        import pickle
        import sys

        loaded = sys.modules.get("rxspark")
        if loaded is not None and package not in str(loaded.__file__):
            for name in [name for name in sys.modules if name.partition(".")[0] == "rxspark"]:
                del sys.modules[name]
        if loaded is None or package not in str(loaded.__file__):
            sys.path.sort(key=lambda entry: not entry.endswith(package))  # it first, all else in the order that it has
        run, begin = pickle.loads(pickled)
        begin()
        yield from run(values)

    return started
