"""Specifications of a generalized linear model: as a call asks for it, and with its design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rxspark.analysis.data.sources import Selection
from rxspark.analysis.formula.design import Design
from rxspark.analysis.glm.families import Family
from rxspark.analysis.glm.links import Link

__all__ = ["GlmRequest", "ModelSpec", "WeightColumns"]


@dataclass(frozen=True)
class WeightColumns:
    """The columns of prior weights and of frequencies; None where there are none."""

    pweights: str | None
    fweights: str | None


@dataclass(frozen=True)
class GlmRequest:
    """A model as a call of rxGlm asks for it."""

    formula: Any
    family: Family
    link: Link
    weights: WeightColumns
    selection: Selection
    max_iterations: int


@dataclass(frozen=True)
class ModelSpec:
    """A model whose design matrix is known."""

    design: Design
    family: Family
    link: Link
    weights: WeightColumns

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the design matrix."""
        return self.design.names

    @property
    def has_intercept(self) -> bool:
        """Tell whether the model has an intercept."""
        return self.design.formula.terms.intercept
