"""Connections of this process that break, as when a cable is pulled or a firewall forgets them."""

from __future__ import annotations

import json
import os
import socket
import threading
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.etree import ElementTree

__all__ = ["breaking", "datanode_ports"]

_INTERVAL_S = 0.0005  # between two looks: a piece of a file takes longer


def datanode_ports(conf: Path) -> set[int]:
    """Ask the NameNode of a HADOOP_CONF_DIR where its DataNodes take and give bytes."""
    settings = {e.findtext("name"): e.findtext("value") for e in ElementTree.parse(conf / "hdfs-site.xml").getroot()}
    page = f"http://{settings['dfs.namenode.http-address']}/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo"
    with urllib.request.urlopen(page, timeout=10) as answer:
        nodes = json.loads(json.load(answer)["beans"][0]["LiveNodes"])
    return {int(node["xferaddr"].rpartition(":")[2]) for node in nodes.values()}


@contextmanager
def breaking(ports: Collection[int], seconds: float) -> Iterator[list[int]]:
    """Break each connection of this process to these ports for so long; gives the port of each that was broken."""
    broken: list[int] = []
    over = threading.Event()

    def work() -> None:
        while not over.wait(_INTERVAL_S):
            broken.extend(port for fd in os.listdir("/proc/self/fd") for port in _broken_off(fd, ports))

    timer = threading.Timer(seconds, over.set)
    thread = threading.Thread(target=work, daemon=True)
    timer.start()
    thread.start()
    try:
        yield broken
    finally:
        timer.join()
        thread.join()


def _broken_off(fd: str, ports: Collection[int]) -> Iterator[int]:
    """Break the connection of a file descriptor, if it is one to these ports, and yield the port."""
    with suppress(OSError):  # it has been closed meanwhile, or is no connection
        if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
            with socket.socket(fileno=os.dup(int(fd))) as one:
                peer = one.getpeername()
                if one.family in (socket.AF_INET, socket.AF_INET6) and peer[1] in ports:
                    one.shutdown(socket.SHUT_RDWR)
                    yield peer[1]
