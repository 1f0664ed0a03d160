"""Modules that a task imports have NumPy's and Python's own functions, and leave the task's stream where it is."""

from __future__ import annotations

import importlib
import importlib.resources
import importlib.util
import random
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rxspark.rng.imports import import_outside_streams
from rxspark.rng.kinds import SeedRoot
from rxspark.rng.streams import Streams

MODULE = """
import random
import numpy as np
from numpy.random import normal, random_sample, uniform
from random import gauss, random as plain
np.random.seed(5), random.seed(5)
DRAWN = np.random.normal(), random.random(), np.random.default_rng().random()

def draw():
    return float(normal()), float(random_sample()), gauss(0, 1), plain()
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that draws, seeds and takes functions at its top, not imported yet."""
    (tmp_path / "drawing").mkdir()
    (tmp_path / "drawing" / "__init__.py").write_text(MODULE)
    (tmp_path / "drawing" / "data.txt").write_text("data")
    monkeypatch.syspath_prepend(tmp_path)
    import_outside_streams()
    yield "drawing"
    sys.modules.pop("drawing", None)


def on_stream(kind, function):
    """The result of a function on stream 3 of a kind."""
    with Streams(SeedRoot(kind, 777, chosen=True)) as streams:
        streams.start(3)
        return function()


def some():
    """Draw by every door."""
    return (
        np.random.uniform(),
        np.random.normal(),
        random.random(),
        random.gauss(0, 1),
        np.random.default_rng().random(),
    )


@pytest.mark.parametrize("kind", ["MT2203", "PHILOX", "SOBOL"])
def test_an_import_moves_no_number_of_the_task(module, kind):
    """A task draws the same whether it, or an earlier one, was the first to import a module that draws."""

    def first():
        before = some()
        importlib.import_module(module)
        return before, some()

    assert on_stream(kind, first) == on_stream(kind, first)


class AskingTheOthers:
    """A finder such as import hooks have: it asks all finders, and so comes by a loader that ours has wrapped."""

    asking = False

    def find_spec(self, name, path=None, target=None):
        """Find a module by the others."""
        if self.asking:
            return None
        self.asking = True
        try:
            return importlib.util.find_spec(name)
        finally:
            self.asking = False


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("kind", ["MT2203", "PHILOX", "SOBOL"])
def test_finders_that_ask_one_another_move_no_number(module, kind, place, monkeypatch):
    """An import moves no number where a finder before or behind ours has asked ours."""

    def first():
        importlib.import_module(module)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(int).result()
        return some(), float(np.random.mtrand._rand.normal())

    wanted = on_stream(kind, first)
    del sys.modules[module]
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    sys.meta_path.insert(place, AskingTheOthers())
    assert on_stream(kind, first) == wanted


@pytest.mark.parametrize("kind", ["MT2203", "PHILOX"])
def test_a_module_draws_the_same_wherever_it_was_imported(module, kind):
    """Functions taken by `from numpy.random import normal` draw the same numbers after an import in or before tasks."""
    within = on_stream(kind, lambda: importlib.import_module(module).draw())
    again = on_stream(kind, lambda: importlib.import_module(module).draw())
    of_another_kind = on_stream("MCG59", lambda: importlib.import_module(module).draw())
    del sys.modules[module]
    importlib.import_module(module)
    assert within == again == on_stream(kind, lambda: importlib.import_module(module).draw())
    assert of_another_kind == on_stream("MCG59", lambda: importlib.import_module(module).draw())


def test_a_function_that_a_task_keeps_draws_from_later_streams():
    """np.random.normal, kept by a task in a module or a cache, follows the streams of later tasks of any kind."""
    kept = on_stream("MT2203", lambda: np.random.normal)
    for kind in ("MT2203", "PHILOX4X32X10", "SOBOL", "PHILOX"):
        assert on_stream(kind, lambda: float(kept())) == on_stream(kind, lambda: float(np.random.normal()))
    np.random.seed(4)
    first = np.random.normal()
    np.random.seed(4)
    assert kept() == first


def test_the_callers_generators_are_as_before(module):
    """A module that seeds at its top, imported by a task, leaves the caller's np.random and random alone."""
    np.random.seed(1), random.seed(1)
    wanted = np.random.normal(), random.random()
    np.random.seed(1), random.seed(1)
    on_stream("MT2203", lambda: importlib.import_module(module))
    assert (np.random.normal(), random.random()) == wanted


def test_a_module_looks_as_if_python_had_imported_it_alone(module):
    """Its loader is Python's own, its files are found, and reloading works."""

    def look():
        made = importlib.reload(importlib.import_module(module))
        data = importlib.resources.files(made).joinpath("data.txt").read_text()
        return type(made.__loader__).__name__, type(made.__spec__.loader).__name__, data

    assert on_stream("MT2203", look) == ("SourceFileLoader", "SourceFileLoader", "data")
