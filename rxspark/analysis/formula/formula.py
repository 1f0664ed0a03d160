"""R's formulas, taken apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from rxspark.analysis.formula.expressions import columns_of
from rxspark.analysis.formula.syntax import Call, Node, deparse, parsed
from rxspark.analysis.formula.terms import Terms, expanded
from rxspark.errors import RxArgumentError

__all__ = ["Formula", "parse"]


@dataclass(frozen=True)
class Formula:
    """A formula, taken apart."""

    text: str
    left: Node | None
    """The response; None for a one-sided formula."""
    terms: Terms
    variables: tuple[str, ...]
    """The columns that it needs; those of the response first."""

    @property
    def where(self) -> str:
        """How errors name it."""
        return f"formula={self.text!r}"

    @property
    def left_side(self) -> list[Node]:
        """The response, if there is one."""
        return [] if self.left is None else [self.left]

    @property
    def response(self) -> str | None:
        """The response as R writes it."""
        return None if self.left is None else deparse(self.left)


def parse(text: Any, columns: Iterable[Any], one_sided: bool = False) -> Formula:
    """Take a formula apart; RxArgumentError when it is not one, or names columns that are not there.

    A one-sided formula lists columns: it has neither intercept nor offset.
    """
    if not isinstance(text, str):
        raise RxArgumentError(f'formula={text!r}: a formula is text, such as "y ~ x1 + x2"')
    known, where = [str(column) for column in columns], f"formula={text!r}"
    tree = parsed(text, where, formula=True)
    sides = [arg.node for arg in tree.args] if isinstance(tree, Call) and tree.function == "~" else []
    if len(sides) != (1 if one_sided else 2):
        wanted = '"~ x1 + x2"' if one_sided else '"y ~ x1 + x2", with one response'
        raise RxArgumentError(f"{where}: a formula must be of the form {wanted}")
    left = None if one_sided else sides[0]
    if left is not None and not columns_of(left, known, where):
        raise RxArgumentError(
            f"{where}: the response {deparse(left)!r} names no column; a name that is a number is `0`"
        )
    terms = expanded(sides[-1], left, known, where)
    if one_sided:
        terms = replace(terms, intercept=False, offsets=())
    nodes: list[Node] = [*([] if left is None else [left]), *terms.variables, *terms.offsets]
    variables = dict.fromkeys(name for node in nodes for name in columns_of(node, known, where))
    return Formula(text, left, terms, tuple(variables))
