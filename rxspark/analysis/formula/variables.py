"""Variables of a model: kinds, levels and contrasts, found from all rows; and their columns of the design matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rxspark.analysis.arrays import FloatArray
from rxspark.analysis.formula.contrasts import CONTRASTS, indicators
from rxspark.analysis.formula.syntax import Call, Constant, Name, Node, deparse
from rxspark.analysis.formula.values import (
    Matrix,
    UnseenLevels,
    Value,
    as_factor,
    as_numbers,
    is_factor,
    is_logical,
    is_number,
    is_text,
    kind_of,
)
from rxspark.errors import RxArgumentError

__all__ = ["LOGICAL_LEVELS", "ModelVariable", "VariableSummary", "contrasts_of"]

LOGICAL_LEVELS = ("FALSE", "TRUE")


@dataclass(frozen=True)
class ModelVariable:
    """An expression of a formula, with the levels and the contrasts that it has in the fitted data."""

    label: str
    levels: tuple[str, ...] | None
    """The levels of a factor; None for numbers."""
    contrasts: str
    """The name of its contrasts, such as "contr.treatment"."""
    numbered: bool
    """Whether the coefficients have numbers for names, as R's C() gives them, and not the names of levels."""
    suffixes: tuple[str, ...]
    """The suffix of the label for each column of numbers; of a vector one that is empty."""

    def empty(self) -> Value:
        """Make its value for no rows."""
        if self.levels is not None:
            return np.array([], object)
        return Matrix(np.zeros((0, len(self.suffixes))), self.suffixes)

    def design_columns(self, value: Value, contrasted: bool) -> tuple[FloatArray, list[str]]:
        """Make its columns of the design matrix, shape (rows, columns), and their names."""
        if self.levels is None:
            x = value.values if isinstance(value, Matrix) else as_numbers(value, repr(self.label))[:, None]
            return x, [self.label + suffix for suffix in self.suffixes]
        levels = list(self.levels)
        if contrasted:
            names = [str(number) for number, _ in enumerate(levels, 1)] if self.numbered else levels
            coding, suffixes = CONTRASTS[self.contrasts](names)
        else:
            coding, suffixes = indicators(levels)
        try:
            codes = as_factor(value, levels).codes
        except UnseenLevels as error:
            raise error.named("predict", self.label) from None
        return coding[codes], [self.label + suffix for suffix in suffixes]


@dataclass(frozen=True)
class VariableSummary:
    """The kind of an expression's values and the levels that occur, in rows without missing values."""

    suffixes: tuple[str, ...]
    """As of `ModelVariable`; empty for a factor."""
    levels: frozenset[str] | None = None
    """The levels that occur; None for numbers."""
    order: tuple[str, ...] | None = None
    """The order of the levels; None for text, whose levels are sorted."""
    is_ordered: bool = False

    @classmethod
    def of(cls, value: Value, where: str) -> VariableSummary:
        """Summarize a value; `where` names it in errors."""
        if isinstance(value, Matrix):
            return cls(value.names if len(value.names) > 1 else ("",))
        if is_number(value):
            return cls(("",))
        if is_logical(value):
            return cls((), frozenset(LOGICAL_LEVELS), LOGICAL_LEVELS)
        if is_factor(value):
            return cls((), frozenset(value.unique().astype(object)), tuple(value.categories), value.ordered)
        if is_text(value):
            return cls((), frozenset(pd.unique(value)))
        raise RxArgumentError(f"{where} is {kind_of(value)}; use as.numeric(x), the seconds since 1970, or a factor")

    def __add__(self, other: VariableSummary) -> VariableSummary:
        return self if self.levels is None else replace(self, levels=self.levels | (other.levels or frozenset()))

    @property
    def levels_in_order(self) -> tuple[str, ...] | None:
        """The levels that occur, in their order; None for numbers."""
        if self.levels is None:
            return None
        return tuple(sorted(self.levels) if self.order is None else (one for one in self.order if one in self.levels))


def contrasts_of(node: Node, is_ordered: bool, where: str) -> tuple[str, bool]:
    """Choose the contrasts of a factor: those of C(), else polynomials if it is ordered, else treatments.

    The second value is whether coefficients have numbers for names.
    """
    if not (isinstance(node, Call) and node.function == "C" and len(node.args) > 1):
        return "contr.poly" if is_ordered else "contr.treatment", False
    given = node.args[1].node
    name = given.name if isinstance(given, Name) else given.value if isinstance(given, Constant) else None
    full = f"contr.{str(name).removeprefix('contr.')}"
    if full not in CONTRASTS or len(node.args) > 2:
        known = f"{deparse(node)}: contrasts are {', '.join(CONTRASTS)}"
        raise RxArgumentError(f"{where}: {known}, in full; relevel(x, ref = ) gives treatments another base")
    return full, True
