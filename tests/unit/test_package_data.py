"""The data files of the user's own packages, for workers on other machines."""

from __future__ import annotations

import importlib
import pickle
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from data_package import write_package

from rxspark import RxShippingError
from rxspark.serialize.user_modules import UserModules

WORKER = """
import pickle, sys
from types import SimpleNamespace
from rxspark.worker import user_modules
sent = pickle.load(sys.stdin.buffer)
user_modules.install(SimpleNamespace(**sent, origin="elsewhere"))
import rx_data.reads
print(rx_data.reads.run(), rx_data.__file__ in sent["modules"])
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package in a folder on the path; what is known of its modules."""
    write_package(tmp_path / "rx_data")
    monkeypatch.syspath_prepend(str(tmp_path))
    noted = UserModules()
    noted.note(importlib.import_module("rx_data.reads").run, by_name=lambda _: True)
    noted.note_name("rx_data.inner")
    yield SimpleNamespace(folder=tmp_path / "rx_data", noted=noted)
    for name in [name for name in sys.modules if name.startswith("rx_data")]:
        del sys.modules[name]


def test_a_machine_without_the_package_gets_its_files(package):
    """They are there for pkgutil, importlib.resources and plain paths, and gone with the worker."""
    sources = package.noted.sources(with_data=True)
    assert {path for path, _ in sources["rx_data"].data} == {"table.csv", "deep/er/text.txt"}
    sent = pickle.dumps({"modules": sources, "modules_digest": UserModules.digest(sources)})
    shutil.rmtree(package.folder)
    worker = subprocess.run([sys.executable, "-c", WORKER], input=sent, capture_output=True, check=True)
    assert worker.stdout.decode().strip() == "('a,b', 'deep', 'inner', 'a,b') False"


def test_workers_of_this_host_need_no_copies(package):
    """They read the files where these are."""
    assert not any(module.data for module in package.noted.sources().values())


def test_a_changed_file_is_another_state_of_the_package(package):
    """A worker that holds an older one imports the package anew."""
    before = UserModules.digest(package.noted.sources(with_data=True))
    (package.folder / "table.csv").write_text("c,d")
    assert UserModules.digest(package.noted.sources(with_data=True)) != before


def test_data_files_without_measure_are_refused_by_name(package):
    """The error names package, file and size, before anything is launched."""
    with open(package.folder / "huge.bin", "wb") as file:
        file.truncate(20_000_000)
    with pytest.raises(
        RxShippingError, match=r"rx_data: the data files .* 20 MB, of which huge.bin 20 MB; up to 17 MB"
    ):
        package.noted.sources(with_data=True)
