"""Results of R's glm for models of R's own data sets: made once by tests/golden/glm/make.R."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
import project

GOLDEN = project.GOLDEN / "glm"
NUMBERS = ("theta", "varPower", "linkPower")
CASES: dict[str, dict[str, Any]] = {
    case.pop("case"): {key: (float(value) if key in NUMBERS else value) for key, value in case.items() if value}
    for case in pd.read_csv(GOLDEN / "cases.csv", dtype=str, keep_default_na=False).to_dict("records")
}


@cache
def data(name: str) -> pd.DataFrame:
    """One of R's data sets, its factors with the order that R has for their levels."""
    levels = pd.read_csv(GOLDEN / "levels.csv", dtype=str).query("data == @name").groupby("column")["level"]
    table = pd.read_csv(GOLDEN / f"{name}.csv", dtype=dict.fromkeys(levels.groups, str))
    return table.assign(**{column: pd.Categorical(table[column], list(order)) for column, order in levels})


@cache
def results() -> pd.DataFrame:
    """All that R says."""
    return pd.read_csv(GOLDEN / "results.csv", dtype={"name": str}, keep_default_na=True).fillna({"name": ""})


def expected(case: str, key: str) -> pd.Series:
    """Values of R for one thing, by name."""
    rows = results().query("case == @case and key == @key")
    return rows.set_index("name")["value"]
