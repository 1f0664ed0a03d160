"""The terms that R's formula operators make, and the coding of their factors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rxspark.analysis.formula.syntax import Call, Constant, Name, Node, deparse, names_in
from rxspark.errors import RxArgumentError

__all__ = ["Term", "Terms", "expand_terms"]

Term = frozenset[int]
"""A term: the numbers of the variables that it multiplies."""


@dataclass(frozen=True)
class Terms:
    """The right side of a formula: variables, terms, intercept, offsets."""

    variables: tuple[Node, ...]
    """Expressions, each once, in their order; those of terms that were removed too: rows that lack them are left out,
    as in R."""
    terms: tuple[Term, ...]
    """Main effects first, then interactions of two, and so on."""
    intercept: bool
    offsets: tuple[Node, ...]

    def uses_contrasts(self, term: Term, variable: int) -> bool:
        """Decide whether a factor in a term is coded by contrasts, or by an indicator of each level.

        It is by contrasts if an earlier term contains the term without the factor, as in R.
        """
        rest = term - {variable}
        return not rest or any(rest <= before for before in self.terms[: self.terms.index(term)])


def expand_terms(right: Node, response: Node | None, columns: Iterable[str], where: str) -> Terms:
    """Expand the right side of a formula; ``.`` stands for all columns but those of the response."""
    reader = _Reader(response, list(columns), where)
    found = reader.terms(right)
    offsets = {number for number, one in enumerate(reader.variables) if _is_offset(one)}
    kept = [term for term in found if not term & offsets and reader.response not in term]
    used = [number for number in range(len(reader.variables)) if number != reader.response and number not in offsets]
    terms = [frozenset(map(used.index, term)) for term in sorted(kept, key=len)]
    return Terms(
        tuple(reader.variables[number] for number in used),
        tuple(terms),
        reader.intercept,
        tuple(call.args[0].node for call in reader.variables if isinstance(call, Call) and _is_offset(call)),
    )


def _is_offset(node: Node) -> bool:
    return isinstance(node, Call) and node.function == "offset" and len(node.args) == 1


class _Reader:
    """Expand one formula; variables are numbered as they come."""

    def __init__(self, response: Node | None, columns: list[str], where: str) -> None:
        self.columns = columns
        self.where = where
        self.intercept = True
        self.variables: list[Node] = []
        self.labels: dict[str, int] = {}
        self.response = -1 if response is None else self.variable(response)

    def variable(self, node: Node) -> int:
        label = deparse(node)
        if label not in self.labels:
            self.labels[label] = len(self.variables)
            self.variables.append(node)
        return self.labels[label]

    def terms(self, node: Node) -> list[Term]:
        """Expand an expression into its terms, each once."""
        match node:
            case Call("(", (one,)) | Call("+", (one,)):
                return self.terms(one.node)
            case Call("+", (left, right)):
                return _unique(self.terms(left.node) + self.terms(right.node))
            case Call("-", args):
                return self._without(*(arg.node for arg in args))
            case Call(":", (left, right)):
                return _crossed(self.terms(left.node), self.terms(right.node))
            case Call("*", (left, right)):
                main = self.terms(left.node), self.terms(right.node)
                return _unique([*main[0], *main[1], *_crossed(*main)])
            case Call("/", (left, right)):
                outer, inner = self.terms(left.node), self.terms(right.node)
                return _unique(outer + [frozenset().union(*outer) | term for term in inner])
            case Call("%in%", (left, right)):
                return self._within(node, left.node, right.node)
            case Call("^", (base, power)):
                return self._power(node, base.node, power.node)
            case Constant():
                return self._constant(node, add=True)
            case Name("."):
                in_response = names_in(self.variables[self.response]) if self.response >= 0 else []
                return [
                    frozenset({self.variable(Name(column))}) for column in self.columns if column not in in_response
                ]
        return [frozenset({self.variable(node)})]

    def _constant(self, node: Constant, add: bool) -> list[Term]:
        if node.value not in (0, 1) or isinstance(node.value, bool):
            raise RxArgumentError(
                f"{self.where}: {deparse(node)} is no term; a formula has 0 or 1, without and with the intercept"
            )
        self.intercept = (node.value == 1) == add
        return []

    def _without(self, *parts: Node) -> list[Term]:
        """Remove the terms of the last part from those of the first."""
        kept = self.terms(parts[0]) if len(parts) == 2 else []
        gone = parts[-1]
        while isinstance(gone, Call) and gone.function == "(":
            gone = gone.args[0].node
        if isinstance(gone, Constant):
            return kept + self._constant(gone, add=False)
        before = self.intercept
        drop = self.terms(gone)
        self.intercept = before
        return [term for term in kept if term not in drop]

    def _within(self, node: Node, left: Node, right: Node) -> list[Term]:
        if isinstance(right, (Constant, Call)) and getattr(right, "function", "c") == "c":
            raise RxArgumentError(f"{self.where}: in a formula %in% nests terms; write I({deparse(node)})")
        inner, around = self.terms(left), self.terms(right)
        return _unique([term.union(*around) for term in inner])

    def _power(self, node: Node, base: Node, power: Node) -> list[Term]:
        value = power.value if isinstance(power, Constant) else None
        if not isinstance(value, float) or value != int(value) or value < 1:
            raise RxArgumentError(
                f"{self.where}: {deparse(node)}: a power of terms is a whole number; use I(x^2) of numbers"
            )
        found = once = self.terms(base)
        for _ in range(int(value) - 1):
            found = _unique(found + _crossed(found, once))
        return found


def _unique(terms: list[Term]) -> list[Term]:
    return list(dict.fromkeys(terms))


def _crossed(left: list[Term], right: list[Term]) -> list[Term]:
    return _unique([one | two for one in left for two in right])
