"""Expressions over columns, such as ``"log(income) > 3 & state == 'NY'"``: evaluate them, and find what they need."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from rxspark.analysis.data.sources import check_column
from rxspark.analysis.formula.functions.columns import COLUMN_FUNCTIONS
from rxspark.analysis.formula.functions.elementwise import ELEMENTWISE
from rxspark.analysis.formula.functions.totals import ColumnFunction, Totals
from rxspark.analysis.formula.syntax import Argument, Call, Constant, Name, Node, deparse, names_in
from rxspark.analysis.formula.values import Columns, Matrix, UnseenLevels, Value, as_numbers
from rxspark.errors import RxArgumentError, closest

__all__ = [
    "CallTotals",
    "TotalsMissing",
    "column_names",
    "columns_of",
    "evaluate",
    "is_column_function",
    "next_total",
]

T = TypeVar("T")

CallTotals = Mapping[Call, Totals]
"""The totals of all rows that the functions of whole columns need, by call."""

_CONSTANTS: dict[str, float | bool] = {"pi": np.pi, "T": True, "F": False}

_ROW_ORDER = "it depends on the order of the rows; make the column before"
_CALENDAR = "make the column before, by pandas or Spark"
_ADVICE = {
    **dict.fromkeys(
        ("cumsum", "cumprod", "cummax", "cummin", "diff", "lag", "rev", "order", "sort", "rank"), _ROW_ORDER
    ),
    **dict.fromkeys(("rep", "rep_len", "seq_along", "seq_len", "embed", "filter", "row"), _ROW_ORDER),
    **dict.fromkeys(("weekdays", "months", "format", "strftime", "difftime", "ISOdate"), _CALENDAR),
    **dict.fromkeys(("s", "te", "ti", "lo"), "smooth terms are not of glm; use ns(x, df) or poly(x, degree)"),
    **dict.fromkeys(("sapply", "lapply", "mapply", "apply", "vapply", "Map", "outer"), "functions take columns whole"),
    **dict.fromkeys(("ave", "tapply", "aggregate"), "make the column of each group's value before"),
    **dict.fromkeys(("with", "get"), "columns are named alone"),
    **dict.fromkeys(("switch", "if", "case_when"), "use ifelse(test, yes, no)"),
    "between": "use x >= low & x <= high",
    "coalesce": "use ifelse(is.na(x), value, x)",
    "reorder": "use factor(x, levels = c(...))",
    "contrasts": "use C(x, contr.sum) and the like",
    "offset": "it stands as a term of its own, as in y ~ x + offset(log(n))",
    "addNA": "use ifelse(is.na(x), 'missing', x)",
    "~": "there is a formula within an expression",
}


class TotalsMissing(Exception):  # noqa: N818 - no error: all rows have to be read first
    """A function of a whole column needs totals of all rows that are not known yet."""


def column_names(node: Node, columns: Iterable[str]) -> list[str]:
    """List the names in an expression that are columns, or should be."""
    known = set(columns)
    return [name for name in names_in(node) if name in known or name not in _CONSTANTS]


def columns_of(node: Node, columns: Iterable[str], where: str) -> list[str]:
    """List the columns that an expression needs; RxArgumentError for one that is not there."""
    known = list(columns)
    found = column_names(node, known)
    for name in found:
        check_column(name, known, where)
    return found


def evaluate(node: Node, columns: Columns, totals: CallTotals, where: str) -> Value:
    """Evaluate an expression; `where` names the argument in errors.

    Raises
    ------
    TotalsMissing
        When a function in it needs totals of all rows that are not known yet.
    RxArgumentError
        When a function is not known, or does not take its arguments.
    """
    with np.errstate(all="ignore"):
        return _Evaluation(columns, totals, where).value(node)


def next_total(call: Call, columns: Columns, totals: CallTotals, where: str, is_distributed: bool) -> Any | None:
    """Summarize these rows for the next total that a call needs; None if it needs no more.

    `is_distributed` is whether there are other rows elsewhere.
    """
    with np.errstate(all="ignore"):
        return _Evaluation(columns, totals, where).next_total(call, is_distributed)


def is_column_function(call: Call) -> bool:
    """Tell whether a call is of a function that looks at a column as a whole."""
    return _plain(call.function) in COLUMN_FUNCTIONS


class _Evaluation:
    """Walk the tree of one expression."""

    def __init__(self, columns: Columns, totals: CallTotals, where: str) -> None:
        self.columns = columns
        self.totals = totals
        self.where = where

    def value(self, node: Node) -> Value:
        match node:
            case Constant(value):
                return _constant(value)
            case Name(name):
                if name not in self.columns and name in _CONSTANTS:
                    return _constant(_CONSTANTS[name])
                check_column(name, self.columns, self.where)
                return self.columns[name]
            case Call("cbind", args):
                return self._bound(args)
            case Call() if is_column_function(node):
                return self._column_value(node)
            case Call():
                return self._elementwise_value(node)

    def _column_value(self, call: Call) -> Value:
        function, totals = self._column_function(call), self.totals.get(call, ())
        if len(totals) < function.passes:
            raise TotalsMissing
        return self._guarded(call, lambda: function.value(totals))

    def _elementwise_value(self, call: Call) -> Value:
        function = ELEMENTWISE.get(_plain(call.function))
        if function is None:
            raise self._unknown(call)
        values, named = self._arguments(call, function)
        return self._guarded(call, lambda: function(*values, **named))

    def next_total(self, call: Call, is_distributed: bool) -> Any | None:
        function, totals = self._column_function(call), self.totals.get(call, ())
        if len(totals) >= self._guarded(call, lambda: function.passes):
            return None
        advice = self._guarded(call, lambda: function.advice_when_distributed) if is_distributed else ""
        if advice:
            raise RxArgumentError(
                f"{self.where}: {deparse(call)} takes the column as a whole, which lies in parts on the cluster; "
                f"{advice}"
            )
        return self._guarded(call, lambda: function.collect(totals))

    def _column_function(self, call: Call) -> ColumnFunction:
        function = COLUMN_FUNCTIONS[_plain(call.function)]
        values, named = self._arguments(call, function)
        return self._guarded(call, lambda: function(*values, **named))

    def _arguments(self, call: Call, function: Callable[..., Any]) -> tuple[list[Value], dict[str, Value]]:
        """Evaluate the arguments and match them to the parameters of a function."""
        parameters = inspect.signature(function).parameters.values()
        names = [one.name for one in parameters if one.kind is not one.VAR_POSITIONAL]
        takes_any = len(names) < len(parameters)
        values, named = [], {}
        for argument in call.args[:1] if call.function == "C" else call.args:  # the others of C() name contrasts
            value = self.value(argument.node)
            if argument.name is None:
                values.append(value)
            else:
                named[self._matched(call, argument.name, names)] = value
        positions = [name for name in names if name not in named]
        if len(values) > len(positions) and not takes_any:
            raise RxArgumentError(f"{self.where}: {deparse(call)} has too many arguments")
        if not takes_any:
            named |= dict(zip(positions, values, strict=False))
            values = []
        required = [one.name for one in parameters if one.default is one.empty and one.kind is not one.VAR_POSITIONAL]
        lacking = [name for name in required if name not in named]
        if len(lacking) > len(values):
            raise RxArgumentError(f"{self.where}: {deparse(call)} lacks its argument {lacking[len(values)]!r}")
        return values, named

    def _matched(self, call: Call, name: str, names: list[str]) -> str:
        """Find the parameter that a name means, which may be cut short as in R."""
        wanted = name.replace(".", "_") + ("_" if name == "from" else "")
        found = [one for one in names if one == wanted] or [one for one in names if one.startswith(wanted)]
        if len(found) != 1:
            known = ", ".join(one.rstrip("_").replace("_", ".") for one in names)
            raise RxArgumentError(f"{self.where}: {deparse(call)} has no argument {name!r}; there are {known}")
        return found[0]

    def _guarded(self, call: Call, compute: Callable[[], T]) -> T:
        """Compute something for a call, and name the place in errors."""
        try:
            return compute()
        except RxArgumentError as error:
            raise RxArgumentError(f"{self.where}: {deparse(call)!r}: {error}") from None
        except UnseenLevels as error:
            raise error.named(self.where, deparse(call)) from None
        except ValueError as error:  # NumPy's, of lengths that differ
            raise RxArgumentError(f"{self.where}: {deparse(call)!r}: {error}") from None

    def _bound(self, args: tuple[Argument, ...]) -> Matrix:
        """Evaluate cbind, whose columns have the names of the columns that it binds."""
        names = [arg.name or (arg.node.name if isinstance(arg.node, Name) else "") for arg in args]
        parts = np.broadcast_arrays(*(as_numbers(self.value(arg.node), f"{self.where}: cbind") for arg in args))
        return Matrix(np.stack(parts, axis=1), tuple(names))

    def _unknown(self, call: Call) -> RxArgumentError:
        known = [name for name in (*COLUMN_FUNCTIONS, *ELEMENTWISE, "cbind") if name[0].isalpha()]
        guess = closest(call.function, known)
        hint = _ADVICE.get(_plain(call.function)) or (
            f"did you mean {guess!r}?" if guess else f"there are {', '.join(sorted(known))}"
        )
        return RxArgumentError(
            f"{self.where}: {deparse(call)!r} calls {call.function!r}, which is not known here; {hint}"
        )


def _plain(function: str) -> str:
    """Remove the name of the package from that of a function."""
    return function.rpartition("::")[2].removeprefix("np.")


def _constant(value: float | str | bool | None) -> Value:
    if value is None or isinstance(value, bool):
        return None if value is None else pd.array([value], dtype="boolean")
    return np.array([value], dtype=object if isinstance(value, str) else float)
