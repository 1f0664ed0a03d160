"""The file commands on local, memory and Hadoop file systems and in S3, and rxExec on YARN.

Tests marked hadoop start a real HDFS and YARN on this machine (scripts/hadoop), once for all of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project import HADOOP

from rxspark import RxArgumentError, RxFileError, RxSpark, rxSetComputeContext
from rxspark.files import io
from rxspark.hadoop import (
    rxHadoopCopy,
    rxHadoopCopyFromLocal,
    rxHadoopCopyToLocal,
    rxHadoopFileExists,
    rxHadoopListFiles,
    rxHadoopMakeDir,
    rxHadoopMove,
    rxHadoopRemove,
    rxHadoopRemoveDir,
)
from rxspark.user_paths import resolve


@pytest.fixture
def hdfs(cluster: Path, hdfs_root: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A fresh folder on the running HDFS, which is the default file system meanwhile: its URL."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(cluster))
    monkeypatch.delenv("HADOOP_USER_NAME", raising=False)
    url = f"{hdfs_root}/tests/{request.node.name.translate(str.maketrans('[]', '--'))}"
    rxHadoopMakeDir(url)
    return url


FOLDERS = ["file", "memory", pytest.param("hdfs", marks=pytest.mark.hadoop)]


@pytest.fixture(params=[*FOLDERS, "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty folder on each kind of file system, or an empty bucket: its URL."""
    if request.param == "hdfs":
        return str(request.getfixturevalue("hdfs"))
    if request.param == "s3":
        return str(request.getfixturevalue("bucket").url)
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    url = f"file://{tmp_path}/root" if request.param == "file" else f"memory://{tmp_path.name}"
    rxHadoopMakeDir(url)
    return url


has_folders = pytest.mark.parametrize("root", FOLDERS, indirect=True)
"""Tests of empty folders, which a bucket has none of."""


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A folder of this machine with a.csv, b.csv and sub/c.csv."""
    folder = tmp_path / "local"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "sub/c.csv"):
        (folder / name).write_text(f"text of {name}")
    return folder


def under(url: str, recursive: bool = True) -> list[str]:
    """The names below a folder, relative to it."""
    base = str(resolve(url, "path"))
    return [name.removeprefix(base).strip("/") for name in rxHadoopListFiles(url, recursive=recursive).names]


def text_of(url: str, tmp_path: Path) -> str:
    """The text of one file."""
    rxHadoopCopyToLocal(url, tmp_path / "fetched", overwrite=True)
    return (tmp_path / "fetched").read_text()


# ------------------------------------------------------------------ every command, on every file system


@has_folders
def test_folders_are_made_with_their_parents_and_again(root: str) -> None:
    """Folders are made with those above them; one that is there is left as it is."""
    rxHadoopMakeDir(f"{root}/x/y")
    rxHadoopMakeDir(f"{root}/x")
    assert under(root) == ["x", "x/y"]
    assert rxHadoopFileExists(f"{root}/x/y")
    assert not rxHadoopFileExists(f"{root}/x/z")


def test_a_folder_goes_there_and_back(root: str, local: Path, tmp_path: Path) -> None:
    """A folder is copied with all that is in it, to the file system and back, unchanged."""
    rxHadoopCopyFromLocal(local, f"{root}/new")
    assert under(root) == ["new", "new/a.csv", "new/b.csv", "new/sub", "new/sub/c.csv"]
    rxHadoopCopyToLocal(f"{root}/new", tmp_path / "back")
    assert (tmp_path / "back" / "sub" / "c.csv").read_text() == "text of sub/c.csv"
    assert sorted(p.name for p in (tmp_path / "back").rglob("*")) == ["a.csv", "b.csv", "c.csv", "sub"]


@has_folders
def test_several_sources_and_patterns_go_into_a_folder(root: str, local: Path) -> None:
    """Lists and patterns are expanded; what they name goes into dest, which must be a folder."""
    rxHadoopCopyFromLocal([local / "a.csv", str(local / "sub")], root)
    rxHadoopCopyFromLocal(local / "b*.csv", root)
    assert under(root) == ["a.csv", "b.csv", "sub", "sub/c.csv"]
    with pytest.raises(RxFileError, match=r"nowhere.*several sources need a folder"):
        rxHadoopCopy(f"{root}/*.csv", f"{root}/nowhere")
    with pytest.raises(RxFileError, match=r"a\.csv.*several sources need a folder"):
        rxHadoopCopy([f"{root}/b.csv", f"{root}/sub"], f"{root}/a.csv")
    assert [os.path.basename(n) for n in rxHadoopListFiles(f"{root}/[ab].csv").names] == ["a.csv", "b.csv"]


@has_folders
def test_a_slash_at_the_end_means_a_folder(root: str, local: Path) -> None:
    """'dest/' that is no folder is an error, and does not become a file of that name."""
    with pytest.raises(RxFileError, match="slash"):
        rxHadoopCopyFromLocal(local / "a.csv", f"{root}/later/")
    assert under(root) == []


def test_nothing_is_overwritten_unless_asked_for(root: str, local: Path, tmp_path: Path) -> None:
    """Copies and moves refuse a name that is taken, before any is made; overwrite=True replaces files."""
    rxHadoopCopyFromLocal(local / "a.csv", f"{root}/a.csv")
    with pytest.raises(RxFileError, match=r"a\.csv.*exists already"):
        rxHadoopCopyFromLocal([local / "b.csv", local / "a.csv"], root)
    assert under(root) == ["a.csv"]
    rxHadoopCopyFromLocal(local / "b.csv", f"{root}/a.csv", overwrite=True)
    assert text_of(f"{root}/a.csv", tmp_path) == "text of b.csv"
    rxHadoopCopyFromLocal(local / "a.csv", f"{root}/other")
    with pytest.raises(RxFileError, match="exists already"):
        rxHadoopMove(f"{root}/other", f"{root}/a.csv")
    rxHadoopMove(f"{root}/other", f"{root}/a.csv", overwrite=True)
    assert (under(root), text_of(f"{root}/a.csv", tmp_path)) == (["a.csv"], "text of a.csv")


def test_copy_and_move_on_one_file_system(root: str, local: Path, tmp_path: Path) -> None:
    """A copy leaves the source, a move does not; both take folders and make those above the goal."""
    rxHadoopCopyFromLocal(local, f"{root}/one")
    rxHadoopCopy(f"{root}/one", f"{root}/two")
    rxHadoopMove(f"{root}/one", f"{root}/deep/three")
    assert under(root, recursive=False) == ["deep", "two"]
    assert under(f"{root}/deep/three") == under(f"{root}/two") == ["a.csv", "b.csv", "sub", "sub/c.csv"]
    assert text_of(f"{root}/deep/three/sub/c.csv", tmp_path) == "text of sub/c.csv"


def test_move_from_one_file_system_to_another(root: str, local: Path, tmp_path: Path) -> None:
    """A move between file systems copies, then removes the source."""
    rxHadoopCopyFromLocal(local / "a.csv", f"{root}/a.csv")
    rxHadoopMove(f"{root}/a.csv", f"memory://{tmp_path.name}-other/a.csv")
    assert under(root) == []
    assert text_of(f"memory://{tmp_path.name}-other/a.csv", tmp_path) == "text of a.csv"


@has_folders
def test_a_folder_is_not_put_into_itself(root: str) -> None:
    """Copies and moves of a thing into itself are refused."""
    rxHadoopMakeDir(f"{root}/one/sub")
    with pytest.raises(RxArgumentError, match="own place"):
        rxHadoopMove(f"{root}/one", f"{root}/one/sub")
    with pytest.raises(RxArgumentError, match="own place"):
        rxHadoopCopy(f"{root}/one", root)
    assert under(root) == ["one", "one/sub"]


@has_folders
def test_removing_spares_folders_that_are_not_empty(root: str, local: Path) -> None:
    """A folder with content goes only with recursive=True or rxHadoopRemoveDir; before that nothing is removed."""
    rxHadoopCopyFromLocal([local / "a.csv", local / "sub"], root)
    rxHadoopMakeDir(f"{root}/empty")
    with pytest.raises(RxFileError, match=r"sub.*not empty"):
        rxHadoopRemove([f"{root}/a.csv", f"{root}/sub"])
    assert under(root) == ["a.csv", "empty", "sub", "sub/c.csv"]
    rxHadoopRemove([f"{root}/a.csv", f"{root}/empty"])
    with pytest.raises(RxFileError, match="not a folder"):
        rxHadoopRemoveDir(f"{root}/sub/c.csv")
    rxHadoopRemoveDir(f"{root}/sub")
    assert under(root) == []
    rxHadoopCopyFromLocal(local, f"{root}/again")
    rxHadoopRemove(f"{root}/again", recursive=True)
    assert under(root) == []


def test_odd_names_are_taken_literally(root: str, local: Path) -> None:
    """Blanks, umlauts, #, ?, ; and % in a name mean that name, and no other file is touched."""
    for name in ("x", "x#y", "x;y", "x y", "ü%41", "x?y"):
        rxHadoopCopyFromLocal(local / "a.csv", f"{root}/{name}")
    rxHadoopRemove(f"{root}/x#y")
    rxHadoopRemove(f"{root}/x?y")
    assert under(root) == sorted(["x", "x;y", "x y", "ü%41"])


def test_a_missing_path_is_named(root: str) -> None:
    """A missing file is an error that names path, user and reason, in each command."""
    user = "" if root.startswith("s3:") else r" \(user '\w+'\)"
    for command in (rxHadoopListFiles, rxHadoopRemove, rxHadoopRemoveDir):
        with pytest.raises(RxFileError, match=rf"gone{user}: no such file or folder"):
            command(f"{root}/gone")
    for copying in (rxHadoopCopy, rxHadoopMove, rxHadoopCopyToLocal):
        with pytest.raises(RxFileError, match=r"gone.*no such file or folder"):
            copying(f"{root}/gone", "here")
    with pytest.raises(RxFileError, match="nothing matches"):
        rxHadoopRemove(f"{root}/*.gone")


def test_a_file_in_the_way_is_named(root: str, local: Path) -> None:
    """A folder cannot be made where a file is, nor below it."""
    rxHadoopCopyFromLocal(local / "a.csv", f"{root}/a")
    with pytest.raises(RxFileError, match="exists already, as a file"):
        rxHadoopMakeDir(f"{root}/a")


def test_the_listing_is_a_table(root: str, local: Path) -> None:
    """A listing prints name, size, modified, owner and permissions, and its entries have them as fields."""
    rxHadoopCopyFromLocal(local / "a.csv", f"{root}/a.csv")
    rxHadoopCopyFromLocal(local / "sub", f"{root}/sub")
    file, folder = rxHadoopListFiles(root)
    assert (file.size, file.isFolder, folder.size, folder.isFolder) == (13, False, 0, True)
    assert file.modified is not None
    assert file.name == str(resolve(f"{root}/a.csv", "path"))
    shown = repr(rxHadoopListFiles(root)).splitlines()
    assert shown[0].split() == ["name", "size", "modified", "owner", "permissions"]
    assert "a.csv" in shown[1]
    assert "<table" in rxHadoopListFiles(root)._repr_html_()
    if not root.startswith(("memory", "s3")):
        assert (file.owner, file.permissions) == (folder.owner, "-rw-r--r--")
        assert folder.permissions == "drwxr-xr-x"
    rxHadoopRemove(f"{root}/*", recursive=True)
    assert repr(rxHadoopListFiles(root)) == "no files"


# ------------------------------------------------------------------ scripts/hadoop


def script(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run scripts/hadoop."""
    return subprocess.run([sys.executable, HADOOP, command, "--dir", folder], capture_output=True, text=True)


def test_where_nothing_runs_the_script_says_so(tmp_path: Path) -> None:
    """Without daemons `status` and `env` fail and say why, and `stop` has nothing to do."""
    assert script("status", tmp_path).returncode == 1
    assert "is not ready" in script("status", tmp_path).stdout
    told = script("env", tmp_path)
    assert (told.returncode, told.stdout) == (1, "")
    assert "scripts/hadoop start" in told.stderr
    assert script("stop", tmp_path).returncode == 0


def test_stop_ends_orphaned_containers_and_nobody_else(tmp_path: Path) -> None:
    """A container that outlived its NodeManager is ended; a process whose number a daemon once had is not."""
    work = tmp_path / "nodemanager2" / "local" / "usercache"
    work.mkdir(parents=True)
    orphan = subprocess.Popen(["sleep", "60"], cwd=work)
    other = subprocess.Popen(["sleep", "60"], cwd=tmp_path)
    try:
        (tmp_path / "pids.json").write_text(f'{{"namenode": {other.pid}}}')
        assert script("stop", tmp_path).returncode == 0
        assert orphan.wait(10) != 0
        assert other.poll() is None
    finally:
        orphan.kill()
        other.kill()


# ------------------------------------------------------------------ on a real Hadoop


@pytest.mark.hadoop
def test_permission_denied_names_user_path_and_reason(hdfs: str, local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user may read but not write; each refusal names the path, that user and the reason."""
    rxHadoopCopyFromLocal(local / "a.csv", f"{hdfs}/a.csv")
    monkeypatch.setenv("HADOOP_USER_NAME", "eve")
    assert under(hdfs) == ["a.csv"]
    for refused in (
        lambda: rxHadoopMakeDir(f"{hdfs}/eve"),
        lambda: rxHadoopCopyFromLocal(local / "b.csv", f"{hdfs}/b.csv"),
        lambda: rxHadoopRemove(f"{hdfs}/a.csv"),
        lambda: rxHadoopMove(f"{hdfs}/a.csv", f"{hdfs}/c.csv"),
    ):
        with pytest.raises(RxFileError, match=rf"{hdfs}/.*\(user 'eve'\): Permission denied: user=eve, access=WRITE"):
            refused()
    monkeypatch.delenv("HADOOP_USER_NAME")
    assert under(hdfs) == ["a.csv"]


@pytest.mark.hadoop
def test_a_big_file_both_ways(hdfs: str, tmp_path: Path) -> None:
    """100 MB arrive in HDFS and come back, bit for bit."""
    big = tmp_path / "big"
    with big.open("wb") as file:
        for number in range(100):
            file.write(hashlib.sha256(bytes([number])).digest() * 32768)
    rxHadoopCopyFromLocal(big, f"{hdfs}/big")
    assert rxHadoopListFiles(f"{hdfs}/big")[0].size == 100 << 20
    rxHadoopCopyToLocal(f"{hdfs}/big", tmp_path / "back")
    sums = [hashlib.file_digest(p.open("rb"), "sha256").hexdigest() for p in (big, tmp_path / "back")]
    assert sums[0] == sums[1]


@pytest.mark.hadoop
def test_plain_paths_are_on_the_default_file_system(hdfs: str, local: Path) -> None:
    """With HADOOP_CONF_DIR set, plain paths are on HDFS: relative ones in the share folder of the context."""
    rxSetComputeContext(RxSpark(master="yarn", hdfsShareDir=hdfs))
    rxHadoopCopyFromLocal(local / "a.csv", "a.csv")
    plain = "/" + hdfs.split("/", 3)[3]
    assert rxHadoopListFiles(plain).names == [f"{hdfs}/a.csv"]


@pytest.mark.hadoop
def test_what_has_died_is_started_again_and_writing_goes_on_without_it(
    cluster: Path, hdfs: str, local: Path, tmp_path: Path
) -> None:
    """`scripts/hadoop start` restarts killed daemons, and only these; files are written though a DataNode is dead.

    The NameNode goes on naming it, so that hdfs-native by itself would fail with three files of four.
    """
    folder = cluster.parent
    before = json.loads((folder / "pids.json").read_text())
    assert script("start", folder).returncode == 0
    assert json.loads((folder / "pids.json").read_text()) == before
    killed = {"datanode1", "nodemanager3"}
    for name in killed:
        os.kill(before[name], signal.SIGKILL)
    told = script("status", folder)
    assert (told.returncode, told.stdout.count("not running")) == (1, 2)
    for number in range(8):
        rxHadoopCopyFromLocal(local / "a.csv", f"{hdfs}/{number}")
    assert {text_of(f"{hdfs}/{number}", tmp_path) for number in range(8)} == {"text of a.csv"}
    assert script("start", folder).returncode == 0
    after = json.loads((folder / "pids.json").read_text())
    assert {name for name in before if after[name] != before[name]} == killed
    told = script("status", folder)
    assert told.returncode == 0
    assert "HDFS takes writes; live DataNodes: 3; NodeManagers: 3" in told.stdout


@pytest.mark.hadoop
def test_files_are_written_and_read_though_a_datanode_hangs(
    cluster: Path, hdfs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes connections and never answers: by itself hdfs-native gives such a file up after a minute."""
    monkeypatch.setattr(io, "_PIECE_TIMEOUT_S", 2)
    monkeypatch.setattr(io, "_PIECE_BYTES", 4 << 20)
    big = tmp_path / "big"
    big.write_bytes(os.urandom(40 << 20))
    for number in range(4):
        rxHadoopCopyFromLocal(big, f"{hdfs}/before{number}")
    hanging = json.loads((cluster.parent / "pids.json").read_text())["datanode2"]
    os.kill(hanging, signal.SIGSTOP)
    try:
        for number in range(4):
            rxHadoopCopyToLocal(f"{hdfs}/before{number}", tmp_path / f"before{number}")
            rxHadoopCopyFromLocal(big, f"{hdfs}/after{number}")
    finally:
        os.kill(hanging, signal.SIGCONT)
    for number in range(4):
        rxHadoopCopyToLocal(f"{hdfs}/after{number}", tmp_path / f"after{number}")
        for when in ("before", "after"):
            assert (tmp_path / f"{when}{number}").read_bytes() == big.read_bytes()
