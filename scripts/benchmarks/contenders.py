"""The contenders: rxspark in each of its contexts, and its peers, each used as its own documentation says.

A contender imports its system when it is started, as each runs in a process of its own.
"""
# ruff: noqa: D102 - what start, run, map and stop do is said once, in Contender

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import groups
from benchmarks.workloads import ARRAYS, NORMALS, SEED, SIZES, SWITCHES, WORKLOADS, Workload

# Workloads of everybody; those of contenders who can share data by themselves; and the works that a curve is drawn
# through, which are for those that do not take minutes.
ALL = ("noop2", "noop10k", "dice", "birthday", "mandelbrot", "kmeans", "filter")
PLACING = (*ALL, "filter-placed", "memory2", "memory4")
BY_GROUPS = ("groups", "filter-groups")
TASKS, MANY = ("noop100", "noop1k"), ("noop100", "noop1k", "noop100k", "noop1M")
DATA = tuple(f"data{name.replace(' ', '')}" for name in SIZES)

CORES = int(os.environ.get("BENCH_CORES", "2"))
# Partitions of a raw PySpark job over many items: about two a slot, as its tuning guide says.
PARTITIONS = 5


class Contender:
    """One system.

    Attributes
    ----------
    title : str
        Its name in the tables.
    rival : str
        The rxspark contender that it is compared with.
    draws : str
        Contenders with the same word here must get the same random numbers; "" when comparable with none.
    workloads : tuple of str
        What it takes part in.
    slow : tuple of str
        Workloads that take it minutes: skipped unless all are asked for.
    """

    draws = "peers"
    workloads: tuple[str, ...] = (*ALL, *BY_GROUPS)
    slow: tuple[str, ...] = ()
    data: Any = None
    placed: Any = None

    def __init__(self, title: str, rival: str) -> None:
        self.title = title
        self.rival = rival

    def start(self) -> None:
        """Get ready: whatever a user has to do once a session."""

    def prepare(self, work: Workload) -> None:
        """Make the data, and place it if the work wants that, before the clock starts."""
        self.data = work.data() if work.data else None
        self.placed = self.table(self.data) if work.key else self.place(self.data) if work.placed else None

    def run(self, work: Workload) -> list[Any]:
        """The work, once; this is what is timed."""
        if work.key:
            return self.by_groups(self.placed, work.key, work.task)
        if work.data is None:
            return work.joined(self.map(work.task, work.items))
        return self.map_over(self.placed if work.placed else self.place(self.data), work.task, work.items)

    def place(self, data: Any) -> Any:
        """Bring data to where the workers find it; what stands for it then."""
        return data

    def table(self, data: Any) -> Any:
        """A table as the system itself has tables."""
        return data

    def by_groups(self, table: Any, key: str, task: Callable[[Any, Any], Any]) -> list[Any]:
        """`task` of the keys and the rows of each group, in the order of the keys."""
        return groups.by_pandas(table, key, task)

    def map_over(self, placed: Any, task: Callable[[Any, Any], Any], items: list[Any]) -> list[Any]:
        """`task` of the data and each item, in order."""
        return self.map(partial(task, placed), items)

    def map(self, task: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        """`task` of each item, in order."""
        return [task(item) for item in items]

    def stop(self) -> None:
        """End what `start` began."""


class Rx(Contender):
    """rxspark in one of its contexts."""

    draws = "rxspark"

    def __init__(self, title: str, rival: str, context: str, borrowed: bool = False, **settings: Any) -> None:
        super().__init__(title, rival)
        # Locally there are no more workers than cores, so that four may never meet.
        of_spark = ("memory2", "memory4", "workers1", "workers2", "workers4")
        workers = {"RxLocalSeq": (), "RxSpark": of_spark}.get(context, ("memory2", "workers1", "workers2"))
        self.workloads = (*ALL, *BY_GROUPS, "poisson", "filter-placed", *MANY, *DATA, "job", "resume", *workers)
        self.context = context
        self.borrowed = borrowed
        self.settings = settings
        # joblib's own default is one worker.
        self.options: dict[str, Any] = {"foreachOpts": {"n_jobs": CORES}} if context == "RxForeachDoPar" else {}

    def start(self) -> None:
        import rxspark

        if self.borrowed:
            spark_session()
        rxspark.rxSetComputeContext(getattr(rxspark, self.context)(**self.settings))
        rxspark.rxOptions(reportProgress=0, numCoresToUse=CORES, sizeWarning=2**40)

    def run(self, work: Workload) -> list[Any]:
        from rxspark import rxElemArg, rxExec

        if work.own is not None:
            return work.own(self.data)
        if work.key:
            return groups.by_rxspark(self.placed, work.key, work.task)
        if work.data is None:
            return list(rxExec(**work.rx, **self.options))
        table = self.placed if work.placed else self.data
        return list(rxExec(work.task, table, rxElemArg(work.items), **work.rx, **self.options))

    def place(self, data: Any) -> Any:
        from rxspark import rxShare

        return rxShare(data)

    def table(self, data: Any) -> Any:
        return groups.spark_table(spark_session(), data) if self.context == "RxSpark" else data


class PySpark(Contender):
    """A job over an RDD, written by hand."""

    workloads = (*PLACING, *BY_GROUPS, *MANY, "workers1", "workers2", "workers4")

    def __init__(self, title: str, rival: str, **config: str) -> None:
        super().__init__(title, rival)
        self.config = config

    def start(self) -> None:
        self.spark = spark_session({key.replace("_", "."): value for key, value in self.config.items()})

    def map(self, task: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        return list(self.spark.sparkContext.parallelize(items, min(len(items), PARTITIONS)).map(task).collect())

    def place(self, data: Any) -> Any:
        return self.spark.sparkContext.broadcast(data)

    def map_over(self, placed: Any, task: Callable[[Any, Any], Any], items: list[Any]) -> list[Any]:
        return self.map(lambda item: task(placed.value, item), items)

    def table(self, data: Any) -> Any:
        return groups.spark_table(self.spark, data)

    def by_groups(self, table: Any, key: str, task: Callable[[Any, Any], Any]) -> list[Any]:
        return groups.by_pyspark(table, key, task)

    def stop(self) -> None:
        self.spark.stop()


class Loky(Contender):
    """loky's reusable executor."""

    workloads = (*ALL, "poisson", *MANY, "memory2", "memory4", *DATA[:-1], "workers1", "workers2", "workers4")

    def start(self) -> None:
        from loky import get_reusable_executor

        # Without a time-out: its default ends idle workers after 10 s, while the others have their turn.
        # One thread a worker for linear algebra, as joblib sets by itself: else they fight for the cores.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.executor = get_reusable_executor(max_workers=CORES, timeout=None, env=threads)

    def map(self, task: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        # Four pieces a worker, as multiprocessing.Pool.map cuts.
        return list(self.executor.map(task, items, chunksize=-(-len(items) // (CORES * 4))))

    def stop(self) -> None:
        self.executor.shutdown()


class Joblib(Contender):
    """joblib.Parallel over its loky backend."""

    backend = "loky"
    workloads = (*PLACING, *BY_GROUPS, *MANY, *DATA)

    def prepare(self, work: Workload) -> None:
        super().prepare(work)
        if work.placed:  # a file that workers map, as joblib's guide writes it
            import joblib

            self.folder = tempfile.TemporaryDirectory()
            path = Path(self.folder.name, "data")
            joblib.dump(self.data, path)
            self.placed = joblib.load(path, mmap_mode="r")

    def map_over(self, placed: Any, task: Callable[[Any, Any], Any], items: list[Any]) -> list[Any]:
        return self.calls([(task, placed, item) for item in items])

    def map(self, task: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        return self.calls([(task, item) for item in items])

    def by_groups(self, table: Any, key: str, task: Callable[[Any, Any], Any]) -> list[Any]:
        return self.calls([(task, keys, rows) for keys, rows in table.groupby(key, observed=True)])

    def calls(self, calls: list[tuple[Any, ...]]) -> list[Any]:
        """Each call of a function with its arguments."""
        from joblib import Parallel, delayed, parallel_config

        with parallel_config(backend=self.backend, n_jobs=CORES):
            return list(Parallel()(delayed(call[0])(*call[1:]) for call in calls))


class JoblibSpark(Joblib):
    """joblib.Parallel over Spark: one Spark job a task."""

    backend = "spark"
    workloads = (*ALL, *TASKS)
    slow = ("noop1k", "noop10k")

    def start(self) -> None:
        from joblibspark import register_spark

        self.spark = spark_session()
        register_spark()

    def stop(self) -> None:
        self.spark.stop()


class Dask(Contender):
    """Dask's distributed scheduler with local processes."""

    # One run in 20 got other numbers: threads of its worker can draw from the generator that the task has seeded.
    draws = ""
    workloads = (*PLACING, *BY_GROUPS, *TASKS, *DATA[:-1])

    def start(self) -> None:
        from distributed import Client, LocalCluster

        self.cluster = LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=CORES, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        )
        self.client: Any = Client(self.cluster)  # type: ignore[no-untyped-call]

    def map(self, task: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        # pure=False: otherwise the second run finds the first one's results.
        return list(self.client.gather(self.client.map(task, items, pure=False)))

    def place(self, data: Any) -> Any:
        return self.client.scatter(data, broadcast=True)

    def by_groups(self, table: Any, key: str, task: Callable[[Any, Any], Any]) -> list[Any]:
        return groups.by_dask(table, key, task)

    def map_over(self, placed: Any, task: Callable[[Any, Any], Any], items: list[Any]) -> list[Any]:
        return list(self.client.gather(self.client.map(task, [placed] * len(items), items, pure=False)))

    def stop(self) -> None:
        self.client.close()
        self.cluster.close()


class Ray(Contender):
    """Ray's remote functions."""

    workloads = (*PLACING, *TASKS, *DATA[:-1])

    def start(self) -> None:
        import ray

        self.ray = ray
        ray.init(num_cpus=CORES, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
        self.remote = {work.task: ray.remote(work.task) for work in WORKLOADS.values()}

    def map(self, task: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        remote = self.remote[task]
        return self.ray.get([remote.remote(item) for item in items])

    def place(self, data: Any) -> Any:
        return self.ray.put(data)

    def map_over(self, placed: Any, task: Callable[[Any, Any], Any], items: list[Any]) -> list[Any]:
        remote = self.remote[task]
        return self.ray.get([remote.remote(placed, item) for item in items])

    def stop(self) -> None:
        self.ray.shutdown()


class Random(Contender):
    """A maker of random numbers inside one task: no tasks are run, so no system is around it."""

    draws = ""
    workloads = ("streams", "normals")

    def __init__(self, title: str) -> None:
        super().__init__(title, "rx-mt2203")

    def run(self, work: Workload) -> list[Any]:
        if work is WORKLOADS["streams"]:
            return [self.switch()]
        for _ in range(ARRAYS):
            array = self.normals()
        return [array]

    def switch(self) -> float:
        """One stream after another, and one number from the last."""
        raise NotImplementedError

    def normals(self) -> Any:
        """An array of normal numbers."""
        raise NotImplementedError


class RxRandom(Random):
    """rxspark's streams, installed as the runner of tasks installs them."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"rxspark {kind}")
        self.kind = kind

    def start(self) -> None:
        import numpy as np

        from rxspark.rng.kinds import SeedRoot
        from rxspark.rng.streams import Streams

        self.random = np.random
        self.streams = Streams(SeedRoot(self.kind, SEED, chosen=True)).__enter__()

    def switch(self) -> float:
        for number in range(SWITCHES):
            self.streams.start(number)
        return float(self.random.uniform())

    def normals(self) -> Any:
        return self.random.normal(size=NORMALS)

    def stop(self) -> None:
        self.streams.__exit__(None, None, None)


class Mkl(Random):
    """mkl_random itself, with the first draws of its streams, which rxspark skips as they depend on each other."""

    def start(self) -> None:
        from mkl_random import MKLRandomState

        self.random = MKLRandomState(SEED, brng="MT2203")

    def switch(self) -> float:
        for number in range(SWITCHES):
            self.random.seed(SEED, brng=("MT2203", number % 6024))
        return float(self.random.uniform())

    def normals(self) -> Any:
        return self.random.normal(size=NORMALS)


class NumpyGenerator(Random):
    """Generators over spawned seed sequences: what NumPy's guide to parallel random numbers shows."""

    def switch(self) -> float:
        import numpy as np

        for seed in np.random.SeedSequence(SEED).spawn(SWITCHES):
            rng = np.random.default_rng(seed)
        return rng.random()

    def normals(self) -> Any:
        import numpy as np

        return np.random.default_rng(SEED).normal(size=NORMALS)


class NumpyLegacy(Random):
    """The functions of np.random; a stream is a seed, as by hand: nothing keeps two streams apart."""

    def switch(self) -> float:
        import numpy as np

        for number in range(SWITCHES):
            np.random.seed(SEED + number)
        return np.random.uniform()

    def normals(self) -> Any:
        import numpy as np

        return np.random.normal(size=NORMALS)


class R(Contender):
    """A package of R: peers.R does the work, so only the names stand here."""

    draws = ""

    def __init__(self, title: str, rival: str, *workloads: str) -> None:
        super().__init__(title, rival)
        self.workloads = workloads or ("noop2", "noop10k", "dice", *TASKS)


def spark_session(config: dict[str, str] | None = None) -> Any:
    """A session as a user makes it, with nothing set but the master and `config`."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local[{CORES}]")
    for key, value in (config or {}).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


CONTENDERS: dict[str, Contender] = {
    "sequential": Contender("sequential Python", "rx-seq"),
    "rx-seq": Rx("rxspark RxLocalSeq", "rx-seq", "RxLocalSeq"),
    "rx-localpar": Rx("rxspark RxLocalParallel", "rx-localpar", "RxLocalParallel"),
    "rx-dopar": Rx("rxspark RxForeachDoPar (joblib loky)", "rx-dopar", "RxForeachDoPar"),
    "rx-spark": Rx("rxspark RxSpark, own session", "rx-spark", "RxSpark", master=f"local[{CORES}]"),
    "rx-borrowed": Rx("rxspark RxSpark, borrowed TCP session", "rx-borrowed", "RxSpark", borrowed=True),
    "pyspark-unix": PySpark("raw PySpark, Unix socket", "rx-spark", spark_python_unix_domain_socket_enabled="true"),
    "pyspark-tcp": PySpark("raw PySpark, TCP (its default)", "rx-borrowed"),
    "loky": Loky("loky", "rx-localpar"),
    "joblib": Joblib("joblib, loky backend", "rx-dopar"),
    "dask": Dask("Dask distributed, processes", "rx-localpar"),
    "ray": Ray("Ray", "rx-localpar"),
    "joblibspark": JoblibSpark("joblib-spark", "rx-borrowed"),
    "r-parallel": R("R parallel (parLapply)", "rx-localpar"),
    "r-future": R("R future.apply", "rx-localpar"),
    "r-foreach": R("R foreach, doParallel", "rx-localpar"),
    "rx-mt2203": RxRandom("MT2203"),
    "rx-sfmt19937": RxRandom("SFMT19937"),
    "rx-philox": RxRandom("PHILOX"),
    "mkl-mt2203": Mkl("mkl_random MT2203"),
    "np-generator": NumpyGenerator("NumPy SeedSequence.spawn and Generator"),
    "np-legacy": NumpyLegacy("NumPy np.random, legacy functions"),
    "r-seeds": R("R future.apply, what future.seed adds", "rx-mt2203", "streams"),
}
