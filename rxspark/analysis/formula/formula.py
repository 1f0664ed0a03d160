"""R's model formulas, such as ``"y ~ a * b + offset(log(n))"``, parsed and expanded into terms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from rxspark.analysis.formula.expressions import columns_of
from rxspark.analysis.formula.syntax import Call, Node, deparse, parse_expression
from rxspark.analysis.formula.terms import Terms, expand_terms
from rxspark.errors import RxArgumentError

__all__ = ["Formula", "parse_formula"]


@dataclass(frozen=True)
class Formula:
    """A formula: its response and its terms."""

    text: str
    response: Node | None
    """The left side; None for a one-sided formula."""
    terms: Terms
    columns: tuple[str, ...]
    """The columns that it needs; those of the response first."""

    @property
    def where(self) -> str:
        """The name of the argument in errors."""
        return f"formula={self.text!r}"

    @property
    def response_label(self) -> str | None:
        """The response as R writes it; None for a one-sided formula."""
        return None if self.response is None else deparse(self.response)


def parse_formula(text: Any, columns: Iterable[Any], one_sided: bool = False) -> Formula:
    """Parse a formula over the given columns.

    Parameters
    ----------
    text : str
        R's formula.
    columns : iterable of names
        The columns that there are; ``.`` in the formula stands for all that the response does not use.
    one_sided : bool, default False
        Whether it lists columns, as ``"~ x1 + x2"`` does; it then has neither intercept nor offset.

    Raises
    ------
    RxArgumentError
        When the text is not such a formula, or names a column that is not there.

    Examples
    --------
    >>> formula = parse_formula("log(y) ~ a + offset(n)", ["y", "a", "n"])
    >>> formula.response_label, formula.columns
    ('log(y)', ('y', 'a', 'n'))
    """
    if not isinstance(text, str):
        raise RxArgumentError(f'formula={text!r}: a formula is text, such as "y ~ x1 + x2"')
    known, where = [str(column) for column in columns], f"formula={text!r}"
    tree = parse_expression(text, where, formula=True)
    sides = [arg.node for arg in tree.args] if isinstance(tree, Call) and tree.function == "~" else []
    if len(sides) != (1 if one_sided else 2):
        wanted = '"~ x1 + x2"' if one_sided else '"y ~ x1 + x2", with one response'
        raise RxArgumentError(f"{where}: a formula must be of the form {wanted}")
    response = None if one_sided else sides[0]
    if response is not None and not columns_of(response, known, where):
        raise RxArgumentError(
            f"{where}: the response {deparse(response)!r} names no column; a name that is a number is `0`"
        )
    terms = expand_terms(sides[-1], response, known, where)
    if one_sided:
        terms = replace(terms, intercept=False, offsets=())
    nodes: list[Node] = [*([] if response is None else [response]), *terms.variables, *terms.offsets]
    needed = dict.fromkeys(name for node in nodes for name in columns_of(node, known, where))
    return Formula(text, response, terms, tuple(needed))
