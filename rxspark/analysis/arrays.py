"""Types of NumPy arrays in the analysis."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoolArray", "FloatArray", "IntArray", "RowMask", "TextArray"]

FloatArray: TypeAlias = NDArray[np.floating[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.integer[Any]]
TextArray: TypeAlias = NDArray[np.object_]
"""Text, None where it is missing."""
RowMask: TypeAlias = NDArray[Any]
"""An index of rows: truth values or row numbers."""
