"""rxGlm on data in this process: from the table to the result."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.families import LINKS, Family
from rxspark.analysis.formulas import Formula, Matrices, design, parse
from rxspark.analysis.frames import selected
from rxspark.analysis.glm_fit import Fit, fit, independent
from rxspark.analysis.glm_result import RxGlm
from rxspark.analysis.sources import Selection, check_columns, local_columns
from rxspark.errors import RxArgumentError, RxModelWarning

__all__ = ["fit_here", "refuse_response", "warn_of"]


def fit_here(
    text: Any,
    data: Any,
    asked: tuple[Family, str],
    pweights: str | None,
    fweights: str | None,
    picked: Selection,
    max_iterations: int,
) -> RxGlm:
    """Fit a model to local data."""
    family, link = asked
    columns = [*local_columns(data, "rxGlm"), *picked.transforms]
    weighted = check_columns({"pweights": pweights, "fweights": fweights}, columns)
    formula = parse(text, columns)
    matrices = design(formula, selected(data, [*formula.variables, *weighted], picked), weighted)
    y = _numbers(matrices.y, family, formula)
    prior, frequencies = _weights(matrices.table, pweights, fweights)
    refuse_infinite(matrices, formula)
    kept = independent(matrices.x, prior * frequencies)
    aliased = tuple(name for column, name in enumerate(matrices.names) if column not in kept)
    x = matrices.x[:, kept] if aliased else matrices.x
    found = fit(x, y, prior * frequencies, matrices.offset, family, link, prior, max_iterations)
    model = _result(found, matrices, kept, aliased, y, prior, frequencies, asked, formula, max_iterations)
    warn_of(model, separated=found.converged and found.drift > 0.01)
    return model


def _numbers(y: pd.Series | None, family: Family, formula: Formula) -> Any:
    """The response as floats; of a factor, the second level is the success."""
    assert y is not None, "rxGlm parses formulas with two sides"
    where = f"formula={formula.text!r}: the response {formula.response!r}"
    if not pd.api.types.is_numeric_dtype(y.dtype):
        levels = list(y.cat.categories) if isinstance(y.dtype, pd.CategoricalDtype) else sorted(set(y))
        if not family.name.endswith("binomial"):
            raise RxArgumentError(f"{where} is a factor; the family {family.name} takes {family.accepts}")
        if len(levels) > 2:
            raise RxArgumentError(f"{where} has {len(levels)} levels; the family {family.name} takes {family.accepts}")
        return (y == levels[-1]).to_numpy(dtype=float) if len(levels) == 2 else np.zeros(len(y))
    values = y.to_numpy(dtype=float)
    refuse_response(values[~family.valid(values)], family, formula)
    return values


def refuse_response(wrong: Any, family: Family, formula: Formula) -> None:
    """RxArgumentError when there are values that the family does not take."""
    if len(wrong):
        raise RxArgumentError(
            f"formula={formula.text!r}: the response {formula.response!r} has {wrong[0]:g}"
            f"{f' and {len(wrong) - 1} more such values' if len(wrong) > 1 else ''}; "
            f"the family {family.name} takes {family.accepts}"
        )


def _weights(table: pd.DataFrame, pweights: str | None, fweights: str | None) -> tuple[Any, Any]:
    """Prior weights and frequencies of the rows."""
    found = []
    for argument, name in (("pweights", pweights), ("fweights", fweights)):
        values = np.ones(len(table)) if name is None else np.asarray(table[name], dtype=float)
        if not (values >= 0).all() or not np.isfinite(values).all():
            raise RxArgumentError(f"{argument}={name!r}: weights are numbers of at least 0; there is {values.min():g}")
        found.append(values)
    if (found[1] != np.round(found[1])).any():
        raise RxArgumentError(f"fweights={fweights!r}: frequencies are whole numbers; use pweights for other weights")
    if not (found[0] * found[1]).any():
        raise RxArgumentError("all weights are 0: no row counts")
    return found[0], found[1]


def refuse_infinite(matrices: Matrices, formula: Formula) -> None:
    """RxArgumentError for a column in which a number is infinite, such as the logarithm of 0."""
    finite = np.isfinite(matrices.x).all(axis=0)
    if not finite.all():
        name = matrices.names[int(np.flatnonzero(~finite)[0])]
        raise RxArgumentError(f"formula={formula.text!r}: {name!r} has infinite values, such as the logarithm of 0")
    if matrices.offset is not None and not np.isfinite(matrices.offset).all():
        raise RxArgumentError(f"formula={formula.text!r}: the offset has infinite values, such as the logarithm of 0")


def _result(
    found: Fit,
    matrices: Matrices,
    kept: list[int],
    aliased: tuple[str, ...],
    y: Any,
    prior: Any,
    frequencies: Any,
    asked: tuple[Family, str],
    formula: Formula,
    max_iterations: int,
) -> RxGlm:
    family, link = asked
    weights = prior * frequencies
    counted = int(frequencies[weights > 0].sum())
    rank = len(kept)
    free = counted - rank
    dispersion = 1.0 if family.dispersion_known else found.pearson / free if free > 0 else float("nan")
    values, errors = np.full(len(matrices.names), np.nan), np.full(len(matrices.names), np.nan)
    values[kept] = found.coefficients
    errors[kept] = np.sqrt(np.diag(found.unscaled) * dispersion)
    return RxGlm(
        formula=formula.text,
        family=family.name,
        link=link,
        names=matrices.names,
        aliased=aliased,
        values=values,
        errors=errors,
        deviance=found.deviance,
        nullDeviance=_null_deviance(matrices, y, weights, prior, asked, max_iterations),
        aic=family.aic(y, found.mu, prior, frequencies, found.deviance, counted, rank),
        dispersion=dispersion,
        dfResidual=free,
        dfNull=counted - ("(Intercept)" in matrices.names),
        rank=rank,
        iterations=found.iterations,
        converged=found.converged,
        nValidObs=len(y),
        nMissingObs=matrices.missing,
        parsed=formula,
        spec=matrices.spec,
    )


def _null_deviance(
    matrices: Matrices, y: Any, weights: Any, prior: Any, asked: tuple[Family, str], max_iterations: int
) -> float:
    """The deviance of the model that has nothing but the intercept and the offset."""
    family, link = asked
    offset = np.zeros(len(y)) if matrices.offset is None else matrices.offset
    if "(Intercept)" not in matrices.names:
        return family.deviance(y, LINKS[link].inverse(offset), weights)
    if matrices.offset is None:
        return family.deviance(y, np.full(len(y), np.average(y, weights=weights)), weights)
    return fit(np.ones((len(y), 1)), y, weights, offset, family, link, prior, max_iterations).deviance


def warn_of(model: RxGlm, separated: bool) -> None:
    """Say what is doubtful about a fit."""
    told = []
    if model.aliased:
        told.append(f"left out as combinations of other columns: {', '.join(model.aliased)}")
    if separated:
        told.append(
            "fitted means run off to 0 or 1, as columns separate the response: coefficients have no end there, and "
            "their standard errors mean nothing"
        )
    if not model.converged:
        told.append(f"no convergence in {model.iterations} iterations; a larger maxIterations may help")
    for text in told:
        warnings.warn(f"rxGlm {model.formula!r}: {text}", RxModelWarning, stacklevel=4)
