"""HDFS with two NameNodes: what scripts/hadoop adds for `start --ha`.

The journal of the file system lies with three JournalNodes, of which two must agree. Which NameNode is active is
decided by hand, `scripts/hadoop failover`, where clusters have ZooKeeper for it.
"""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

__all__ = [
    "JOURNALS",
    "NAMENODES",
    "NAME_SERVICE",
    "PORTS",
    "active",
    "add_ha_settings",
    "is_ha",
    "make_active",
    "own_ha_settings",
    "standby",
    "wait_for",
]

NAME_SERVICE = "mycluster"
NAMENODES = ["namenode1", "namenode2"]
JOURNALS = ["journalnode1", "journalnode2", "journalnode3"]

PORTS = 2 * len(NAMENODES) + 2 * len(JOURNALS)
"""One for each NameNode and JournalNode, and one for each web page of theirs."""

_ADMIN = "org.apache.hadoop.hdfs.tools.DFSHAAdmin"

Run = Callable[..., CompletedProcess[str]]
"""Runs a Java class with arguments on this Hadoop."""


def is_ha(folder: Path) -> bool:
    """Whether the Hadoop of this folder has two NameNodes."""
    file = folder / "conf" / "hdfs-site.xml"
    return file.exists() and "dfs.nameservices" in file.read_text()


def add_ha_settings(files: dict[str, dict[str, Any]], host: str, ports: Sequence[int]) -> None:
    """Put two NameNodes and three JournalNodes, at `PORTS` ports, in place of one NameNode."""
    addresses = [f"{host}:{port}" for port in ports]
    service = NAME_SERVICE
    files["core-site.xml"] |= {
        "fs.defaultFS": f"hdfs://{service}",
        # A mount table: two folders of the name service as one file system.
        "fs.viewfs.mounttable.both.link./share": f"hdfs://{service}/share",
        "fs.viewfs.mounttable.both.link./data": f"hdfs://{service}/data",
    }
    site = files["hdfs-site.xml"]
    del site["dfs.namenode.http-address"], site["dfs.namenode.name.dir"]
    journals = ";".join(addresses[4::2])
    site |= {
        "dfs.nameservices": service,
        f"dfs.ha.namenodes.{service}": ",".join(NAMENODES),
        "dfs.namenode.shared.edits.dir": f"qjournal://{journals}/{service}",
        f"dfs.client.failover.proxy.provider.{service}": (
            "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"
        ),
        # The JournalNodes take no more from a NameNode whose place another one has taken: nobody need end it.
        "dfs.ha.fencing.methods": "shell(/bin/true)",
        "dfs.ha.tail-edits.period": 1,
    }
    for index, name in enumerate(NAMENODES):
        site[f"dfs.namenode.rpc-address.{service}.{name}"] = addresses[2 * index]
        site[f"dfs.namenode.http-address.{service}.{name}"] = addresses[2 * index + 1]
    for index, name in enumerate(JOURNALS, len(NAMENODES)):
        site[f"rxspark.{name}"] = " ".join(addresses[2 * index : 2 * index + 2])


def own_ha_settings(folder: Path, name: str) -> dict[str, Any]:
    """Settings of one NameNode or JournalNode alone."""
    if name in NAMENODES:
        return {"dfs.ha.namenode.id": name, "dfs.namenode.name.dir": f"file://{folder}/{name}"}
    address, web = _setting(folder, f"rxspark.{name}").split()
    return {
        "dfs.journalnode.rpc-address": address,
        "dfs.journalnode.http-address": web,
        "dfs.journalnode.edits.dir": folder / name,
    }


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


def wait_for(folder: Path, name: str, seconds: float) -> None:
    """Return once a NameNode or a JournalNode answers."""
    until = time.monotonic() + seconds
    while not (_state(folder, name) if name in NAMENODES else _listens(folder, name)):
        if time.monotonic() > until:
            sys.exit(f"{name} does not answer after {seconds:g} s; see {folder}/logs")
        time.sleep(0.3)


def _listens(folder: Path, journal: str) -> bool:
    host, _, port = _setting(folder, f"rxspark.{journal}").split()[0].partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        return True
    except OSError:
        return False


def make_active(folder: Path, run: Run, name: str) -> str:
    """Make a NameNode the active one; gives why that did not work, empty if it did."""
    before = active(folder)
    if before == name:
        return ""
    if before is not None:
        done = run(_ADMIN, "-transitionToStandby", before)
        if done.returncode:
            return done.stderr
    # By force, as the other one may be dead and cannot be asked; the JournalNodes see to it that one alone writes.
    done = run(_ADMIN, "-transitionToActive", "--forceactive", name)
    return done.stderr if done.returncode else ""
