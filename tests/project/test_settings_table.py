"""The guide lists the table of settings as it is, and every trace in every context with its outcome."""

from __future__ import annotations

import sys

import pytest
from project import EXAMPLES
from traces import TRACES
from traces.guide import CONTEXTS, expected, read_table

from rxspark.worker.settings import SETTINGS
from rxspark.worker.settings.interpreter import INTERPRETER
from rxspark.worker.settings.libraries import LIBRARIES
from rxspark.worker.settings.native import NATIVE
from rxspark.worker.settings.setting import Setting
from rxspark.worker.settings.standard_library import STANDARD_LIBRARY
from rxspark.worker.settings.system import SYSTEM

GUIDE = EXAMPLES / "state.md"

# Programs of their own show these, in tests/local/test_settings_of_programs.py: at a terminal, under a low limit.
SHOWN_ELSEWHERE = {"terminal", "open descriptors"}

# What there is only in a later Python is tried there.
TO_COME = set() if hasattr(sys, "monitoring") else {"tools of `sys.monitoring`", "stack trampoline for perf"}

# What it is tried by; the guide's table is written with the oldest Python.
LATER = {"sys.monitoring", "sys.activate_stack_trampoline"}


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Python", INTERPRETER),
        ("Its standard library, once it is loaded", STANDARD_LIBRARY),
        ("The system", SYSTEM),
        ("What only compiled code can change", NATIVE),
        ("Libraries, once they are loaded", LIBRARIES),
    ],
)
def test_the_guide_lists_what_is_put_back(kind: str, settings: list[Setting]) -> None:
    """A setting that is added to the table, or taken out, changes the guide too."""
    text = " ".join(GUIDE.read_text().split())
    assert f"* **{kind}**: " + "; ".join(setting.name for setting in settings) + "." in text


def test_the_guide_tells_what_became_of_each_trace_in_each_context() -> None:
    """A trace that is added, or a context, changes the guide too; nothing was met wherever it was tried."""
    table = read_table()
    assert list(table) == [label for label in TRACES if label not in LATER]
    for label, row in table.items():
        assert tuple(row) == CONTEXTS
        assert {name: found for name, found in row.items() if found not in (expected(label, name), "?")} == {}


def test_each_setting_is_tried() -> None:
    """A setting without a trace would be one that nobody has seen put back."""
    tried = {trace.setting for trace in TRACES.values()}
    assert {setting.name for setting in SETTINGS} - tried == SHOWN_ELSEWHERE | TO_COME
