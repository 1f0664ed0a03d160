"""HDFS that does not take part, archives of jars, and environments that cannot run tasks, on a real Hadoop."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from yarn import JARS, SETTINGS, SIZE, run

from rxspark import RxFileError, rxHadoopFileExists, rxHadoopListFiles
from rxspark.backends.spark.preflight import probe_file
from rxspark.backends.spark.yarn import jars_archive
from rxspark.files.paths import open_path

pytestmark = pytest.mark.timeout(1200)  # Hadoop, the archive and a program come first


def administer(cluster: Path, *command: str) -> None:
    """Run `hdfs dfsadmin`."""
    (jars,) = cluster.parent.glob("jars-*.txt")
    path = f"{cluster}:{jars.read_text().strip()}"
    main = "org.apache.hadoop.hdfs.tools.DFSAdmin"
    subprocess.run(["java", "-cp", path, main, *command], check=True, timeout=60, capture_output=True)


def test_a_share_folder_in_safe_mode_is_named(cluster: Path, hdfs_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDFS in safe mode refuses the test file: path, user and reason; what only reads goes on."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(cluster))
    folder = open_path(f"{hdfs_root}/share/safe")
    administer(cluster, "-safemode", "enter")
    try:
        said = rf"{hdfs_root}/share/safe \(user '\w+'\): .*safe mode"
        with pytest.raises(RxFileError, match=said), probe_file(folder):
            pass
        assert not rxHadoopFileExists(str(folder))
    finally:
        administer(cluster, "-safemode", "leave")
    with probe_file(folder):
        pass
    assert list(rxHadoopListFiles(str(folder))) == []


REFUSED = """
import sys
from rxspark import *
config = {"spark.ui.enabled": "false"}
for number in range(2):
    try:
        rxSparkConnect(master="local[1]", hdfsShareDir=sys.argv[1], extraSparkConfig=config)
    except RxFileError as error:
        print(error)
print(rxSparkConnect(master="local[1]", extraSparkConfig=config).master)
"""


def test_a_share_folder_without_permission_is_named_when_the_context_is_made(
    cluster: Path, hdfs_root: str, tmp_path: Path
) -> None:
    """Path, user and reason; each time, as long as it is so, and the session itself can be used."""
    lines = run(REFUSED, tmp_path, cluster, f"{hdfs_root}/not-eves", HADOOP_USER_NAME="eve")
    assert len(lines) == 3
    for line in lines[:2]:
        assert re.match(rf"{hdfs_root}/not-eves \(user 'eve'\): Permission denied: user=eve, access=WRITE", line), line
    assert lines[2] == "local[1]"


def test_the_jars_of_spark_are_put_there_once(cluster: Path, hdfs_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All jars, flat in one archive named after them; the second time it is only named."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(cluster))
    folder = open_path(f"{hdfs_root}/share/jars")
    url = jars_archive(folder)
    (file,) = rxHadoopListFiles(str(folder))
    assert file.name == url
    with open_path(url).fs.open(open_path(url).path, "rb") as opened:
        names = zipfile.ZipFile(opened).namelist()
    assert sorted(names) == sorted(path.name for path in Path(JARS.removeprefix("local:")).parent.glob("*.jar"))
    assert jars_archive(folder) == url
    assert [again.modified for again in rxHadoopListFiles(str(folder))] == [file.modified]


LONGER = """
import sys
from rxspark import *
from pyspark import SparkContext
size = eval(sys.argv[2])
try:
    rxSparkConnect(master="yarn", hdfsShareDir=sys.argv[1] or None, extraSparkConfig=eval(sys.argv[3]), **size)
    print(rxExec(pow, rxElemArg(range(4)), 2))
    print(SparkContext._active_spark_context.getConf().get("spark.yarn.archive"))
except RxError as error:
    print(type(error).__name__, error)
rxSparkDisconnect()
"""


@pytest.mark.slow
def test_a_session_takes_its_jars_from_the_cluster(cluster: Path, share: str, tmp_path: Path) -> None:
    """Without spark.yarn.jars, a session that we make uses the archive in the share folder."""
    lines = run(
        LONGER, tmp_path, cluster, share, repr(SIZE), "{'spark.ui.enabled': 'false'}", PYSPARK_PYTHON=sys.executable
    )
    assert lines[0] == "[0, 1, 4, 9]"
    assert lines[1].startswith(f"{share}/spark-jars-")


@pytest.mark.slow
def test_a_python_without_numpy_is_refused_on_yarn(cluster: Path, tmp_path: Path) -> None:
    """As everywhere: before launch, with a table of what executors have."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    bare = str(tmp_path / "bare" / "bin" / "python")
    lines = run(LONGER, tmp_path, cluster, "", repr(SIZE), repr(SETTINGS), PYSPARK_PYTHON=bare)
    assert lines[0] == "RxMissingError executors lack cloudpickle and numpy:"
    assert lines[2].startswith("driver")
