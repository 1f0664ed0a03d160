"""HDFS with two NameNodes: what scripts/hadoop adds for `start --ha`.

The journal of the file system lies with three JournalNodes, of which two must agree. A controller beside each NameNode
(ZKFC) looks after it; that one whose controller holds a lock in ZooKeeper is active.
"""

from __future__ import annotations

import json
import socket
import struct
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = [
    "ADMIN",
    "CONTROLLERS",
    "DAEMONS",
    "JOURNALS",
    "NAMENODES",
    "NAME_SERVICE",
    "PORTS",
    "ZOOKEEPER",
    "active",
    "add_ha_settings",
    "answers",
    "is_ha",
    "own_arguments",
    "own_ha_settings",
    "prepare_zookeeper",
    "standby",
]

NAME_SERVICE = "mycluster"
NAMENODES = ["namenode1", "namenode2"]
JOURNALS = ["journalnode1", "journalnode2", "journalnode3"]
CONTROLLERS = ["zkfc1", "zkfc2"]
ZOOKEEPER = "zookeeper"
DAEMONS = [ZOOKEEPER, *JOURNALS, *NAMENODES, *CONTROLLERS]

PORTS = 2 * len(NAMENODES) + 2 * len(JOURNALS) + len(CONTROLLERS) + 1
"""One for each, and one for each web page of the NameNodes and JournalNodes."""

ADMIN = "org.apache.hadoop.hdfs.tools.DFSHAAdmin"
"""The class that asks for a failover."""


# Hadoop's jars with all servers hold ZooKeeper whole but for this interface, which its client asks for.
_LEFT_OUT = "org/apache/hadoop/shaded/org/apache/zookeeper/Testable"


def is_ha(folder: Path) -> bool:
    """Tell whether the Hadoop of this folder has two NameNodes."""
    file = folder / "conf" / "hdfs-site.xml"
    return file.exists() and "dfs.nameservices" in file.read_text()


def add_ha_settings(files: dict[str, dict[str, Any]], host: str, ports: Sequence[int]) -> None:
    """Put two NameNodes, and what they need, at `PORTS` ports, in place of one NameNode."""
    *addresses, zookeeper = [f"{host}:{port}" for port in ports]
    service = NAME_SERVICE
    files["core-site.xml"] |= {
        "fs.defaultFS": f"hdfs://{service}",
        # A mount table: two folders of the name service as one file system.
        "fs.viewfs.mounttable.both.link./share": f"hdfs://{service}/share",
        "fs.viewfs.mounttable.both.link./data": f"hdfs://{service}/data",
    }
    site = files["hdfs-site.xml"]
    del site["dfs.namenode.http-address"], site["dfs.namenode.name.dir"]
    journals = ";".join(addresses[4:10:2])
    site |= {
        "dfs.nameservices": service,
        f"dfs.ha.namenodes.{service}": ",".join(NAMENODES),
        "dfs.namenode.shared.edits.dir": f"qjournal://{journals}/{service}",
        f"dfs.client.failover.proxy.provider.{service}": (
            "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"
        ),
        # The JournalNodes take no more from a NameNode whose place another one has taken: nobody need end it.
        "dfs.ha.fencing.methods": "shell(/bin/true)",
        "dfs.ha.automatic-failover.enabled": "true",
        "ha.zookeeper.quorum": zookeeper,
        "dfs.ha.tail-edits.period": 1,
    }
    for index, name in enumerate(NAMENODES):
        site[f"dfs.namenode.rpc-address.{service}.{name}"] = addresses[2 * index]
        site[f"dfs.namenode.http-address.{service}.{name}"] = addresses[2 * index + 1]
        site[f"dfs.ha.zkfc.port.{service}.{name}"] = ports[10 + index]
    for index, name in enumerate(JOURNALS, len(NAMENODES)):
        site[f"rxspark.{name}"] = " ".join(addresses[2 * index : 2 * index + 2])


def own_ha_settings(folder: Path, name: str) -> dict[str, Any]:
    """Settings of one daemon alone; {} for those that are no part of this."""
    if name in NAMENODES:
        return {"dfs.ha.namenode.id": name, "dfs.namenode.name.dir": f"file://{folder}/{name}"}
    if name in CONTROLLERS:
        return {"dfs.ha.namenode.id": NAMENODES[CONTROLLERS.index(name)]}
    if name not in JOURNALS:
        return {}
    address, web = _setting(folder, f"rxspark.{name}").split()
    return {
        "dfs.journalnode.rpc-address": address,
        "dfs.journalnode.http-address": web,
        "dfs.journalnode.edits.dir": folder / name,
    }


def own_arguments(folder: Path, name: str) -> list[str]:
    """Words that stand on the command line of one daemon alone."""
    return [f"{folder}/conf/zoo.cfg"] if name == ZOOKEEPER else []


def prepare_zookeeper(folder: Path) -> None:
    """Write ZooKeeper's own file, and what its jar lacks: it listens on the loopback address alone, without a page."""
    port = _setting(folder, "ha.zookeeper.quorum").partition(":")[2]
    text = f"dataDir={folder}/{ZOOKEEPER}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
    (folder / "conf" / "zoo.cfg").write_text(text)
    place = folder / "conf" / f"{_LEFT_OUT}.class"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(_empty_interface(_LEFT_OUT))


def _empty_interface(name: str) -> bytes:
    """A compiled Java interface without methods."""

    def text(word: str) -> bytes:
        return struct.pack(">BH", 1, len(word)) + word.encode()

    names = struct.pack(">BH", 7, 2) + text(name) + struct.pack(">BH", 7, 4) + text("java/lang/Object")
    return struct.pack(">IHHH", 0xCAFEBABE, 0, 52, 5) + names + struct.pack(">7H", 0x0601, 1, 3, 0, 0, 0, 0)


def _setting(folder: Path, key: str) -> str:
    """One setting of HDFS, as the file has it."""
    text = (folder / "conf" / "hdfs-site.xml").read_text()
    return text.partition(f"<name>{key}</name><value>")[2].partition("<")[0]


def active(folder: Path) -> str | None:
    """The name of the NameNode that is active, None if none is."""
    return _in_state(folder, "active")


def standby(folder: Path) -> str | None:
    """The name of the NameNode that could take over, None if none could."""
    return _in_state(folder, "standby")


def _in_state(folder: Path, state: str) -> str | None:
    return next((name for name in NAMENODES if _state(folder, name) == state), None)


def _state(folder: Path, name: str) -> str:
    address = _setting(folder, f"dfs.namenode.http-address.{NAME_SERVICE}.{name}")
    page = f"http://{address}/jmx?qry=Hadoop:service=NameNode,name=NameNodeStatus"
    with suppress(OSError, ValueError, KeyError, IndexError), urllib.request.urlopen(page, timeout=3) as answer:
        state: str = json.load(answer)["beans"][0]["State"]
        return state
    return ""


def answers(folder: Path, name: str) -> bool:
    """Tell whether a NameNode, a JournalNode or ZooKeeper answers."""
    return bool(_state(folder, name)) if name in NAMENODES else _listens(folder, name)


def _listens(folder: Path, name: str) -> bool:
    key = "ha.zookeeper.quorum" if name == ZOOKEEPER else f"rxspark.{name}"
    host, _, port = _setting(folder, key).split()[0].partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        return True
    except OSError:
        return False
