"""Arrays that NumPy itself pickles with their numbers inside: here their numbers too are buffers, to be mapped."""

from __future__ import annotations

from typing import Any

__all__ = ["reduce_array"]


def reduce_array(array: Any) -> Any:
    """Return the reduction of a NumPy array.

    NumPy leaves the numbers out of the pickle only where they lie in one piece and have a format that the buffer
    protocol knows. A view with strides is copied into one piece, and dates and times go as the integers that they are.
    """
    if array.dtype.hasobject:
        return array.__reduce_ex__(5)
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = array.copy()
    if array.dtype.kind in "mM":
        return _with_type, (array.view("i8"), array.dtype)
    return array.__reduce_ex__(5)


def _with_type(integers: Any, dtype: Any) -> Any:
    return integers.view(dtype)
