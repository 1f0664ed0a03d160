"""Expressions over columns, such as ``"log(income) > 3 & state == 'NY'"``, and their values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.data.sources import check_known
from rxspark.analysis.formula.functions.columns import COLUMN_FUNCTIONS
from rxspark.analysis.formula.functions.elementwise import ELEMENTWISE
from rxspark.analysis.formula.syntax import Argument, Call, Constant, Name, Node, deparse, names_in
from rxspark.analysis.formula.values import Columns, Matrix, UnseenLevels, Value, as_numbers
from rxspark.errors import RxArgumentError, closest

__all__ = ["Known", "Pending", "columns_of", "evaluate", "free_names", "grown", "is_whole"]

Known = Mapping[Call, tuple[Any, ...]]
"""What the functions of whole columns know of all rows, by call."""

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
    "~": "there is a formula within an expression",
}


class Pending(Exception):  # noqa: N818 - no error: all rows have to be asked first
    """A function of a whole column does not know enough of all rows yet."""


def free_names(node: Node, columns: Iterable[str]) -> list[str]:
    """The names in an expression that are columns, or should be."""
    known = set(columns)
    return [name for name in names_in(node) if name in known or name not in _CONSTANTS]


def columns_of(node: Node, columns: Iterable[str], where: str) -> list[str]:
    """The columns that an expression needs; RxArgumentError for one that is not there."""
    known = list(columns)
    found = free_names(node, known)
    for name in found:
        check_known(name, known, where)
    return found


def evaluate(node: Node, columns: Columns, known: Known, where: str) -> Value:
    """The value of an expression; Pending when a function in it has to know more of all rows.

    `where` names the argument in errors.
    """
    with np.errstate(all="ignore"):
        return _Evaluation(columns, known, where).value(node)


def grown(call: Call, columns: Columns, known: Known, where: str, spread: bool) -> Any | None:
    """What these rows add to the next thing that a call has to know of all rows; None when it knows enough.

    `spread` is whether there are other rows elsewhere.
    """
    with np.errstate(all="ignore"):
        return _Evaluation(columns, known, where).grown(call, spread)


def is_whole(call: Call) -> bool:
    """Whether it calls a function that looks at a column as a whole."""
    return _plain(call.function) in COLUMN_FUNCTIONS


class _Evaluation:
    """Walks the tree of one expression."""

    def __init__(self, columns: Columns, known: Known, where: str) -> None:
        self.columns = columns
        self.known = known
        self.where = where

    def value(self, node: Node) -> Value:
        match node:
            case Constant(value):
                return _constant(value)
            case Name(name):
                if name not in self.columns and name in _CONSTANTS:
                    return _constant(_CONSTANTS[name])
                check_known(name, self.columns, self.where)
                return self.columns[name]
            case Call("cbind", args):
                return self._bound(args)
            case Call():
                return self._called(node)

    def _called(self, call: Call) -> Value:
        name = _plain(call.function)
        if is_whole(call):
            function = COLUMN_FUNCTIONS[name]
            values, named = self._arguments(call, function.value, 1)
            totals = self.known.get(call, ())
            if len(totals) < self._told(call, function.passes, *values, **named):
                raise Pending
            return self._told(call, function.value, totals, *values, **named)
        if name not in ELEMENTWISE:
            raise self._unknown(call)
        values, named = self._arguments(call, ELEMENTWISE[name], 0)
        return self._told(call, ELEMENTWISE[name], *values, **named)

    def grown(self, call: Call, spread: bool) -> Any | None:
        function = COLUMN_FUNCTIONS[_plain(call.function)]
        values, named = self._arguments(call, function.value, 1)
        totals = self.known.get(call, ())
        if len(totals) >= self._told(call, function.passes, *values, **named):
            return None
        instead = self._told(call, function.sorted, *values, **named) if spread else ""
        if instead:
            raise RxArgumentError(
                f"{self.where}: {deparse(call)} takes the column as a whole, which lies in parts on the cluster; "
                f"{instead}"
            )
        return self._told(call, function.collect, totals, *values, **named)

    def _arguments(self, call: Call, of: Callable[..., Any], first: int) -> tuple[list[Value], dict[str, Value]]:
        """The values of the arguments, those that have names by the names of the function's own."""
        names, anything = _parameters(of)
        values, named = [], {}
        for argument in call.args[:1] if call.function == "C" else call.args:  # whose others name contrasts
            value = self.value(argument.node)
            if argument.name is None:
                values.append(value)
            else:
                named[self._matched(call, argument.name, names[first:])] = value
        places = [name for name in names[first:] if name not in named]
        if len(values) > len(places) and not anything:
            raise RxArgumentError(f"{self.where}: {deparse(call)} has too many arguments")
        if not anything:
            named |= dict(zip(places, values, strict=False))
            values = []
        lacking = [name for name in _required(of)[first:] if name not in named]
        if len(lacking) > len(values):
            raise RxArgumentError(f"{self.where}: {deparse(call)} lacks its argument {lacking[len(values)]!r}")
        return values, named

    def _matched(self, call: Call, name: str, names: list[str]) -> str:
        """The name of a parameter, which may be cut short as in R."""
        wanted = name.replace(".", "_") + ("_" if name == "from" else "")
        found = [one for one in names if one == wanted] or [one for one in names if one.startswith(wanted)]
        if len(found) != 1:
            told = ", ".join(one.rstrip("_").replace("_", ".") for one in names)
            raise RxArgumentError(f"{self.where}: {deparse(call)} has no argument {name!r}; there are {told}")
        return found[0]

    def _told(self, call: Call, of: Callable[..., Any], *values: Any, **named: Any) -> Any:
        """What a function gives; its errors with the place."""
        try:
            return of(*values, **named)
        except RxArgumentError as error:
            raise RxArgumentError(f"{self.where}: {deparse(call)!r}: {error}") from None
        except UnseenLevels as error:
            raise error.named(self.where, deparse(call)) from None
        except ValueError as error:  # NumPy's, of lengths that differ
            raise RxArgumentError(f"{self.where}: {deparse(call)!r}: {error}") from None

    def _bound(self, args: tuple[Argument, ...]) -> Matrix:
        """cbind, whose columns have the names of the columns that it binds."""
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
    """The name of a function without that of its package."""
    return function.rpartition("::")[2].removeprefix("np.")


def _constant(value: float | str | bool | None) -> Value:
    if value is None or isinstance(value, bool):
        return None if value is None else pd.array([value], dtype="boolean")
    return np.array([value], dtype=object if isinstance(value, str) else float)


@cache
def _parameters(of: Callable[..., Any]) -> tuple[list[str], bool]:
    """The names of a function's parameters, and whether it takes more of them by place."""
    found = inspect.signature(of).parameters.values()
    return [one.name for one in found if one.kind is not one.VAR_POSITIONAL], any(
        one.kind is one.VAR_POSITIONAL for one in found
    )


@cache
def _required(of: Callable[..., Any]) -> list[str]:
    return [
        one.name
        for one in inspect.signature(of).parameters.values()
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
    ]
