"""Generalized linear models, with the numbers of R's glm."""

from __future__ import annotations

from rxspark.analysis.glm.api import rxGlm

__all__ = ["rxGlm"]
