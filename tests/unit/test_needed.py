"""The packages that a call surely needs on its workers: these are looked for before launch, and no others."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import joblib
import pytest
import sklearn.linear_model

from rxspark.calls.tasks import plan_tasks
from rxspark.serialize.pickler import CallSerializer


def needed(function, *args):
    """The packages found for a call."""
    shipper, tasks = CallSerializer(), plan_tasks(function, args, {}, None, -1)
    shipper.program(function, tasks, {})
    return shipper.modules.needed(function, shipper.modules.sources()) - {"cloudpickle"}


def test_packages_that_a_call_holds_by_name():
    """Functions, classes and modules of installed packages, wherever they are held."""
    assert needed(abs, 1) == set()
    assert needed(lambda: sklearn.linear_model.Ridge()) == {"sklearn"}
    assert needed(functools.partial(sklearn.linear_model.Ridge)) == {"sklearn"}
    assert needed(len, (joblib.delayed,)) == {"joblib"}


def test_packages_that_a_function_imports_first():
    """Imports at its head are needed; those that come later, in a try or under a condition, may not be."""

    def at_its_head():
        """A docstring does not end the head."""
        import json

        import matplotlib.pyplot as plt
        from pandas import DataFrame

        print(json, plt, DataFrame)
        import dask  # noqa: F401

    def guarded():
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            return

    def perhaps(x):
        if x:
            import matplotlib  # noqa: F401

    def after_a_call():
        print()
        import matplotlib  # noqa: F401

    assert needed(at_its_head) == {"matplotlib", "pandas"}
    assert needed(guarded) == needed(perhaps, 1) == needed(after_a_call) == set()


def test_packages_that_the_users_modules_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Modules of the user's travel, so what they import at their head must be there; what they try need not."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "rx_needs_a.py").write_text(
        "import rx_needs_b\nfrom sklearn import svm\ntry:\n    import dask\nexcept ImportError:\n    pass\n"
        "def f(x):\n    return rx_needs_b.g(x)\n"
    )
    (tmp_path / "rx_needs_b.py").write_text("import not_on_this_machine_at_all as n\ndef g(x):\n    return x\n")
    sys.modules["not_on_this_machine_at_all"] = sys
    try:
        import rx_needs_a

        assert needed(rx_needs_a.f, 1) == {"sklearn", "not_on_this_machine_at_all"}
    finally:
        for name in ("rx_needs_a", "rx_needs_b", "not_on_this_machine_at_all"):
            sys.modules.pop(name, None)
