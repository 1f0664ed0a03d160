"""Services: programs that the hosts of a lab run from their boot on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from hadoop_parts import java_home

from lab_hosts.hadoop import CONF, hadoop_problem, hadoop_services, prepare_hadoop
from lab_hosts.host import name_of

__all__ = ["KINDS", "prepare", "service_problem", "service_variables", "services_of"]

KINDS = ("none", "spark", "hadoop")

_MASTER_PORT, _MASTER_WEB_PORT = 7077, 8080  # Spark's own defaults
_STATE_PAGE = f"http://host0:{_MASTER_WEB_PORT}/json/"
_ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"

# Small, as several hosts share one machine: two executors of a core and 512 MB each.
_WORKER_SIZE = ["--cores", "2", "--memory", "1g"]

# The second compiler takes more time than its code saves in so short a life, and so do the threads of a collector.
_BRIEF = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

# A worker that gets SIGPWR, as from a cloud that is about to take its machine away, takes no more tasks.
_HEEDS_NOTICE = "-Dspark.decommission.enabled=true"


def prepare(kind: str, share: Path) -> None:
    """Put what services need into the folder that all hosts share."""
    if kind == "hadoop":
        prepare_hadoop(share)


def service_variables(kind: str) -> dict[str, str]:
    """Return the environment variables by which programs on the hosts find the services."""
    return {"HADOOP_CONF_DIR": CONF, "JAVA_HOME": str(java_home())} if kind == "hadoop" else {}


def services_of(kind: str, number: int, share: Path, variables: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the commands of the services of a host, by name: on the first host the masters, on the others workers."""
    if kind == "hadoop":
        return hadoop_services(number, share)
    return _spark_services(number, Path(variables["PYSPARK_PYTHON"])) if kind == "spark" else {}


def _spark_services(number: int, python: Path) -> dict[str, list[str]]:
    [home] = python.parents[1].glob("lib/python*/site-packages/pyspark")
    own = {
        "SPARK_HOME": str(home),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": f"{_BRIEF} {_HEEDS_NOTICE}",
        "SPARK_WORKER_DIR": "/tmp/spark-work",
    }
    spark = ["env", *(f"{key}={value}" for key, value in own.items()), f"{home}/bin/spark-class"]
    deploy, host = "org.apache.spark.deploy", ["--host", name_of(number)]
    if number == 0:
        ports = ["--port", str(_MASTER_PORT), "--webui-port", str(_MASTER_WEB_PORT)]
        return {"spark-master": [*spark, f"{deploy}.master.Master", *host, *ports]}
    return {"spark-worker": [*spark, f"{deploy}.worker.Worker", *host, *_WORKER_SIZE, f"spark://host0:{_MASTER_PORT}"]}


def service_problem(kind: str, workers: int, output: Callable[..., str]) -> str:
    """Tell what is missing until all services are at work; '' when they are. `output(host, *command)` asks a host."""

    def ask(url: str) -> str:
        return output("host0", "python", "-c", _ASK, url)

    if kind == "hadoop":
        return hadoop_problem(workers, ask)
    return _spark_problem(workers, ask) if kind == "spark" else ""


def _spark_problem(workers: int, ask: Callable[[str], str]) -> str:
    told = ask(_STATE_PAGE)
    if not told:
        return "the Spark master does not answer; see /tmp/spark-master.log on host0"
    alive = {worker["host"] for worker in json.loads(told)["workers"] if worker["state"] == "ALIVE"}
    absent = [name_of(number) for number in range(1, workers + 1) if name_of(number) not in alive]
    return f"no Spark worker of {', '.join(absent)}; see /tmp/spark-worker.log there" if absent else ""
