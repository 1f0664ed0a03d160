"""Results of R's glm for many formulas: made once by tests/golden/glm/formulas.R."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import golden
import pandas as pd

FORMULAS: list[dict[str, Any]] = [
    {key: value or None for key, value in case.items()}
    for case in pd.read_csv(golden.GOLDEN / "formulas.csv", keep_default_na=False).to_dict("records")
]

IN_ORDER = re.compile(r"quantile\(|median\(|\b[bn]s\((?!.*(?<!\.)knots)[^()]*(\(.*\))?[^()]*\d")
"""Functions that need all rows in order: splines, unless knots are given or there are none within."""


@cache
def data(name: str) -> pd.DataFrame:
    """One of R's data sets, its factors with their levels and their order."""
    known = pd.read_csv(golden.GOLDEN / "formulas_levels.csv", dtype={"level": str}).query("data == @name")
    if known.empty and name != "odd":
        return golden.data(name)
    kinds = dict.fromkeys(known["column"], str)
    table = pd.read_csv(golden.GOLDEN / f"{name}.csv", dtype=kinds)
    for column, levels in known.groupby("column"):
        table[column] = pd.Categorical(table[column], list(levels["level"]), ordered=levels["ordered"].iloc[0])
    return table


@cache
def _results() -> Any:
    table = pd.read_csv(golden.GOLDEN / "formulas_results.csv", keep_default_na=False, na_values={"value": ["NA"]})
    return table.groupby(["data", "formula"])


def expected(case: dict[str, Any]) -> dict[str, pd.Series]:
    """All that R says about a formula, by key: values by the names of the coefficients."""
    rows = _results().get_group((case["data"], case["formula"]))
    return {str(key): part.set_index("name")["value"] for key, part in rows.groupby("key")}
