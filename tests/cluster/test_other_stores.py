"""Azure's and Google's stores of objects: file commands, jobs that survive, and a share folder of Spark."""

from __future__ import annotations

import re
import tarfile
import threading

import pytest
from bucket_programs import run
from stores import Store, azure, google
from yarn import SMALL

from rxspark import (
    RxFileError,
    rxHadoopCopy,
    rxHadoopCopyFromLocal,
    rxHadoopCopyToLocal,
    rxHadoopFileExists,
    rxHadoopListFiles,
    rxHadoopMove,
    rxHadoopRemove,
    rxHadoopRemoveDir,
)
from rxspark.deploy import environment
from rxspark.files import atomic
from rxspark.files.paths import open_path

pytestmark = [pytest.mark.buckets, pytest.mark.timeout(900)]  # the first time the emulators are fetched

# Prints whether the results are those of a call here, of a job its state, and whether its folder has the same.
PROGRAM = """
import sys
import numpy as np
from rxspark import *
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.rxjob import RxJob

def task(number, x):
    import random
    return random.random(), float(x[number]), np.full(400_000, number)

def numbers(results):
    return [(drawn, cell, float(full.sum())) for drawn, cell, full in results]

call = (task, rxElemArg([7, 8, 9]), np.arange(1_000_000.0))
with RxLocalSeq():
    expected = numbers(rxExec(*call, RNGseed=5))
spark = dict(master="local[2]", hdfsShareDir=sys.argv[1], extraSparkConfig={"spark.ui.enabled": "false"})
with RxSpark(**spark):
    print(numbers(rxExec(*call, RNGseed=5)) == expected)
with RxSpark(**spark, wait=False):
    job = rxExec(*call, RNGseed=5)
    print(job.wait(60))
elsewhere = RxJob(RemoteJob(JobFolder(job._source.folder.path)))
print(numbers(elsewhere.results()) == expected)
"""

KINDS = {"azure": azure, "google": google}


@pytest.fixture(scope="module", params=list(KINDS))
def store(request: pytest.FixtureRequest):
    """A running store, with a bucket that is empty again at the end."""
    with KINDS[request.param]() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.variables.items():
            patch.setenv(name, value)
        bucket = open_path(found.url)
        bucket.fs.mkdir(bucket.path)
        yield found
        bucket.fs.invalidate_cache()
        assert bucket.fs.find(bucket.path) == []


def test_file_commands(store: Store, tmp_path):
    """There and back, by the URLs that Spark takes too, with the account of Azure in them."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.csv", "sub/b.csv"):
        (tmp_path / "in" / name).write_text(f"text of {name}")
    rxHadoopCopyFromLocal(tmp_path / "in", f"{store.url}/new/")
    assert rxHadoopListFiles(store.url, recursive=True).names == [
        f"{store.url}/new{name}" for name in ("", "/in", "/in/a.csv", "/in/sub", "/in/sub/b.csv")
    ]
    rxHadoopCopy(f"{store.url}/new/in", f"{store.url}/copy")
    rxHadoopMove(f"{store.url}/copy/a.csv", f"{store.url}/moved.csv")
    rxHadoopCopyToLocal([f"{store.url}/moved.csv", f"{store.url}/copy"], tmp_path)
    assert (tmp_path / "moved.csv").read_text() == "text of a.csv"
    assert (tmp_path / "copy" / "sub" / "b.csv").read_text() == "text of sub/b.csv"
    rxHadoopRemove([f"{store.url}/{name}" for name in ("new", "copy", "moved.csv")], recursive=True)


def test_a_bucket_that_is_not_there_is_named(store: Store, tmp_path):
    """And not made."""
    missing = store.url.replace("test-", "not-")
    (tmp_path / "a.csv").write_text("x")
    for command in (rxHadoopListFiles, lambda url: rxHadoopCopyFromLocal(tmp_path / "a.csv", url)):
        with pytest.raises(RxFileError, match=r"there is no bucket 'not-.*make it, or name another one"):
            command(f"{missing}/x")


@pytest.mark.parametrize("given", ["none", "another's"])
def test_missing_and_wrong_credentials_are_errors_that_say_what_to_set(given, monkeypatch):
    """For Azure, which is the only emulator that looks at them."""
    with azure() as found:
        words = found.variables["AZURE_STORAGE_CONNECTION_STRING"]
        monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
        if given != "none":
            wrong = re.sub("AccountKey=[^;]+", f"AccountKey={'A' * 86}==", words)
            monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", wrong)
        with pytest.raises(RxFileError, match=r"abfs://somebody/y: permission denied.*AZURE_STORAGE_CONNECTION_STRING"):
            rxHadoopFileExists("abfs://somebody/y")


def test_one_of_many_creates_an_object(store: Store):
    """Though each would write it."""
    won = []

    def race(number):
        place = open_path(f"{store.url}/race/lease-1")
        if atomic.create(place, str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    folder = open_path(f"{store.url}/race")
    assert atomic.read(folder / "lease-1") == str(won[0]).encode()
    assert (len(won), folder.names()) == (1, ["lease-1"])
    rxHadoopRemoveDir(f"{store.url}/race")


def test_a_copy_that_breaks_off_leaves_what_was_there(store: Store, tmp_path, monkeypatch):
    """No shorter object is made of it."""
    (tmp_path / "a.csv").write_text("old")
    rxHadoopCopyFromLocal(tmp_path / "a.csv", f"{store.url}/a.csv")

    def pieces(source):
        yield bytes(60_000_000)
        raise OSError("the source is gone")

    with monkeypatch.context() as patch:
        patch.setattr("rxspark.files.operations.pieces", pieces)
        with pytest.raises(RxFileError, match="the source is gone"):
            rxHadoopCopyFromLocal(tmp_path / "a.csv", f"{store.url}/a.csv", overwrite=True)
    assert [file.size for file in rxHadoopListFiles(store.url)] == [3]
    rxHadoopRemove(f"{store.url}/a.csv")


def test_an_environment_is_packed_into_the_store(store: Store, tmp_path, monkeypatch):
    """Once: a second time the archive that is there is taken; and whole, as it comes back."""
    archive = environment.pack(f"{store.url}/share", ["cloudpickle"], SMALL)
    assert rxHadoopListFiles(f"{store.url}/share").names == [archive]
    with monkeypatch.context() as patch:
        patch.setattr(environment, "_make", None)
        assert environment.pack(f"{store.url}/share", ["cloudpickle"], SMALL) == archive
    rxHadoopCopyToLocal(archive, tmp_path)
    (local,) = tmp_path.iterdir()
    with tarfile.open(local) as tar:
        assert "bin/python" in tar.getnames()
    rxHadoopRemoveDir(f"{store.url}/share")


def test_spark_with_a_share_folder_there(store: Store, tmp_path):
    """Large constants and results, and the results of a job that another process fetches from there."""
    assert run(PROGRAM, tmp_path, f"{store.url}/share") == ["True", "finished", "True"]
