"""Keep loaded modules out of the garbage collections of Spark's Python workers."""

from __future__ import annotations

import gc
import sys

__all__ = ["freeze_loaded_modules"]

_passed_over = 0
"""So many modules were loaded when the collector was last told to pass over what is there."""


def freeze_loaded_modules() -> None:
    """Tell the garbage collector to pass over all objects there are now, if modules were loaded since it was last told.

    PySpark's worker collects garbage behind each partition, and its slot waits for that: 15-40 ms with the 45,000
    objects of NumPy, PySpark and this package, most of what a partition costs. To be called before a partition begins:
    then that collection has just been, and what it looks over belongs to modules.
    """
    global _passed_over
    if len(sys.modules) != _passed_over:
        gc.freeze()
        _passed_over = len(sys.modules)
