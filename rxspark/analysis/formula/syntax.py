"""R's expressions: parse text into trees, and write trees as the text by which R names a column.

Everything that is no constant and no name is a call, operators too, as in R: ``a + b`` is ``Call("+", (a, b))``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from rxspark.errors import RxArgumentError

__all__ = [
    "Argument",
    "Call",
    "Constant",
    "Name",
    "Node",
    "calls_in",
    "deparse",
    "names_in",
    "number_text",
    "parse_expression",
]


@dataclass(frozen=True)
class Constant:
    """A number, text or truth value; None is NULL, NaN is NA."""

    value: float | str | bool | None


@dataclass(frozen=True)
class Name:
    """A column, or a constant that R knows by name."""

    name: str


@dataclass(frozen=True)
class Argument:
    """An argument of a call, by name or by position."""

    node: Node
    name: str | None = None


@dataclass(frozen=True)
class Call:
    """A function or an operator with its arguments."""

    function: str
    args: tuple[Argument, ...]


Node: TypeAlias = Constant | Name | Call

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>0[xX][0-9a-fA-F]+L?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?L?)
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<name>`[^`]+`|(?:[^\W\d]|\.(?!\d)|_)[\w.]*(?:::[\w.]+)?)
    | (?P<operator>%[^%\s]*%|\*\*|<=|>=|==|!=|&&|\|\||[-+*/^:~<>!&|()\[\],=])
    )""",
    re.VERBOSE,
)
_RESERVED: dict[str, float | bool | None] = {
    "TRUE": True,
    "FALSE": False,
    "True": True,
    "False": False,
    "NULL": None,
    "NA": float("nan"),
    "NaN": float("nan"),
    "Inf": float("inf"),
}
_SPELLINGS = {"**": "^", "&&": "&", "||": "|", "and": "&", "or": "|", "not": "!", "in": "%in%"}
"""R's operators for Python's words, and for R's operators of single values."""
_COMPARISONS = ("<", ">", "<=", ">=", "==", "!=")
_NOT, _SIGN, _POWER = 4, 10, 11
_BINDING = {"~": 1, "|": 2, "&": 3, "+": 6, "-": 6, "*": 7, "/": 7, ":": 9, "^": _POWER}
_BINDING |= dict.fromkeys(_COMPARISONS, 5)
_SPECIAL = 8  # %in%, %%, %/%


def parse_expression(text: str, where: str, formula: bool = False) -> Node:
    """Parse an expression over columns, or a formula, as R does; `where` names the argument in errors.

    ``and``, ``or``, ``not``, ``in``, ``**``, ``[1, 2]`` and ``1 < x < 3`` are understood as in Python.
    """
    return _Parser(text, where, formula).whole()


def names_in(node: Node) -> list[str]:
    """List the names in an expression that are not functions, in their order."""
    match node:
        case Name(name):
            return [name]
        case Call(function, args):
            # The other arguments of C() name contrasts.
            values = args[:1] if function == "C" else args
            return list(dict.fromkeys(name for arg in values for name in names_in(arg.node)))
    return []


def calls_in(node: Node) -> Iterator[Call]:
    """Walk the calls in an expression, those within arguments first."""
    if isinstance(node, Call):
        for arg in node.args:
            yield from calls_in(arg.node)
        yield node


def deparse(node: Node) -> str:
    """Write an expression as R does where it names columns.

    >>> deparse(parse_expression("I( 1 / wt )+log(x,base= 2)*100000", "formula"))
    'I(1/wt) + log(x, base = 2) * 1e+05'
    """
    match node:
        case Constant(value):
            return _constant_text(value)
        case Name(name):
            return name if _syntactic(name) else f"`{name}`"
        case Call("(", (one,)):
            return f"({deparse(one.node)})"
        case Call("[", (matrix, column)):
            return f"{deparse(matrix.node)}[, {deparse(column.node)}]"
        case Call(function, (one,)) if function in ("-", "+", "!", "~"):
            return f"{function}{deparse(one.node)}"
        case Call(function, (left, right)) if function in _BINDING or function.startswith("%"):
            gap = "" if function in ("^", ":", "/", "%%", "%/%") else " "
            return f"{deparse(left.node)}{gap}{function}{gap}{deparse(right.node)}"
        case Call(function, args):
            arguments = [f"{arg.name} = {deparse(arg.node)}" if arg.name else deparse(arg.node) for arg in args]
            return f"{function}({', '.join(arguments)})"


def number_text(value: float) -> str:
    """Write a number as R does: up to 15 digits, in powers of ten where that is shorter.

    >>> [number_text(value) for value in (0.5, 100000.0, 123456.0, 0.0001, 1 / 3, float("inf"))]
    ['0.5', '1e+05', '123456', '1e-04', '0.333333333333333', 'Inf']
    """
    if value != value or value in (float("inf"), -float("inf")):
        return "NaN" if value != value else "Inf" if value > 0 else "-Inf"
    digits = next(
        digits for digits in range(15) if digits == 14 or float(f"{value:.{digits}e}") == float(f"{value:.14e}")
    )
    power = f"{value:.{digits}e}"
    plain = f"{value:.{max(digits - int(power.partition('e')[2]), 0)}f}"
    return plain if len(plain) <= len(power) else power


def _constant_text(value: float | str | bool | None) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'"{escaped}"'
    if value is None or isinstance(value, bool):
        return "NULL" if value is None else str(value).upper()
    return "NA" if value != value else number_text(value)


def _syntactic(name: str) -> bool:
    found = _TOKEN.fullmatch(name)
    return found is not None and found.lastgroup == "name" and name[0] not in "`_" and name not in _RESERVED


class _Parser:
    """A recursive-descent parser of one text, by the precedence of operators."""

    def __init__(self, text: str, where: str, formula: bool) -> None:
        self.text = text
        self.where = where
        self.formula = formula
        self.tokens = list(self._read())
        self.at = 0

    def _read(self) -> Iterator[tuple[str, str]]:
        at = 0
        while self.text[at:].strip():
            found = _TOKEN.match(self.text, at)
            if found is None:
                alone = "; columns are named alone" if self.text[at:].strip()[0] in "$@" else ""
                raise self._error(f"{self.text[at:].strip()!r} cannot stand there{alone}")
            kind = str(found.lastgroup)
            value = found.group(kind)
            at = found.end()
            if value in _SPELLINGS:
                kind, value = "operator", _SPELLINGS[value]
            yield kind, value

    def _error(self, why: str) -> RxArgumentError:
        shown = "" if repr(self.text) in self.where else f"{self.text!r} is not an expression over columns: "
        return RxArgumentError(f"{self.where}: {shown}{why}")

    @property
    def next(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.next
        self.at += 1
        return token

    def whole(self) -> Node:
        node = self.expression(0)
        if self.next[0] != "end":
            raise self._error(f"{self.next[1]!r} cannot stand there{self._hint()}")
        return node

    def _hint(self) -> str:
        if self.next[1] == "[":
            return "; columns are taken whole, and rows chosen by rowSelection"
        if ("name", "if") in self.tokens:
            return "; use ifelse(test, yes, no)"
        if self.next[1] == "=":
            return "; write == to compare"
        return ""

    def expression(self, least: int) -> Node:
        """Parse an expression whose operators have at least the given precedence."""
        left = self.operand()
        compared: Node | None = None
        while True:
            kind, operator = self.next
            if (kind, operator) == ("operator", "!") and self.tokens[self.at + 1 : self.at + 2] == [
                ("operator", "%in%")
            ]:
                self.at += 1  # "not in"
                left = Call("!", (Argument(self._binary(left, "%in%", _SPECIAL)),))
                continue
            binding = _SPECIAL if operator.startswith("%") else _BINDING.get(operator, -1)
            if kind != "operator" or binding < least:
                return left
            if operator in _COMPARISONS and compared is not None:  # 1 < x < 3
                more = self._binary(compared, operator, binding)
                assert isinstance(more, Call)
                left, compared = Call("&", (Argument(left), Argument(more))), more.args[1].node
                continue
            left = self._binary(left, operator, binding)
            assert isinstance(left, Call)
            compared = left.args[1].node if operator in _COMPARISONS else None

    def _binary(self, left: Node, operator: str, binding: int) -> Node:
        self.take()
        right = self.expression(binding if operator == "^" else binding + 1)
        return Call(operator, (Argument(left), Argument(right)))

    def operand(self) -> Node:
        """Parse an operand, perhaps a column of a matrix as in scale(x)[, 1]."""
        node = self._alone()
        while self.next == ("operator", "[") and self.tokens[self.at + 1 : self.at + 2] == [("operator", ",")]:
            self.at += 2
            node = Call("[", (Argument(node), Argument(self.expression(0))))
            self._close("]")
        return node

    def _alone(self) -> Node:
        kind, value = self.take()
        if kind == "number":
            return Constant(
                float(int(value.rstrip("L"), 16)) if value[:2] in ("0x", "0X") else float(value.rstrip("L"))
            )
        if kind == "text":
            return Constant(str(ast.literal_eval(value)))
        if kind == "name":
            return self._name(value)
        if value == "(":
            inner = self.expression(0)
            self._close(")")
            return Call("(", (Argument(inner),))
        if value == "[":
            return Call("c", self._arguments("]"))
        if value in ("-", "+", "!", "~"):
            if value == "~" and not self.formula:
                value = "!"  # as in pandas
            binding = {"!": _NOT, "~": _BINDING["~"] + 1}.get(value, _SIGN)
            return Call(value, (Argument(self.expression(binding)),))
        if kind == "end":
            sides = '; a formula of two sides is "y ~ x"' if self.formula else ""
            raise self._error(f"it ends too early{sides}")
        raise self._error(f"{value!r} cannot stand there")

    def _name(self, value: str) -> Node:
        if value.startswith("`"):
            return Name(value[1:-1])
        if self.next == ("operator", "("):
            self.take()
            return Call(value, self._arguments(")"))
        return Constant(_RESERVED[value]) if value in _RESERVED else Name(value)

    def _arguments(self, end: str) -> tuple[Argument, ...]:
        found: list[Argument] = []
        while self.next != ("operator", end):
            name = None
            if self.next[0] in ("name", "text") and self.tokens[self.at + 1 : self.at + 2] == [("operator", "=")]:
                name = self.take()[1].strip("`'\"")
                self.take()
            found.append(Argument(self.expression(0), name))
            if self.next != ("operator", ","):
                break
            self.take()
        self._close(end)
        return tuple(found)

    def _close(self, end: str) -> None:
        kind, value = self.next
        if value != end:
            raise self._error(f"{end!r} is missing" if kind == "end" else f"{value!r} cannot stand there{self._hint()}")
        self.take()
