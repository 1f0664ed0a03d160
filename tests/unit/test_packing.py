"""The packed environment: what goes in, and that it stands by itself where it is unpacked."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import cloudpickle
import pytest
from s3_server import Bucket
from yarn import SMALL, left_out

from rxspark import RxArgumentError, RxContextError, RxFileError
from rxspark.deploy import environment


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A small archive, and where it was unpacked."""
    folder = tmp_path_factory.mktemp("packed")
    archive = environment.pack(str(folder), ["cloudpickle"], SMALL)
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "there", filter="tar")
    return archive, folder / "there"


def test_it_has_an_interpreter_of_its_own(packed: tuple[str, Path]) -> None:
    """bin/python is a program and no link out, runs in an empty environment, and finds everything below itself."""
    _, there = packed
    python = there / "bin" / "python"
    assert python.is_file()
    assert not python.is_symlink()
    assert os.access(python, os.X_OK)
    program = "import sys, json, cloudpickle, rxspark; print(*sys.path, json.__file__, cloudpickle.__file__, sep='\\n')"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, env={}, cwd=there.parent)
    assert done.returncode == 0, done.stderr
    places = [line for line in done.stdout.splitlines() if line]
    assert places
    assert all(place.startswith(f"{there}/") for place in places)


DEBIAN = Path("/usr/bin/python3")
"""Debian's and Ubuntu's own interpreter, which looks for packages in dist-packages where it is in no environment."""


def _minor(python: Path) -> str:
    return subprocess.check_output([python, "-c", "import sys; print(*sys.version_info[:2])"], text=True)


@pytest.mark.skipif(
    not Path("/usr/lib/python3/dist-packages").is_dir() or _minor(DEBIAN) != _minor(Path(sys.executable)),
    reason="an interpreter of Debian's or Ubuntu's own, of this minor version, is needed",
)
def test_it_finds_its_packages_with_the_interpreter_of_debian(tmp_path: Path) -> None:
    """An environment of /usr/bin/python3 can be packed, and imports what was packed where it is unpacked."""
    subprocess.run([DEBIAN, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    there = Path(
        subprocess.check_output([python, "-c", "import site; print(site.getsitepackages()[0])"], text=True)[:-1]
    )
    for folder in Path(cloudpickle.__file__).parents[1].glob("cloudpickle*"):
        shutil.copytree(folder, there / folder.name)
    program = f"""
from rxspark.deploy import environment
print(environment.pack({str(tmp_path)!r}, ["cloudpickle"], {SMALL!r}))
"""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    archive = subprocess.check_output([python, "-c", program], text=True, env=variables).strip()
    with tarfile.open(archive) as tar:
        names = [name for name in tar.getnames() if name.endswith("/cloudpickle/__init__.py")]
    assert [name.split("/")[2] for name in names] == ["dist-packages"]


def test_nothing_in_it_leads_out_of_it(packed: tuple[str, Path]) -> None:
    """Links stay inside, no file belongs to a user of this machine, PySpark and pip are left out."""
    archive, _ = packed
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    assert {m.linkname for m in members if m.issym() or m.islnk()} == {"python"}
    assert {(m.uid, m.gid, m.uname) for m in members} == {(0, 0, "")}
    assert not [m.name for m in members if "/pyspark/" in m.name or "/pip/" in m.name or m.name.startswith("/")]


def test_modules_are_compiled_once_for_all_executors(tmp_path: Path) -> None:
    """Compiled files are packed, and made for modules that nobody has imported here: pip may make none."""
    module = importlib.util.find_spec("cloudpickle.cloudpickle_fast")
    assert module is not None
    assert module.cached is not None
    Path(module.cached).unlink(missing_ok=True)
    with tarfile.open(environment.pack(str(tmp_path), ["cloudpickle"], SMALL)) as tar:
        assert any(name.endswith(f"/__pycache__/{Path(module.cached).name}") for name in tar.getnames())


def test_it_goes_to_a_bucket(bucket: Bucket) -> None:
    """By the URL that is given back, once; a bucket that is not there is named."""
    archive = environment.pack(f"{bucket.url}/share", ["cloudpickle"], SMALL)
    assert archive.startswith(f"{bucket.url}/share/rxspark-env-py")
    began = len(bucket.server.requests)
    assert environment.pack(f"{bucket.url}/share", ["cloudpickle"], SMALL) == archive
    assert not [request for request in bucket.server.requests[began:] if request.startswith("P")]
    assert [f"{bucket.url}/{name}" for name in bucket.objects()] == [archive]
    with pytest.raises(RxFileError, match="there is no bucket"):
        environment.pack(f"{bucket.url}-not", ["cloudpickle"], SMALL)


def test_the_same_environment_is_packed_once(
    packed: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A second time the archive that is there is taken; other contents have another name."""
    archive, _ = packed
    monkeypatch.setattr(environment, "_make", lambda files, target: None)
    before = os.stat(archive).st_mtime_ns
    assert environment.pack(os.path.dirname(archive), ["cloudpickle"], SMALL) == archive
    assert os.stat(archive).st_mtime_ns == before
    other = environment.pack(str(tmp_path), ["cloudpickle"], [*SMALL, "*/joblib/*"])
    assert os.path.basename(other) != os.path.basename(archive)


def test_an_environment_that_does_not_run_is_not_delivered(tmp_path: Path) -> None:
    """An archive that lacks a part is unpacked, run, refused with the reason, and nothing is left in the folder."""
    with pytest.raises(RxContextError, match=r"does not run where it is unpacked: .*encodings"):
        environment.pack(str(tmp_path), ["cloudpickle"], [*SMALL, "lib/python3.*/encodings/*"])
    assert list(tmp_path.iterdir()) == []


def test_an_environment_without_a_library_that_mkl_draws_by_is_not_delivered(tmp_path: Path) -> None:
    """MKL ends a process in which one is missing as it first draws; it is named here, not by executors that die."""
    with pytest.raises(RxContextError, match=r"does not run where it is unpacked: .*libmkl_vml_cmpt"):
        environment.pack(str(tmp_path), ["mkl-random"], [*left_out(), "lib/libmkl_vml_cmpt*"])
    assert list(tmp_path.iterdir()) == []


def test_requirements_are_followed() -> None:
    """A package brings what it requires, extras only where they are asked for."""
    names = {environment._name(dist) for dist in environment._selected(["scikit-learn"])}
    assert {"scikit-learn", "scipy", "joblib", "threadpoolctl", "numpy", "cloudpickle"} <= names
    assert not {"pytest", "matplotlib", "pyspark"} & names
    assert "distributed" in environment._closure(["dask[distributed]"])
    assert "distributed" not in environment._closure(["dask"])


def test_what_a_library_brings_along_is_not_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that only `sys.path` leads to, as within Ray, neither goes in nor hides the one that is installed."""
    for name in ("cloudpickle", "stowaway"):
        about = tmp_path / f"{name}-9.9.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "stowaway" not in environment._installed()
    assert environment._installed()["cloudpickle"].version != "9.9"


def test_mistakes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not there gets a suggestion; a conda environment is sent to conda-pack."""
    with pytest.raises(RxArgumentError, match="did you mean pandas"):
        environment.pack(str(tmp_path), ["pandsa"])
    (tmp_path / "conda-meta").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(RxContextError, match="conda-pack"):
        environment.pack(str(tmp_path))


def test_the_command_prints_where_the_archive_is(packed: tuple[str, Path], tmp_path: Path) -> None:
    """`python -m rxspark pack` prints the one line that scripts need; mistakes are one line too, with exit code 1."""
    archive, _ = packed
    command = [sys.executable, "-m", "rxspark", "pack", "cloudpickle", "--to", os.path.dirname(archive)]
    for pattern in SMALL:
        command += ["--exclude", pattern]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{archive}\n")
    done = subprocess.run([*command[:4], "no_such_package"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("RxArgumentError: pack: no package 'no-such-package' is installed here")
