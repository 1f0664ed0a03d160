"""Tables in this process: which rows and columns of the data a formula needs, and what expressions make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.expressions import evaluate
from rxspark.analysis.sources import Selection, local_columns, local_frame
from rxspark.errors import RxArgumentError

__all__ = ["FUNCTIONS", "factor", "selected", "value_of"]


def factor(values: Any) -> Any:
    """R's factor(): levels in their own order, numbers by their value, written as R writes them."""
    codes, levels = pd.factorize(values, sort=True)
    labels = [f"{level:.15g}" if isinstance(level, (int, float, np.number)) else str(level) for level in levels]
    return pd.Series(pd.Categorical.from_codes(codes, labels), index=getattr(values, "index", None))


FUNCTIONS: dict[str, Any] = {
    **{name: getattr(np, name) for name in ("log", "log2", "log10", "log1p", "exp", "expm1", "sqrt")},
    **{name: getattr(np, name) for name in ("sin", "cos", "tan")},
    "abs": np.abs,
    "pow": np.power,
    "ifelse": np.where,
    "I": lambda values: values,
    "factor": factor,
}
"""What may be called in formulas and expressions; formulaic's own (poly, bs, scale, C, ...) come to it in formulas."""


def selected(data: Any, needed: list[str], picked: Selection) -> pd.DataFrame:
    """The rows and columns of local data that are needed, those of `transforms` made."""
    names = [*needed, *picked.needs(local_columns(data, "data"))]
    frame = local_frame(data, [name for name in names if name not in picked.transforms])
    for name, text in picked.transforms.items():
        frame = frame.assign(**{name: value_of(text, frame, f"transforms[{name!r}]")})
    if picked.rows is None:
        return frame
    rows = pd.Series(value_of(picked.rows, frame, "rowSelection"), index=frame.index)
    if not pd.api.types.is_bool_dtype(rows.dropna().infer_objects()):
        raise RxArgumentError(f"rowSelection={picked.rows!r}: it is not true or false, but of type {rows.dtype}")
    return frame[rows.fillna(False).astype(bool)]


def value_of(text: str, table: pd.DataFrame, where: str) -> Any:
    """The value of a factor or an expression in a table."""
    if text in table:
        return table[text]
    with np.errstate(all="ignore"):
        return evaluate(text, table, FUNCTIONS, where)
