"""The guide lists the table of settings as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from rxspark.worker.settings.interpreter import INTERPRETER
from rxspark.worker.settings.libraries import LIBRARIES
from rxspark.worker.settings.setting import Setting
from rxspark.worker.settings.system import SYSTEM

GUIDE = Path(__file__).parents[2] / "examples" / "state.md"


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("Python", INTERPRETER), ("The system", SYSTEM), ("Libraries, once they are loaded", LIBRARIES)],
)
def test_the_guide_lists_what_is_put_back(kind: str, settings: list[Setting]) -> None:
    """A setting that is added to the table, or taken out, changes the guide too."""
    text = " ".join(GUIDE.read_text().split())
    assert f"* **{kind}**: " + "; ".join(setting.name for setting in settings) + "." in text
