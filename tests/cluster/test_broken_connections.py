"""HDFS whose connections break: what is asked of the NameNode, or sent to a DataNode, begins again and is done once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from broken_connections import breaking, datanode_ports
from lossy_wire import LossyWire

from rxspark import rxHadoopListFiles, rxHadoopMakeDir, rxHadoopRemoveDir
from rxspark.files import atomic, io
from rxspark.files.paths import FsPath, open_path

BYTES = os.urandom(64 << 20)

BREAKS_S = 1.0
"""Seconds for which connections break: hdfs-native, which tries one DataNode after another, gives up far earlier."""


@pytest.fixture
def wire(cluster: Path, hdfs_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LossyWire]:
    """A way to the NameNode, which hdfs-native tries but once for a request."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(once(cluster, tmp_path)))
    monkeypatch.delenv("HADOOP_USER_NAME", raising=False)
    wire = LossyWire(hdfs_root)
    yield wire
    wire.close()


def once(cluster: Path, folder: Path) -> Path:
    """A HADOOP_CONF_DIR by which hdfs-native itself does not ask a NameNode again."""
    for name in ("core-site.xml", "hdfs-site.xml"):
        root = ElementTree.parse(cluster / name).getroot()
        attempts = ElementTree.SubElement(root, "property")
        ElementTree.SubElement(attempts, "name").text = "dfs.client.failover.max.attempts"
        ElementTree.SubElement(attempts, "value").text = "0"
        (folder / name).write_bytes(ElementTree.tostring(root))
    return folder


@pytest.fixture
def folder(wire: LossyWire) -> Iterator[FsPath]:
    """A folder by that way, with a file, which is removed with the test."""
    found = open_path(f"{wire.url}/tests/broken")
    rxHadoopMakeDir(str(found))
    atomic.write(found / "file", b"text")
    yield found
    rxHadoopRemoveDir(str(found))


CHANGES: dict[str, tuple[Callable[[FsPath], object], list[str]]] = {
    "a folder is made": (lambda folder: (folder / "made").make(), ["file", "made"]),
    "a file is moved": (lambda folder: folder.fs.mv(f"{folder.path}/file", f"{folder.path}/moved"), ["moved"]),
    "a file is removed": (lambda folder: folder.fs.rm_file(f"{folder.path}/file"), []),
    "a file is replaced": (lambda folder: atomic.write(folder / "file", b"new"), ["file"]),
    "a file is created": (lambda folder: atomic.create(folder / "lease", b"text"), ["file", "lease"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_connection_to_the_namenode_breaks(wire: LossyWire, folder: FsPath, change: str) -> None:
    """The one that is there, and the next ones as soon as they are made."""
    act, names = CHANGES[change]
    wire.break_connections(5)
    act(folder)
    assert wire.to_break == 0
    assert [os.path.basename(name) for name in rxHadoopListFiles(str(folder)).names] == names


def test_the_connections_to_all_datanodes_break_while_a_file_is_written(folder: FsPath, cluster: Path) -> None:
    """It is written again from its beginning, and is whole."""
    path = folder / "large"
    with breaking(datanode_ports(cluster), BREAKS_S) as broken:
        io.write(path, lambda file: file.write(BYTES))
    assert len(broken) > 1
    assert io.read(path) == BYTES


def test_the_connections_to_all_datanodes_break_while_a_file_is_read(folder: FsPath, cluster: Path) -> None:
    """It is read on from where it was."""
    path = folder / "large"
    io.write(path, lambda file: file.write(BYTES))
    with breaking(datanode_ports(cluster), BREAKS_S) as broken:
        assert io.read(path) == BYTES
    assert len(broken) > 1
