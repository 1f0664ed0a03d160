"""HDFS and YARN on the hosts of a lab: the masters on the first, a DataNode and a NodeManager on each other.

Their files are on the disks of the hosts (/var/tmp/hadoop), which outlive a host's power.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

from hadoop_parts import CLASSES, class_path, java_command, settings, write_settings

__all__ = ["CONF", "hadoop_problem", "hadoop_services", "prepare_hadoop"]

CONF = "/run/share/hadoop/conf"
"""HADOOP_CONF_DIR on the hosts."""

_DISK = Path("/var/tmp/hadoop")
_PORTS = (8020, 9870, 8032, 8030, 8031, 8033, 8088)  # Hadoop's own defaults, in the order of `settings`
_HDFS_STATE = "http://host0:9870/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState"
_YARN_STATE = "http://host0:8088/ws/v1/cluster/metrics"


def prepare_hadoop(share: Path) -> None:
    """Put settings, and the list of the jars, into the folder that all hosts share."""
    files = settings(_DISK, "host0", _PORTS)
    files["hdfs-site.xml"]["dfs.datanode.data.dir"] = f"file://{_DISK}/datanode"
    files["yarn-site.xml"] |= {
        "yarn.nodemanager.local-dirs": _DISK / "local",
        "yarn.nodemanager.log-dirs": _DISK / "logs",
        # For two small executors, or an executor and an application's master: hosts share one machine.
        "yarn.nodemanager.resource.memory-mb": 2048,
        "yarn.scheduler.maximum-allocation-mb": 2048,
    }
    write_settings(share / "hadoop" / "conf", files)
    (share / "hadoop" / "jars").write_text(class_path(share / "hadoop"))


def hadoop_services(number: int, share: Path) -> dict[str, list[str]]:
    """Return the commands of the daemons of a host, by name."""
    jars = (share / "hadoop" / "jars").read_text()

    def daemon(*main: str) -> list[str]:
        return java_command(_DISK, Path(CONF), jars, *main)

    if number:
        return {name: _in_its_folder(daemon(CLASSES[name])) for name in ("datanode", "nodemanager")}
    new = shlex.join(daemon(CLASSES["namenode"], "-format", "-nonInteractive"))
    first = f"[ -d {_DISK}/namenode/current ] || {new}"
    return {
        "namenode": _in_its_folder(daemon(CLASSES["namenode"]), first),
        "resourcemanager": _in_its_folder(daemon(CLASSES["resourcemanager"])),
    }


def _in_its_folder(command: list[str], first: str = "true") -> list[str]:
    return ["bash", "-c", f'mkdir -p {_DISK}/tmp && cd {_DISK} && {first} && exec "$@"', "daemon", *command]


def hadoop_problem(workers: int, ask: Callable[[str], str]) -> str:
    """Tell what is missing until HDFS and YARN are at work; '' when they are. `ask(url)` asks a page of host0."""
    told = ask(_HDFS_STATE)
    if not told:
        return "the NameNode does not answer; see /tmp/namenode.log on host0"
    state = (json.loads(told)["beans"] or [{}])[0]
    alive = state.get("NumLiveDataNodes", 0)
    if state.get("FSState") != "Operational" or alive != workers:
        return f"HDFS is {state.get('FSState')} with {alive} of {workers} DataNodes; see /tmp/datanode.log on the hosts"
    told = ask(_YARN_STATE)
    active = json.loads(told)["clusterMetrics"]["activeNodes"] if told else 0
    if active != workers:
        return f"YARN has {active} of {workers} NodeManagers; see /tmp/resourcemanager.log and /tmp/nodemanager.log"
    return ""
