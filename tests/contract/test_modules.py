"""The user's own modules on the workers: as the caller has them, also after an edit."""

from __future__ import annotations

import importlib
import sys
import textwrap

import pytest
from data_package import write_package

from rxspark import rxElemArg, rxExec


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of the user's own into a folder on the path, and import it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(source, name="rx_user_module"):
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        found = name.replace("/__init__", "").replace("/", ".")
        sys.dont_write_bytecode, kept = True, sys.dont_write_bytecode  # an edit within a second is seen
        try:
            return importlib.reload(sys.modules[found]) if found in sys.modules else importlib.import_module(found)
        finally:
            sys.dont_write_bytecode = kept

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("rx_"):
            del sys.modules[name]


def test_a_function_of_an_own_module(module):
    """FUN may come from a module of the user's, use others of its names, and be used from a closure."""
    mine = module("FACTOR = 3\ndef helper(x):\n    return FACTOR * x\ndef run(x):\n    return helper(x) + 1\n")
    assert rxExec(mine.run, rxElemArg([1, 2])) == [4, 7]
    assert rxExec(lambda x: mine.helper(x), rxElemArg([1, 2])) == [3, 6]


def test_an_import_inside_fun(module):
    """A module that FUN imports when it runs is there."""
    module("VALUE = 42\n")

    def run():
        import rx_user_module

        return rx_user_module.VALUE

    assert rxExec(run, timesToRun=3) == [42] * 3


def test_an_object_of_an_own_class(module):
    """Objects of a class of the user's travel both ways and stay of that class."""
    mine = module("class Point:\n    def __init__(self, x):\n        self.x = x\n")
    result = rxExec(lambda p: type(p)(p.x + 1), rxElemArg([mine.Point(1)]))
    assert type(result[0]) is mine.Point
    assert result[0].x == 2


def test_an_edited_module_is_not_stale(module):
    """After an edit and a reload the next call runs the new code, on workers that ran the old one."""
    mine = module("def run(x):\n    return 'old'\n")
    assert rxExec(mine.run, rxElemArg(range(4))) == ["old"] * 4
    mine = module("def run(x):\n    return 'new'\n")
    assert rxExec(mine.run, rxElemArg(range(4))) == ["new"] * 4
    mine = module("def run(x):\n    return 'newer still'\n")
    assert rxExec(lambda x: mine.run(x), rxElemArg(range(4))) == ["newer still"] * 4


def test_an_edited_helper_of_a_module_is_not_stale(module):
    """Also a module that is imported only by FUN's module is the caller's newest."""
    module("def helper():\n    return 'old'\n", "rx_helper")
    mine = module("import rx_helper\ndef run():\n    return rx_helper.helper()\n")
    assert rxExec(mine.run, timesToRun=3) == ["old"] * 3
    module("def helper():\n    return 'new'\n", "rx_helper")
    assert rxExec(mine.run, timesToRun=3) == ["new"] * 3


def test_a_package_of_files(tmp_path, monkeypatch):
    """A package with relative imports, a nested package and a data file beside its code arrives."""
    files = {
        "__init__.py": "from .base import BASE\n",
        "base.py": "BASE = 10\n",
        "sub/__init__.py": "",
        "sub/deep.py": "from ..base import BASE\nfrom .. import other\ndef run(x): return BASE + x + other.ONE\n",
        "other.py": "ONE = 1\n",
    }
    for name, source in files.items():
        (tmp_path / "rx_package" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rx_package" / name).write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    deep = importlib.import_module("rx_package.sub.deep")
    try:
        assert rxExec(deep.run, rxElemArg([1, 2])) == [12, 13]

        def inside(x):
            from rx_package.sub.deep import run

            return run(x)

        assert rxExec(inside, rxElemArg([1, 2])) == [12, 13]
        assert rxExec(lambda: rx_package.BASE, packagesToLoad="rx_package.other") == [10]  # type: ignore[name-defined]  # noqa: F821
    finally:
        for name in [name for name in sys.modules if name.startswith("rx_package")]:
            del sys.modules[name]


def test_a_folder_without_init_is_a_package_too(tmp_path, monkeypatch):
    """A module in a folder without an `__init__.py` (a namespace package) arrives."""
    (tmp_path / "rx_space").mkdir()
    (tmp_path / "rx_space" / "inner.py").write_text("def run(x):\n    return -x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    inner = importlib.import_module("rx_space.inner")
    try:
        assert rxExec(inner.run, rxElemArg([1, 2])) == [-1, -2]
    finally:
        for name in [name for name in sys.modules if name.startswith("rx_space")]:
            del sys.modules[name]


def test_the_traceback_shows_lines_of_an_own_module(module):
    """An error in a module of the user's shows its file and source line."""
    mine = module("def run(x):\n    return 1 / x  # here\n")
    with pytest.warns(UserWarning, match="1 of 1"):
        error = rxExec(mine.run, 0)[0]
    assert "rx_user_module.py" in error.traceback
    assert "return 1 / x  # here" in error.traceback


def test_the_test_module_itself_is_left_alone(module):
    """The caller's own modules are the same objects after a call."""
    mine = module("STATE = []\ndef run():\n    return len(STATE)\n")
    mine.STATE.append(1)
    before = {name: id(found) for name, found in sys.modules.items()}
    rxExec(mine.run, timesToRun=2)
    assert {name: id(sys.modules[name]) for name in before} == before
    assert mine.STATE == [1]


def test_the_data_files_of_an_own_package(tmp_path, monkeypatch):
    """pkgutil, importlib.resources and plain paths find in a task what lies in a package's folder."""
    write_package(tmp_path / "rx_data")
    monkeypatch.syspath_prepend(str(tmp_path))
    reads = importlib.import_module("rx_data.reads")
    try:
        assert rxExec(reads.run, timesToRun=2) == [("a,b", "deep", "inner", "a,b")] * 2
    finally:
        for name in [name for name in sys.modules if name.startswith("rx_data")]:
            del sys.modules[name]
