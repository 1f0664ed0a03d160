"""Element arguments: what `rxElemArg` takes, and how the tasks get their elements of it."""

from __future__ import annotations

import copy
import itertools
import operator
import sys
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rxspark.errors import RxArgumentError
from rxspark.validation import short_repr

__all__ = ["ElemArg", "rxElemArg"]


# Elements of an iterator that a call which waits for all results reads: 400 MB of numbers, within some seconds.
MOST_READ = 10_000_000


class ElemArg:
    """Element arguments, as `rxElemArg` makes them: task i gets element i.

    Parameters
    ----------
    given : any
        What the user gave.
    values : sequence or None
        The elements; None where `given` is to be iterated over, and does not tell how many there are.
    names : list of str, optional
        Names of the elements.
    """

    def __init__(self, given: Any, values: Sequence[Any] | None, names: list[str] | None = None) -> None:
        self.names = names
        self._given = given
        self._values = values
        self._taken = False

    @property
    def length(self) -> int | None:
        """Return the number of elements; None as long as that is not known."""
        return None if self._values is None else len(self._values)

    @property
    def is_endless(self) -> bool:
        """Tell whether it is clear that there is no last element."""
        x = self._given
        repeats = isinstance(x, itertools.repeat) and operator.length_hint(x, -1) == -1
        return self._values is None and (repeats or isinstance(x, (itertools.count, itertools.cycle)))

    def __repr__(self) -> str:
        return f"rxElemArg({self._given!r})"

    def __reduce__(self) -> Any:
        raise RxArgumentError(
            "rxElemArg(...) was found inside another argument; it must itself be an argument of rxExec, "
            "as in rxExec(f, x=rxElemArg(values))"
        )

    def read(self, argument: str) -> None:
        """Read all elements of an iterator, for a call that needs them before anything is launched.

        Raises
        ------
        RxArgumentError
            When there is no end, or none below `MOST_READ`, or reading raises.
        """
        if self._values is not None:
            return
        fix = (
            "bound it by itertools.islice(x, n), or use a compute context with wait=False, which reads elements as "
            "they are needed"
        )
        if self.is_endless:
            raise RxArgumentError(f"{argument}: {self!r} has no end, and this call waits for all results: {fix}")
        values: list[Any] = []
        try:
            values.extend(itertools.islice(self._given, MOST_READ + 1))
        except Exception as error:
            raise self.reading_failed(argument, len(values), error, "nothing was launched") from error
        if len(values) > MOST_READ:
            raise RxArgumentError(
                f"{argument}: {self!r} has no end below {MOST_READ:,} elements, the most that a call reads which waits "
                f"for all results: {fix}; a list or an array of known length may have more"
            )
        self._values = values

    def of(self, argument: str, numbers: range) -> Sequence[Any]:
        """Return the elements of some tasks."""
        assert self._values is not None
        if isinstance(self._values, (list, tuple, range)) or _is_numpy_array(self._values):
            return self._values[numbers.start : numbers.stop : numbers.step]
        found: list[Any] = []
        try:
            found.extend(self._values[number] for number in numbers)
        except Exception as error:
            raise self.reading_failed(argument, numbers[len(found)], error, "nothing was launched") from error
        return found

    def iterator(self, argument: str) -> Iterator[Any]:
        """Return an iterator over the elements, for one call alone if they can be read once only."""
        if self._values is not None:
            changeable = isinstance(self._values, list) or _is_numpy_array(self._values)
            return iter(copy.copy(self._values) if changeable else self._values)
        if self._taken:
            raise RxArgumentError(f"{argument}: {self!r} is being read by another job; make a new iterator for each")
        self._taken = True
        return iter(self._given)

    def reading_failed(self, argument: str, number: int, error: BaseException, rest: str) -> RxArgumentError:
        """Make the error for elements that cannot be read: it shows the line of the user's that raised."""
        frames = traceback.extract_tb(error.__traceback__)[1:]
        line = f" ({frames[0].filename}, line {frames[0].lineno}, in {frames[0].name})" if frames else ""
        return RxArgumentError(
            f"{argument}: {short_repr(self)}: reading element {number} raised {type(error).__name__}: {error}{line}; "
            f"{rest}"
        )


def rxElemArg(x: Any) -> ElemArg:
    """Mark an argument of `rxExec` as one to split: task i gets element i of it.

    Parameters
    ----------
    x : list, tuple, range, array (n, ...), Series, dict, or any iterable
        The n elements. An array of any library (NumPy, PyTorch, JAX, xarray, Arrow, scipy.sparse), and whatever else
        has ``__array__`` or a length and items, is split along its first axis. The keys of a dict name the results.
        Ranges, arrays of numbers and sequences are cut as they are: ``range(10**9)`` takes no memory.
        An iterator (a generator, ``map``, an open file) may be long or endless in a compute context with
        ``wait=False``: its elements are read as workers become free, see `rxExec`. A call that waits reads it to its
        end, 10 million elements at most, before anything is launched.

    Returns
    -------
    ElemArg
        To be passed to `rxExec` as a positional or keyword argument.

    Raises
    ------
    RxArgumentError
        When x has no elements in a definite order: a number, a string, a set, a data frame.

    Examples
    --------
    >>> from rxspark import rxExec, rxElemArg
    >>> rxExec(pow, rxElemArg([2, 3, 4]), 2)
    [4, 9, 16]

    Elements without end, in a job:

    >>> import itertools
    >>> from rxspark import RxLocalSeq
    >>> with RxLocalSeq(wait=False):
    ...     job = rxExec(pow, rxElemArg(itertools.count()), 2)
    >>> next(value for number, value in job if number == 8)  # they come as tasks finish
    64
    >>> job.cancel()
    True
    """
    kind = type(x).__name__
    if isinstance(x, (ElemArg, str, bytes, bytearray)):
        raise RxArgumentError(
            f"rxElemArg(x={short_repr(x)}): x is one value, of type {kind}; put the elements in a list"
        )
    if isinstance(x, type):
        raise RxArgumentError(f"rxElemArg(x={short_repr(x)}): x is a class; pass the elements")
    if isinstance(x, (set, frozenset)):
        raise RxArgumentError(f"rxElemArg(x={short_repr(x)}): a {kind} has no order; pass sorted(x) or list(x)")
    if isinstance(x, Mapping):
        return ElemArg(x, list(x.values()), [str(key) for key in x])
    if isinstance(x, (list, tuple, range)):
        return ElemArg(x, x)
    if _is_frame(x):
        raise RxArgumentError(
            f"rxElemArg(x=<{kind}>): a data frame may be split by rows or by columns; pass the rows as a list, by "
            f"x.to_dict('records') with pandas, x.to_dicts() with polars, x.to_pylist() with Arrow, or the columns as "
            f"a dict, by dict(x.items()) with pandas"
        )
    if getattr(x, "shape", None) == ():
        raise RxArgumentError(f"rxElemArg(x={short_repr(x)}): an array without dimensions has no elements to split")
    try:
        return ElemArg(x, _along_first_axis(x))
    except RxArgumentError:
        raise
    except Exception as error:
        raise RxArgumentError(
            f"rxElemArg(x={short_repr(x)}): reading it raised {type(error).__name__}: {error}; nothing was launched"
        ) from error


def _along_first_axis(x: Any) -> Sequence[Any] | None:
    """The elements of an array of any library, of anything with a length and items; None of what is to be iterated."""
    if _is_numpy_array(x):
        return x if x.dtype.kind in "biufcmM" else list(x)
    if hasattr(x, "to_pylist"):  # Arrow's own scalars cannot even be added
        return x.to_pylist()  # type: ignore[no-any-return]
    if hasattr(x, "tocsr"):  # the one sparse format that has rows
        x = x.tocsr()
        return [x[i] for i in range(x.shape[0])]
    if isinstance(x, Sequence) and not isinstance(x, deque) and len(x) >= 0:
        return x
    if isinstance(x, Iterable):
        return list(x) if hasattr(x, "__len__") else None
    if hasattr(x, "__getitem__") and hasattr(x, "__len__"):
        return [x[i] for i in range(len(x))]
    if hasattr(x, "__array__"):
        import numpy

        return _along_first_axis(numpy.asarray(x))
    raise RxArgumentError(
        f"rxElemArg(x={short_repr(x)}): a {type(x).__name__} has no elements; pass a list, a range or an array"
    )


def _is_frame(x: Any) -> bool:
    """Tell whether x is a table of any library: pandas, polars, Arrow, DuckDB, Spark."""
    return hasattr(x, "__dataframe__") or (hasattr(x, "columns") and (hasattr(x, "dtypes") or hasattr(x, "schema")))


def _is_numpy_array(x: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.ndarray)
