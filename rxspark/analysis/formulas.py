"""R's formulas by way of formulaic, and R's names for what comes of them: the only file that names formulaic."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import formulaic
import numpy as np
import pandas as pd
from formulaic import SimpleFormula
from formulaic.errors import DataMismatchWarning, FormulaicError
from formulaic.parser.types import Factor, Term

from rxspark.analysis.expressions import backquoted, check_known, names_in
from rxspark.analysis.frames import FUNCTIONS, value_of
from rxspark.errors import RxArgumentError

__all__ = [
    "Formula",
    "Matrices",
    "complete",
    "design",
    "gaps_in",
    "gaps_told",
    "levels_of",
    "matrices_of",
    "new_design",
    "parse",
    "predictors",
    "prepared",
    "r_name",
    "refuse_infinite",
]

_OFFSET = re.compile(r"offset\((.*)\)")


@dataclass(frozen=True)
class Formula:
    """A formula, taken apart."""

    text: str
    response: str | None
    """The expression on its left, None for a one-sided formula."""
    right: Any
    """What is on its right, but for the offsets, as formulaic has it."""
    offsets: tuple[str, ...]
    variables: tuple[str, ...]
    """The columns that it needs; those of the response first."""


@dataclass(frozen=True)
class Matrices:
    """What a formula makes of a table; rows with missing values are out."""

    y: pd.Series | None
    x: Any
    names: tuple[str, ...]
    """The columns of x as R names them."""
    offset: Any | None
    table: pd.DataFrame
    """The rows that are left, of the columns that were used."""
    missing: int
    """How many rows were left out."""
    spec: Any
    """How formulaic makes x from other data; pickles, and is small."""


def parse(text: Any, columns: Iterable[Any], one_sided: bool = False) -> Formula:
    """Take a formula apart; RxArgumentError when it is not one, or names columns that are not there.

    A one-sided formula lists columns: it has neither intercept nor offset.
    """
    if not isinstance(text, str):
        raise RxArgumentError(f'formula={text!r}: a formula is text, such as "y ~ x1 + x2"')
    known = [str(column) for column in columns]
    try:
        spec = _as_python(text, known)
        found = formulaic.Formula.from_spec(spec, context={"__formulaic_variables_available__": known})
    except (FormulaicError, SyntaxError) as error:
        # Only the first line: the others point at a place by terminal colours.
        raise RxArgumentError(f"formula={text!r}: {str(error).splitlines()[0]}") from None
    left, right = getattr(found, "lhs", None), getattr(found, "rhs", found)
    if (left is None) != one_sided or not isinstance(right, SimpleFormula) or (left is not None and len(left) != 1):
        wanted = '"~ x1 + x2"' if one_sided else '"y ~ x1 + x2", with one response'
        raise RxArgumentError(f"formula={text!r}: a formula must be of the form {wanted}")
    response = None if left is None else str(next(iter(left)))
    offsets = [] if one_sided else [str(term) for term in right if _OFFSET.fullmatch(str(term))]
    gone = ["1"] if one_sided else offsets
    kept = SimpleFormula([term for term in right if str(term) not in gone])
    factors = [factor.expr for term in kept for factor in term.factors if factor.expr != "1"]
    inner = tuple(_OFFSET.sub(r"\1", offset) for offset in offsets)
    variables = _variables([*filter(None, [response]), *factors, *inner], known, f"formula={text!r}")
    return Formula(text, response, kept, inner, variables)


def _as_python(text: str, columns: list[str]) -> str:
    """R's spellings in formulaic's: powers within calls, as.factor, and names that have a dot in them."""
    text = re.sub(r"\bas\.factor\(", "factor(", text)
    text = backquoted(text, columns)
    depth, out = 0, []
    for before, letter in zip(" " + text, text, strict=False):
        if letter == "(":
            depth += bool(depth or re.match(r"[\w.]", before))  # of a call, or within one
        elif letter == ")" and depth:
            depth -= 1
        out.append("**" if letter == "^" and depth else letter)
    return "".join(out)


def _variables(factors: list[str], columns: list[str], where: str) -> tuple[str, ...]:
    found = [name for factor in factors for name in factor_columns(factor, columns, where)]
    for name in found:
        check_known(name, columns, where)
    return tuple(dict.fromkeys(found))


def factor_columns(factor: str, columns: Iterable[str], where: str) -> list[str]:
    """The columns that one factor of a term needs: its own name, or those that its call names."""
    if factor in columns or factor.isidentifier():
        return [factor]
    return names_in(factor, where)


def design(formula: Formula, frame: pd.DataFrame, extra: Iterable[str] = ()) -> Matrices:
    """The response and the design matrix of a table, factors by R's contrasts.

    Rows that lack a value in a column that is used, or in one of `extra`, are left out and counted.
    """
    used = list(dict.fromkeys([*formula.variables, *extra]))
    table = complete(frame, used, f"formula={formula.text!r}")
    matrices = matrices_of(formula, table, _contrasted(formula.right, table), len(frame))
    if len(matrices.table) == 0:
        why = gaps_told(gaps_in(frame, used)) or "the data are empty"
        raise RxArgumentError(f"formula={formula.text!r}: no row is left of {len(frame)}; {why}")
    return matrices


def matrices_of(formula: Formula, table: pd.DataFrame, right: Any, rows: int) -> Matrices:
    """The response and the design matrix of a complete table, of which there were so many rows.

    `right` is the right side, or the spec that the matrix of other data had.
    """
    y, offset = _response(formula, table), _offset(formula, table)
    x = _matrix(right, table, formula.text)
    matrix = np.asarray(x, dtype=float)
    gaps = np.isnan(matrix).any(axis=1)  # where an expression, such as log(x), had none
    gaps |= False if y is None else y.isna().to_numpy()
    gaps |= False if offset is None else np.isnan(offset)
    if gaps.any():
        matrix, table, y = matrix[~gaps], table[~gaps], None if y is None else y[~gaps]
        offset = None if offset is None else offset[~gaps]
    names = tuple(r_name(name) for name in x.model_spec.column_names)
    return Matrices(y, matrix, names, offset, table, rows - len(table), x.model_spec)


def refuse_infinite(matrices: Matrices, formula: Formula) -> None:
    """RxArgumentError for a column in which a number is infinite, such as the logarithm of 0."""
    finite = np.isfinite(matrices.x).all(axis=0)
    if not finite.all():
        name = matrices.names[int(np.flatnonzero(~finite)[0])]
        raise RxArgumentError(f"formula={formula.text!r}: {name!r} has infinite values, such as the logarithm of 0")
    if matrices.offset is not None and not np.isfinite(matrices.offset).all():
        raise RxArgumentError(f"formula={formula.text!r}: the offset has infinite values, such as the logarithm of 0")


def _contrasted(right: Any, table: pd.DataFrame) -> Any:
    """The right side with R's contrasts for ordered factors: polynomials in the order of the levels."""
    ordered = {name for name in table if getattr(table[name].dtype, "ordered", False)}
    if not ordered:
        return right

    def contrasted(factor: Factor) -> Factor:
        name = factor.expr
        quoted = name if name.isidentifier() else f"`{name}`"
        return Factor(f"C({quoted}, contr.poly)", eval_method="python") if name in ordered else factor

    return SimpleFormula([Term([contrasted(factor) for factor in term.factors]) for term in right])


def complete(frame: pd.DataFrame, used: list[str], where: str) -> pd.DataFrame:
    """The rows without missing values, in plain types and with the levels that occur."""
    table = frame[used]
    for name in used:
        plain = _plain(table[name], where)
        if plain is not table[name]:
            table = table.assign(**{name: plain})
    table = table.dropna().reset_index(drop=True)
    unused = {
        name: table[name].cat.remove_unused_categories()
        for name in used
        if isinstance(table[name].dtype, pd.CategoricalDtype)
    }
    return table.assign(**unused) if unused else table


def _plain(column: pd.Series, where: str) -> pd.Series:
    """A column as floats, integers, text or categories; truth values are the factor FALSE, TRUE, as in R."""
    kind = column.dtype
    if pd.api.types.is_bool_dtype(kind):
        codes = column.astype("float").fillna(-1).astype("int8")
        return pd.Series(pd.Categorical.from_codes(codes, ["FALSE", "TRUE"]), index=column.index)
    if isinstance(kind, pd.CategoricalDtype) or (isinstance(kind, np.dtype) and kind.kind in "fiu"):
        return column
    if pd.api.types.is_numeric_dtype(kind) and kind.kind in "fiu":
        return column.astype(float)  # the kinds of pandas and Arrow that know missing values of their own
    if pd.api.types.is_string_dtype(column) or kind.kind == "O":
        return column.astype(object)
    raise RxArgumentError(f"{where}: column {column.name!r} is of type {kind}; use a number, or text as a factor")


def gaps_in(frame: pd.DataFrame, used: list[str]) -> dict[str, int]:
    """How many values each column lacks."""
    return {name: int(frame[name].isna().sum()) for name in used}


def gaps_told(gaps: dict[str, int]) -> str:
    """Which columns lack how many values, in words."""
    return ", ".join(f"{name!r} lacks {count} values" for name, count in gaps.items() if count)


def _response(formula: Formula, table: pd.DataFrame) -> pd.Series | None:
    if formula.response is None:
        return None
    return pd.Series(value_of(formula.response, table, f"formula={formula.text!r}"))


def _offset(formula: Formula, table: pd.DataFrame) -> Any | None:
    if not formula.offsets:
        return None
    parts = [value_of(text, table, f"formula={formula.text!r}") for text in formula.offsets]
    return sum(np.asarray(part, dtype=float) for part in parts) + np.zeros(len(table))


def _matrix(right: Any, table: pd.DataFrame, text: str) -> Any:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", DataMismatchWarning)
            return right.get_model_matrix(table, context=FUNCTIONS, output="numpy", na_action="ignore")
    except (FormulaicError, DataMismatchWarning) as error:
        raise RxArgumentError(f"formula={text!r}: {str(error).splitlines()[0]}") from None


def new_design(formula: Formula, spec: Any, frame: pd.DataFrame) -> tuple[Any, Any | None, Any]:
    """The design matrix and the offset of other data, and which of its rows they are for: those without gaps."""
    where = "predict"
    used = [name for name in formula.variables if name in predictors(formula)]
    for name in used:
        check_known(name, frame.columns, where)
    whole = frame[used].notna().all(axis=1).to_numpy()
    table = complete(frame, used, where)
    for factor, levels in levels_of(spec).items():
        inside = re.fullmatch(r"C\(`?([^`(),]+)`?(?:,.*)?\)", factor)
        expression = inside.group(1) if inside else factor
        _refuse_unseen(expression, pd.Series(value_of(expression, table, where)), levels)
    x = np.asarray(_matrix(spec, table, formula.text), dtype=float)
    return x, _offset(formula, table), whole


def prepared(formula: Formula, levels: dict[str, list[Any]]) -> Any:
    """How formulaic makes the design matrix of data that it does not see as a whole: factors have these levels.

    Raises
    ------
    RxArgumentError
        For a function that takes a column as a whole, such as scale and poly.
    """
    longest = max(map(len, levels.values()), default=1)
    columns = {
        name: list(itertools.islice(itertools.cycle(levels[name]), longest)) if name in levels else [1.0] * longest
        for name in formula.variables
    }
    x = _matrix(formula.right, pd.DataFrame(columns), formula.text)
    if x.model_spec.transform_state:
        raise RxArgumentError(
            f"formula={formula.text!r}: {', '.join(x.model_spec.transform_state)} takes the column as a whole, which "
            f"lies in parts on the cluster; use I(x^2) and the like, or columns that Spark made"
        )
    return x.model_spec


def predictors(formula: Formula) -> set[str]:
    """The columns that the right side of a formula needs."""
    where, known = f"formula={formula.text!r}", formula.variables
    factors = [factor.expr for term in formula.right for factor in term.factors if factor.expr != "1"]
    return {name for factor in (*factors, *formula.offsets) for name in factor_columns(factor, known, where)}


def _refuse_unseen(factor: str, values: pd.Series, levels: list[Any]) -> None:
    unseen = sorted(map(str, set(values.unique()) - set(levels)))
    if unseen:
        raise RxArgumentError(
            f"predict: the factor {factor!r} has {', '.join(map(repr, unseen[:5]))}, which the model has not seen; "
            f"it knows {', '.join(map(repr, map(str, levels[:20])))}"
        )


def levels_of(spec: Any) -> dict[str, list[Any]]:
    """The levels of each factor, by the factor's expression."""
    return {
        str(expression): list(state["categories"])
        for expression, (kind, state) in spec.encoder_state.items()
        if "categories" in state
    }


def r_name(column: str) -> str:
    """The name that R gives to a column of the design matrix.

    >>> [r_name(name) for name in ("Intercept", "g[T.b]", "g[T.b]:x", "poly(x, 2)[1]", "C(g, contr.poly)[.L]")]
    ['(Intercept)', 'gb', 'gb:x', 'poly(x, 2)1', 'g.L']
    """
    column = re.sub(r"\bC\(([^(),]*), contr\.poly\)", r"\1", column)
    plain = re.sub(r"\[(?:T\.)?([^\]]*)\]", r"\1", column)
    return "(Intercept)" if column == "Intercept" else plain.replace(" ** ", "^").replace("`", "")
