"""Expressions over columns, such as ``"log(income) > 3 & state == 'NY'"``: the same text for pandas and for Spark."""

from __future__ import annotations

import ast
import io
import operator
import re
import tokenize
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rxspark.errors import RxArgumentError, closest

__all__ = ["backquoted", "check_known", "evaluate", "names_in"]

_QUOTE = "_quoted_"
_WORDS = {"&": " and ", "|": " or ", "~": " not ", "^": "**"}
_CONSTANTS = {"TRUE": True, "FALSE": False, "pi": 3.141592653589793}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda column, values: column.isin(values),
    ast.NotIn: lambda column, values: ~column.isin(values),
}


def evaluate(text: str, columns: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], where: str) -> Any:
    """The value of an expression: a pandas Series or a Spark Column, as `columns` and `functions` are.

    ``and``, ``or``, ``not`` and ``&``, ``|``, ``~`` mean the same and bind less than comparisons, ``^`` is a power:
    so an expression that stands in R code means here what it means there. `where` names the argument in errors.

    >>> import numpy as np, pandas as pd
    >>> frame = pd.DataFrame({"x": [1.0, 4.0, 9.0], "g": ["a", "b", "b"]})
    >>> evaluate("sqrt(x) > 1 & g == 'b'", frame, {"sqrt": np.sqrt}, "rowSelection").tolist()
    [False, True, True]
    """
    return _Evaluation(text, columns, functions, where).value(_parsed(text, where))


def names_in(text: str, where: str) -> list[str]:
    """The columns that an expression names, in the order in which they come."""
    nodes = list(ast.walk(_parsed(text, where)))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = [_unquoted(node.id) for node in nodes if isinstance(node, ast.Name) and id(node) not in called]
    return [name for name in dict.fromkeys(names) if name not in ("np", *_CONSTANTS)]


def check_known(name: str, columns: Any, where: str) -> None:
    """RxArgumentError for a column that is not there, with those that are near."""
    known = [str(column) for column in columns]
    if name not in known:
        guess = closest(name, known)
        hint = (
            f"did you mean {guess!r}?"
            if guess
            else f"the columns are {', '.join(known[:20])}"
            + (f" and {len(known) - 20} more" if len(known) > 20 else "")
        )
        raise RxArgumentError(f"{where}: there is no column {name!r}; {hint}")


def backquoted(text: str, columns: Iterable[str]) -> str:
    """The text with backquotes around names of columns that have a dot in them, which R takes as they are.

    >>> backquoted("log(Sepal.Length)", ["Sepal.Length", "Species"])
    'log(`Sepal.Length`)'
    """
    for name in columns:
        if "." in name:
            text = re.sub(rf"(?<![\w.`]){re.escape(name)}(?![\w.`(])", f"`{name}`", text)
    return text


def _quoted(name: str) -> str:
    return _QUOTE + name.encode().hex()


def _unquoted(name: str) -> str:
    return bytes.fromhex(name.removeprefix(_QUOTE)).decode() if name.startswith(_QUOTE) else name


def _parsed(text: str, where: str) -> ast.expr:
    """The tree of an expression; names in backquotes, which Python does not know, stand in it as identifiers."""
    try:
        text = re.sub("`([^`]+)`", lambda found: _quoted(found.group(1)), text)
        tokens = [
            (token.type, _WORDS.get(token.string, token.string))
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
        ]
        return ast.parse(tokenize.untokenize(tokens).strip(), mode="eval").body
    except (SyntaxError, tokenize.TokenError, AttributeError, TypeError) as error:
        raise RxArgumentError(f"{where}: {text!r} is not an expression over columns ({error})") from None


class _Evaluation:
    """Walks the tree of one expression."""

    def __init__(self, text: str, columns: Mapping[str, Any], functions: Mapping[str, Any], where: str) -> None:
        self.text = text
        self.columns = columns
        self.functions = functions
        self.where = where

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return _CONSTANTS[name] if name in _CONSTANTS else self._column(_unquoted(name))
            case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](self.value(left), self.value(right))
            case ast.UnaryOp(ast.USub(), operand):
                return -self.value(operand)
            case ast.UnaryOp(ast.Not(), operand):
                return ~self.value(operand)
            case ast.BoolOp(op, values):
                return self._both(op, [self.value(value) for value in values])
            case ast.Compare(left, ops, others):
                return self._compared(left, ops, others)
            case ast.List(items) | ast.Tuple(items):
                return [self.value(item) for item in items]
            case ast.Call(function, arguments, []):
                return self._function(function)(*(self.value(argument) for argument in arguments))
        raise RxArgumentError(
            f"{self.where}: {self.text!r} has {ast.unparse(node)!r}, which is no operation on columns"
        )

    def _column(self, name: str) -> Any:
        check_known(name, self.columns.keys(), self.where)
        return self.columns[name]

    def _both(self, op: ast.boolop, values: list[Any]) -> Any:
        total = values[0]
        for value in values[1:]:
            total = total & value if isinstance(op, ast.And) else total | value
        return total

    def _compared(self, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr]) -> Any:
        sides = [self.value(side) for side in (left, *others)]
        pairs = zip(ops, sides, sides[1:], strict=False)
        return self._both(ast.And(), [_COMPARISONS[type(op)](one, other) for op, one, other in pairs])

    def _function(self, node: ast.expr) -> Callable[..., Any]:
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", ast.unparse(node))
        if name not in self.functions:
            guess = closest(name, self.functions)
            hint = f"did you mean {guess!r}?" if guess else f"there are {', '.join(sorted(self.functions))}"
            raise RxArgumentError(f"{self.where}: {self.text!r} calls {name!r}, which is not known here; {hint}")
        found: Callable[..., Any] = self.functions[name]
        return found
