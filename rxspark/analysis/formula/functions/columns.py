"""The functions of whole columns that formulas and expressions may call, by R's names."""

from __future__ import annotations

from collections.abc import Callable

from rxspark.analysis.formula.functions.factors import FACTOR_FUNCTIONS
from rxspark.analysis.formula.functions.polynomials import Poly
from rxspark.analysis.formula.functions.splines import BSplineBasis, NaturalSplineBasis
from rxspark.analysis.formula.functions.statistics import STATISTICS
from rxspark.analysis.formula.functions.totals import ColumnFunction

__all__ = ["COLUMN_FUNCTIONS"]

COLUMN_FUNCTIONS: dict[str, Callable[..., ColumnFunction]] = {
    **FACTOR_FUNCTIONS,
    **STATISTICS,
    "poly": Poly,
    "polym": Poly,
    "bs": BSplineBasis,
    "ns": NaturalSplineBasis,
}
