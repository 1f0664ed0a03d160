"""Errors of HDFS name the NameNodes, whether they take connections, and what to do."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rxspark import RxContextError, RxFileError, rxHadoopListFiles
from rxspark.files.hdfs import LOST
from rxspark.files.paths import FsPath, file_errors

STANDBY = (
    'RPCError("org.apache.hadoop.ipc.StandbyException", '
    '"Operation category READ is not supported in state standby. Visit https://s.apache.org/sbnn-error\\n\\tat a.b")'
)


@pytest.fixture
def listening() -> Iterator[int]:
    """A port at which connections are taken."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def refusing() -> int:
    """A port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture
def conf(tmp_path: Path, listening: int, refusing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service of two NameNodes, of which one listens; hdfs-native asks each once."""
    settings = {
        "dfs.nameservices": "mine,away",
        "dfs.ha.namenodes.mine": "one, two",
        "dfs.namenode.rpc-address.mine.one": f"127.0.0.1:{refusing}",
        "dfs.namenode.rpc-address.mine.two": f"127.0.0.1:{listening}",
        "dfs.ha.namenodes.away": "one,two",
        "dfs.namenode.rpc-address.away.one": f"127.0.0.1:{refusing}",
        "dfs.namenode.rpc-address.away.two": f"127.0.0.1:{refusing}",
        "dfs.client.failover.max.attempts": "1",
    }
    lines = (f"<property><name>{name}</name><value>{value}</value></property>" for name, value in settings.items())
    (tmp_path / "hdfs-site.xml").write_text(f"<configuration>{''.join(lines)}</configuration>")
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))


def told(error: Exception, host: str) -> str:
    """Text of the error that an error of hdfs-native becomes."""
    with pytest.raises(RxContextError) as raised, file_errors(FsPath(None, "/x", f"hdfs://{host}")):
        raise error
    return str(raised.value)


@pytest.mark.usefixtures("conf")
def test_no_namenode_is_there(refusing: int) -> None:
    """Both are named, with their addresses."""
    at = f"127.0.0.1:{refusing} refuses connections"
    with pytest.raises(RxContextError) as raised:
        rxHadoopListFiles("hdfs://away/x")
    text = str(raised.value)
    assert f"Connection refused (os error 111). NameNode one at {at}, NameNode two at {at}. " in text
    assert "hdfs --daemon start namenode" in text


@pytest.mark.usefixtures("conf")
def test_no_namenode_is_active(listening: int, refusing: int) -> None:
    """The error says which one could be, and how to make it active."""
    text = told(RuntimeError(STANDBY), "mine")
    assert f"NameNode one at 127.0.0.1:{refusing} refuses connections, " in text
    assert f"NameNode two at 127.0.0.1:{listening} takes connections. None of mine is active" in text
    assert "hdfs haadmin -transitionToActive" in text


@pytest.mark.parametrize("text", [LOST, "Broken pipe (os error 32)", "Connection reset by peer (os error 104)"])
def test_the_connection_breaks_again_and_again(text: str, listening: int) -> None:
    """The file system cannot be reached; the NameNode is there, so the DataNodes are to be looked at."""
    assert re.search(
        rf"{listening} takes connections\. .*dfsadmin -report", told(OSError(text), f"127.0.0.1:{listening}")
    )


NODE = r"DatanodeInfoProto { id: DatanodeIdProto { ip_addr: \"10.0.0.%d\", host_name: \"node%d\", xfer_port: 986%d } }"


@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        (f"{NODE % (1, 1, 1)}, {NODE % (2, 2, 2)}", "node1:9861, node2:9862"),
        ("", "the NameNode knows of none that has the bytes"),
    ],
)
def test_no_datanode_gives_the_bytes(nodes: str, named: str) -> None:
    """The DataNodes are named, and nothing else that hdfs-native knows of them."""
    path = FsPath(None, "/x", "hdfs://h")
    with pytest.raises(RxFileError) as raised, file_errors(path):
        raise RuntimeError(f'DataTransferError("All DataNodes failed: [{nodes}]")')
    assert str(raised.value).endswith(f": All DataNodes failed: {named}")
