"""The part of the caller's process that tasks see: on the caller's own machine all that is visible of it."""

from __future__ import annotations

import logging
import os
import sys
import warnings

import pytest

from rxspark import rxExec

pytestmark = pytest.mark.usefixtures("_elsewhere")


@pytest.fixture
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.left_out(
    spark_cluster="executors in general are on other machines, where the folder does not exist",
    spark_connect="as spark-cluster",
)
def test_the_working_directory_arrives(tmp_path):
    """A task runs in the folder in which the caller is at the time of the call."""
    assert rxExec(os.getcwd, timesToRun=2) == [os.getcwd()] * 2
    (tmp_path / "below").mkdir()
    os.chdir(tmp_path / "below")
    assert rxExec(os.getcwd) == [str(tmp_path / "below")]


@pytest.mark.left_out(
    spark_cluster="the environment of executors on other machines is Spark's to set",
    spark_connect="as spark-cluster",
)
def test_an_environment_variable_set_just_before_arrives(monkeypatch):
    """A variable that the caller sets is seen by the next call, one that it changes or removes too."""
    read = lambda: os.environ.get("RX_JUST_SET")  # noqa: E731
    assert rxExec(read) == [None]
    monkeypatch.setenv("RX_JUST_SET", "1")
    assert rxExec(read) == ["1"]
    monkeypatch.setenv("RX_JUST_SET", "zwei ö")
    assert rxExec(read) == ["zwei ö"]
    monkeypatch.delenv("RX_JUST_SET")
    assert rxExec(read) == [None]


@pytest.mark.left_out(
    spark_cluster="folders of the caller's machine need not exist on the executors'",
    spark_connect="as spark-cluster",
)
def test_the_search_path_arrives(tmp_path, monkeypatch):
    """Tasks can import what the caller can."""
    (tmp_path / "rx_only_here.py").write_text("VALUE = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def use():
        import importlib

        return importlib.import_module("rx_only_here").VALUE

    assert rxExec(use, timesToRun=2) == [42, 42]
    sys.modules.pop("rx_only_here", None)


@pytest.mark.left_out(
    spark_cluster="folders of the caller's machine need not exist on the executors'",
    spark_connect="as spark-cluster",
)
def test_the_search_path_keeps_its_order(tmp_path, monkeypatch):
    """A module that the caller would find in the first folder of its path is not found in another one by a task."""
    for folder, value in (("first", 1), ("second", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rx_in_two_places.py").write_text(f"VALUE = {value}\n")
    monkeypatch.syspath_prepend(str(tmp_path / "second"))

    def use():
        import importlib

        sys.modules.pop("rx_in_two_places", None)
        return importlib.import_module("rx_in_two_places").VALUE

    assert rxExec(use) == [2]
    monkeypatch.syspath_prepend(str(tmp_path / "first"))
    assert rxExec(use) == [1]


def test_warnings_filters_arrive():
    """A warning that the caller turns into an error, or silences, is so in the tasks."""

    def warn():
        try:
            warnings.warn("odd", DeprecationWarning, stacklevel=1)
        except DeprecationWarning:
            return "raised"
        return "shown"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rxExec(warn) == ["raised"]
        warnings.simplefilter("ignore")
        result = rxExec(warn)
    assert (list(result), result.output) == (["shown"], {})


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING, logging.ERROR], ids=logging.getLevelName)
def test_the_level_of_the_root_logger_arrives(level):
    """Tasks log by the level of the caller's root logger, into `.output`."""

    def log():
        logging.getLogger("mine").debug("small")
        logging.getLogger("mine").warning("middle")
        logging.error("large")

    root = logging.getLogger()
    before = root.level
    root.setLevel(level)
    try:
        told = rxExec(log, timesToRun=2).output
    finally:
        root.setLevel(before)
    lines = {10: "DEBUG:mine:small\n", 30: "WARNING:mine:middle\n", 40: "ERROR:root:large\n"}
    expected = "".join(line for needed, line in lines.items() if needed >= level)
    assert told == {0: expected, 1: expected}


def test_a_call_from_a_removed_folder_works(tmp_path):
    """A caller whose working directory was removed can still run tasks."""
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        assert rxExec(abs, -1, timesToRun=2) == [1, 1]
    finally:
        os.chdir(tmp_path)
