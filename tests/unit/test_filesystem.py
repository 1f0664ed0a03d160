"""Meaning of paths, and what the file commands refuse before they touch anything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rxspark import (
    RxArgumentError,
    RxContextError,
    RxFileError,
    RxLocalSeq,
    RxMissingError,
    RxSpark,
    rxSetComputeContext,
)
from rxspark.hadoop import (
    rxHadoopCopy,
    rxHadoopCopyFromLocal,
    rxHadoopFileExists,
    rxHadoopListFiles,
    rxHadoopRemoveDir,
)
from rxspark.user_paths import resolve


def conf_dir(folder: Path, default: str) -> str:
    """A HADOOP_CONF_DIR with this default file system."""
    setting = f"<property><name>fs.defaultFS</name><value>{default}</value></property>"
    (folder / "core-site.xml").write_text(f"<configuration>{setting}</configuration>")
    return str(folder)


def test_plain_paths_without_hadoop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HADOOP_CONF_DIR plain paths are local; relative ones start at shareDir, else the current folder."""
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert str(resolve("x/y", "path")) == f"{tmp_path}/x/y"
    assert str(resolve("/x/y", "path")) == "/x/y"
    rxSetComputeContext(RxLocalSeq(shareDir="share"))
    assert str(resolve("x", "path")) == f"{tmp_path}/share/x"


def test_plain_paths_with_hadoop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With HADOOP_CONF_DIR absolute paths are on fs.defaultFS, relative ones in hdfsShareDir, else the user's home."""
    monkeypatch.setenv("HADOOP_CONF_DIR", conf_dir(tmp_path, "hdfs://nowhere:8020/"))
    monkeypatch.setenv("HADOOP_USER_NAME", "eve")
    assert str(resolve("/data", "path")) == "hdfs://nowhere:8020/data"
    assert str(resolve("data", "path")) == "hdfs://nowhere:8020/user/eve/data"
    rxSetComputeContext(RxSpark(hdfsShareDir="/share"))
    assert str(resolve("data", "path")) == "hdfs://nowhere:8020/share/data"
    rxSetComputeContext(RxSpark(hdfsShareDir="memory://share"))
    assert str(resolve("data", "path")) == "memory:///share/data"
    assert str(resolve("file:///data", "path")) == "/data"
    assert str(resolve("hdfs:///a//b/../c", "path")) == "hdfs://nowhere:8020/a/c"


def test_name_services_come_from_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service of two NameNodes is known as HADOOP_CONF_DIR has it, upper case too; an unknown one is named."""
    monkeypatch.setenv("HADOOP_CONF_DIR", conf_dir(tmp_path, "hdfs://MyCluster"))
    settings = {
        "dfs.nameservices": "MyCluster",
        "dfs.ha.namenodes.MyCluster": "one,two",
        "dfs.namenode.rpc-address.MyCluster.one": "host1:8020",
        "dfs.namenode.rpc-address.MyCluster.two": "host2:8020",
    }
    lines = (f"<property><name>{name}</name><value>{value}</value></property>" for name, value in settings.items())
    (tmp_path / "hdfs-site.xml").write_text(f"<configuration>{''.join(lines)}</configuration>")
    assert str(resolve("/a#b?c", "path")) == "hdfs://MyCluster/a#b?c"
    with pytest.raises(RxContextError, match=r"hdfs://Other/x cannot be reached by user '\w+'.*No NameNode"):
        resolve("hdfs://Other/x", "path")


def test_a_local_default_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fs.defaultFS=file:///, a missing core-site.xml and a broken one: local, local, and an error that names it."""
    monkeypatch.setenv("HADOOP_CONF_DIR", conf_dir(tmp_path, "file:///"))
    assert str(resolve("/x", "path")) == "/x"
    (tmp_path / "core-site.xml").unlink()
    assert str(resolve("/x", "path")) == "/x"
    (tmp_path / "core-site.xml").write_text("<configuration>")
    with pytest.raises(RxContextError, match=r"core-site\.xml cannot be read"):
        resolve("/x", "path")


@pytest.mark.parametrize("path", [5, None, b"x", "a\0b", [], [5]])
def test_what_is_no_path_is_refused(path: object) -> None:
    """Arguments that are no paths are named."""
    with pytest.raises(RxArgumentError, match="source="):
        rxHadoopCopy(path, "memory://x")  # type: ignore[arg-type]


def test_local_arguments_are_local() -> None:
    """Where a file of this machine is asked for, other URLs are refused; the root of a file system is not removed."""
    with pytest.raises(RxArgumentError, match="rxHadoopCopy"):
        rxHadoopCopyFromLocal("memory://x", "memory://y")
    with pytest.raises(RxArgumentError, match="whole file system"):
        rxHadoopRemoveDir("file:///")


def test_an_unknown_scheme_and_a_missing_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown kind of URL is an argument error; one whose wheel is missing says how to install it."""
    with pytest.raises(RxArgumentError, match="nosuch"):
        rxHadoopListFiles("nosuch://x")
    monkeypatch.setitem(sys.modules, "hdfs_native", None)
    with pytest.raises(RxMissingError, match="pip install hdfs-native"):
        rxHadoopListFiles("hdfs://x:1/")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(RxMissingError, match="pip install fsspec"):
        rxHadoopListFiles("memory://x")


def test_a_namenode_that_is_not_there_is_named() -> None:
    """A NameNode that cannot be reached is an error within seconds that names the URL and the reason."""
    with pytest.raises(RxContextError, match=r"hdfs://localhost:1/x cannot be reached.*Connection refused"):
        rxHadoopListFiles("hdfs://localhost:1/x")


def test_a_url_without_host_and_default_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """HADOOP_CONF_DIR, or the host in the URL."""
    for name in ("HADOOP_CONF_DIR", "HADOOP_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RxContextError, match=r"hdfs:///x cannot be reached.*set HADOOP_CONF_DIR.*hdfs://host:8020"):
        rxHadoopListFiles("hdfs:///x")


def test_a_failed_copy_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that breaks off leaves neither half a file under the name asked for nor one under another."""
    (tmp_path / "in").write_text("x")
    monkeypatch.setattr("rxspark.files.operations.pieces", lambda source: iter(["no bytes"]))
    with pytest.raises(RxFileError):
        rxHadoopCopyFromLocal(tmp_path / "in", f"file://{tmp_path}/out/copy")
    with pytest.raises(RxFileError):
        rxHadoopCopyFromLocal(tmp_path / "in", f"memory://{tmp_path.name}/copy")
    assert list((tmp_path / "out").iterdir()) == []
    assert not rxHadoopFileExists(f"memory://{tmp_path.name}/copy")
