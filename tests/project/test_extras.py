"""The packages that errors tell to install are those of the extras."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from project import ROOT

import rxspark
from rxspark.extras import EXTRAS, install


def test_the_table_is_that_of_the_package() -> None:
    """Each extra that an error may advise has in pyproject.toml the packages that the error names."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra: tuple(re.split(r"[><=;]", text)[0] for text in extras[extra]) for extra in EXTRAS}
    assert named == EXTRAS


def test_no_error_advises_to_install_rxspark_by_name() -> None:
    """It is in no index, so that its name there could be anybody's."""
    sources = {file: file.read_text() for file in Path(rxspark.__file__).parent.rglob("*.py")}
    assert [file for file, text in sources.items() if "rxspark[" in text] == []


@pytest.mark.parametrize("holder", ["databricks-connect", "pyspark-client"])
def test_pyspark_is_not_put_over_what_stands_in_its_place(holder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Databricks' and Spark's own clients hold the package pyspark, which a second one would spoil."""
    assert install("spark") == "pip install pyspark findspark"
    assert install("connect") == "pip install 'pyspark[connect]'"
    real = metadata.version
    monkeypatch.setattr("rxspark.extras.version", lambda name: "17.0" if name == holder else real(name))
    assert install("spark") == "pip install findspark"
    assert "pyspark" not in install("connect")
