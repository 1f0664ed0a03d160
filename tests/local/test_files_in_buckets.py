"""The file commands in S3, where it differs: no empty folders, and buckets that somebody else makes."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest
from s3_server import ENVIRONMENT, Bucket, broken, refused

from rxspark import (
    RxContextError,
    RxFileError,
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


@pytest.fixture
def local(tmp_path):
    """A folder of this machine with a.csv, b.csv and sub/c.csv."""
    folder = tmp_path / "local"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "sub/c.csv"):
        (folder / name).write_text(f"text of {name}")
    return folder


def test_a_folder_is_there_with_the_first_file_in_it(bucket: Bucket, local):
    """To make one writes nothing, and it goes with its last file."""
    rxHadoopMakeDir(f"{bucket.url}/x/y")
    assert bucket.objects() == []
    assert not rxHadoopFileExists(f"{bucket.url}/x")
    rxHadoopCopyFromLocal(local / "a.csv", f"{bucket.url}/x/y/")
    assert bucket.objects() == ["x/y/a.csv"]
    assert rxHadoopListFiles(f"{bucket.url}/x").names == [f"{bucket.url}/x/y"]
    rxHadoopRemove(f"{bucket.url}/x/y/a.csv")
    assert not rxHadoopFileExists(f"{bucket.url}/x")


def test_several_sources_and_a_slash_at_the_end_make_a_folder(bucket: Bucket, local):
    """As there is none to be made before; a file of that name is in the way all the same."""
    rxHadoopCopyFromLocal([local / "a.csv", local / "sub"], f"{bucket.url}/new")
    rxHadoopCopy(f"{bucket.url}/new/a.csv", f"{bucket.url}/other/")
    assert bucket.objects() == ["new/a.csv", "new/sub/c.csv", "other/a.csv"]
    with pytest.raises(RxFileError, match=r"new/a\.csv: several sources need a folder"):
        rxHadoopCopyFromLocal([local / "a.csv", local / "b.csv"], f"{bucket.url}/new/a.csv")


def test_hadoops_name_for_the_scheme_means_the_same_store(bucket: Bucket, local, tmp_path):
    """s3a:// is kept in what is given back, for Spark to read; between the two a file is moved."""
    hadoops = bucket.url.replace("s3:", "s3a:")
    rxHadoopCopyFromLocal(local, f"{hadoops}/data")
    assert rxHadoopListFiles(f"{hadoops}/data/*.csv").names == [f"{hadoops}/data/a.csv", f"{hadoops}/data/b.csv"]
    rxHadoopMove(f"{bucket.url}/data/a.csv", f"{hadoops}/moved.csv")
    rxHadoopCopyToLocal(f"{bucket.url}/moved.csv", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "text of a.csv"
    rxHadoopRemoveDir(f"{hadoops}/data")
    assert bucket.objects() == ["moved.csv"]


def test_a_bucket_that_is_not_there_is_named_and_not_made(bucket: Bucket, local, tmp_path):
    """By each command, also by the one that makes folders."""
    missing = f"{bucket.url}-not"
    says = rf"{missing}(/x)?: there is no bucket .*-not', and rxspark makes none: make it, or name another one"
    for command in (rxHadoopListFiles, rxHadoopRemove, rxHadoopRemoveDir, rxHadoopMakeDir):
        with pytest.raises(RxFileError, match=says):
            command(f"{missing}/x")
    for target in (f"{missing}/x", f"{missing}/x/"):
        with pytest.raises(RxFileError, match=says):
            rxHadoopCopyFromLocal(local / "a.csv", target)
    with pytest.raises(RxFileError, match=says):
        rxHadoopCopyToLocal(f"{missing}/x", tmp_path / "here")
    with pytest.raises(RxFileError, match=f"{missing}: there is no bucket"):
        rxHadoopMakeDir(missing)
    assert not rxHadoopFileExists(missing)


def test_what_is_forbidden_says_where_rights_come_from(bucket: Bucket, local):
    """Reading, listing and writing."""
    says = rf"{bucket.url}/x.*permission denied: .*AWS_ACCESS_KEY_ID.*on executors too"
    with bucket.server.failing(refused(403, "AccessDenied")):
        for command in (rxHadoopListFiles, rxHadoopFileExists, rxHadoopRemove):
            with pytest.raises(RxFileError, match=says):
                command(f"{bucket.url}/x")
    with bucket.server.failing(refused(403, "AccessDenied", methods="PUT")), pytest.raises(RxFileError, match=says):
        rxHadoopCopyFromLocal(local / "a.csv", f"{bucket.url}/x")
    assert bucket.objects() == []


def test_without_credentials_an_error_says_where_they_come_from(bucket: Bucket, monkeypatch, tmp_path):
    """And that executors need them."""
    for name in ENVIRONMENT:
        if "KEY" in name:
            monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    _forget_clients()
    with pytest.raises(RxFileError, match=r"Unable to locate credentials.*AWS_ACCESS_KEY_ID.*on executors too"):
        rxHadoopFileExists(f"{bucket.url}/x")
    _forget_clients()


def test_an_endpoint_that_is_not_there_is_named(bucket: Bucket, monkeypatch):
    """As a file system that cannot be reached."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    _forget_clients()
    with pytest.raises(RxContextError, match=rf"{bucket.url}/x cannot be reached: Could not connect.*127\.0\.0\.1:1"):
        rxHadoopFileExists(f"{bucket.url}/x")
    _forget_clients()


def test_what_a_killed_program_has_shared_goes_with_the_next_program(bucket: Bucket):
    """And what a program has shared that ends, with it."""
    program = """
import os, sys
import numpy
from rxspark import *
with RxSpark(hdfsShareDir=sys.argv[1]):
    shared = rxShare(numpy.arange(1_000_000))
if len(sys.argv) > 2:
    os._exit(1)
"""
    run = [sys.executable, "-c", program, f"{bucket.url}/share"]
    subprocess.run([*run, "killed"], timeout=60)
    assert [name.endswith(".bundle") for name in bucket.objects()] == [True]
    done = subprocess.run(run, timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stderr, bucket.objects()) == (0, "", [])


def test_throttled_and_broken_requests_are_made_again(bucket: Bucket, local, tmp_path):
    """Answers of S3 to who asks too often, and connections that break in the middle of a write, cost time alone."""
    (local / "big").write_bytes(bytes(range(256)) * 40_000)
    with (
        bucket.server.failing(refused(503, "SlowDown", times=3)),
        bucket.server.failing(broken(2, "big")),
    ):
        rxHadoopCopyFromLocal(local / "big", f"{bucket.url}/big")
        rxHadoopCopyToLocal(f"{bucket.url}/big", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (local / "big").read_bytes()
    assert (bucket.objects(), bucket.uploads()) == (["big"], [])


def test_a_write_that_breaks_for_good_leaves_nothing(bucket: Bucket, local, monkeypatch):
    """Neither an object nor parts of one: the error names the place."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # each of which s3fs makes five times
    _forget_clients()
    (local / "big").write_bytes(bytes(60_000_000))
    with (
        bucket.server.failing(broken(1000, "big")),
        pytest.raises((RxFileError, RxContextError), match=f"{bucket.url}/big"),
    ):
        rxHadoopCopyFromLocal(local / "big", f"{bucket.url}/big")
    _forget_clients()
    assert (bucket.objects(), bucket.uploads()) == ([], [])


@pytest.mark.parametrize("size", [1000, 60_000_000])
def test_a_copy_that_breaks_off_leaves_what_was_there(bucket: Bucket, local, tmp_path, monkeypatch, size):
    """A source that cannot be read to its end makes no shorter object, neither at once nor later; old ones stay."""

    def pieces(source):
        yield bytes(size)
        raise OSError("the source is gone")

    rxHadoopCopyFromLocal(local / "a.csv", f"{bucket.url}/a.csv")
    for name in ("a.csv", "new"):
        with monkeypatch.context() as patch:
            patch.setattr("rxspark.files.operations.pieces", pieces)
            with pytest.raises(RxFileError, match=f"{bucket.url}/{name}: the source is gone"):
                rxHadoopCopyFromLocal(local / "b.csv", f"{bucket.url}/{name}", overwrite=True)
    gc.collect()
    rxHadoopCopyToLocal(f"{bucket.url}/a.csv", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "text of a.csv"
    assert (bucket.objects(), bucket.uploads()) == (["a.csv"], [])


def _forget_clients():
    """Those that fsspec has opened know settings of before."""
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
