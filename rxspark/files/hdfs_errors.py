"""Errors of HDFS in words that name the servers which should have answered, and what to do."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping

from rxspark.files.hdfs import CUT

__all__ = ["AWAY", "STANDBY", "advice", "shortened"]

STANDBY = "is not supported in state standby"
"""The error of a NameNode that is not the active one; hdfs-native tells it when no NameNode is."""

AWAY = (STANDBY, "Connection refused", "No route to host", "timed out", "failed to lookup address", *CUT)
"""The errors of servers that do not answer, or not for long."""

# Seconds for which a NameNode may take a connection, when an error is made.
_CONNECT_TIMEOUT_S = 2.0

_FROM_DATANODES = re.compile(r'(?:DataTransferError|OperationFailed)\("(.*)"\)$', re.DOTALL)
_DATANODE = re.compile(r'host_name: \\*"([^"\\]+).*?xfer_port: (\d+)', re.DOTALL)


def shortened(text: str) -> str:
    """Return an error of hdfs-native about DataNodes with their names alone; other texts as they are."""
    found = _FROM_DATANODES.match(text)
    if found is None:
        return text
    start, listed, _ = found[1].partition(": [")
    nodes = ", ".join(f"{host}:{port}" for host, port in _DATANODE.findall(found[1]))
    return f"{start}: {nodes or 'the NameNode knows of none that has the bytes'}" if listed else start


def advice(reason: str, host: str, settings: Mapping[str, str]) -> str:
    """Name the NameNodes of a host or name service, how each takes connections now, and what to do.

    Empty where the reason is none of those that have to do with their being away.
    """
    if not host or not any(sign in reason for sign in AWAY):
        return ""
    addresses = _addresses(host, settings)
    found = {name: _connection(address) for name, address in addresses.items()}
    listed = ", ".join(f"{name} {found[name]}" for name in addresses)
    return f". {listed}. {_to_do(reason, list(found.values()), host)}"


def _addresses(host: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The address of each NameNode by what to call it."""
    names = [name.strip() for name in settings.get(f"dfs.ha.namenodes.{host}", "").split(",") if name.strip()]
    by_name = {name: settings.get(f"dfs.namenode.rpc-address.{host}.{name}", "") for name in names}
    named = {f"NameNode {name} at {address or 'no address'}": address for name, address in by_name.items()}
    return named or {f"The NameNode at {host}": host}


def _connection(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return "has no port there"
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT_S).close()
    except ConnectionRefusedError:
        return "refuses connections"
    except OSError as error:
        return f"takes no connections ({error.strerror or error})"
    return _TAKES


_TAKES = "takes connections"


def _to_do(reason: str, found: list[str], host: str) -> str:
    if STANDBY in reason:
        return (
            f"None of {host} is active: `hdfs haadmin -getAllServiceState` shows their states; start the failover "
            "controllers (`hdfs --daemon start zkfc`), or without these make one active "
            "(`hdfs haadmin -transitionToActive`)"
        )
    if _TAKES in found:
        return "Do the DataNodes run, and are they reached from here? `hdfs dfsadmin -report` lists them"
    return (
        "Start it (`hdfs --daemon start namenode`), or mend the address in the URL or in core-site.xml and "
        "hdfs-site.xml of HADOOP_CONF_DIR"
    )
