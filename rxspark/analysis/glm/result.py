"""RxGlm: what rxGlm found, as R's users know it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from rxspark.analysis.data.sources import on_spark
from rxspark.analysis.data.tables import LocalTable
from rxspark.analysis.formula.design import Design
from rxspark.analysis.formula.formula import Formula
from rxspark.analysis.glm.families import Family
from rxspark.analysis.glm.links import link_named
from rxspark.analysis.glm.response import all_rows
from rxspark.analysis.glm.rows import residuals
from rxspark.analysis.printing import RxText, coefficient_table, formatted
from rxspark.contexts import rxGetComputeContext
from rxspark.errors import RxArgumentError

__all__ = ["RxGlm"]


@dataclass(frozen=True, repr=False)
class RxGlm:
    """A fitted generalized linear model.

    Attributes
    ----------
    formula, family, link : str
        What was fitted.
    names : tuple of str
        The coefficients' names, as R gives them.
    aliased : tuple of str
        Those that were left out as combinations of others; their coefficients are NaN.
    deviance, nullDeviance, aic, dispersion : float
        As R's glm gives them; `aic` is NaN for the quasi families and "tweedie".
    theta, thetaError : float
        Of the negative binomial family, and the standard error where it was fitted; else None.
    dfResidual, dfNull, rank : int
        Degrees of freedom.
    iterations : int
        Fisher scoring steps.
    converged : bool
        Whether the iteration came to its end.
    separated : bool
        Whether columns separate the response, so that fitted means run off to a limit and coefficients have no end.
    nValidObs, nMissingObs : int
        Rows that were used, and rows that were left out as they lack a value.
    """

    formula: str
    family: str
    link: str
    names: tuple[str, ...]
    aliased: tuple[str, ...]
    values: Any = field(compare=False)
    """The coefficients, NaN for aliased ones."""
    errors: Any = field(compare=False)
    """Their standard errors."""
    deviance: float
    nullDeviance: float
    aic: float
    dispersion: float
    dfResidual: int
    dfNull: int
    rank: int
    iterations: int
    converged: bool
    separated: bool
    nValidObs: int
    nMissingObs: int
    distribution: Family = field(compare=False)
    """The family with its parameter."""
    thetaError: float | None
    """The standard error of a theta that was fitted."""
    pweights: str | None
    """The column of prior weights."""
    design: Design = field(compare=False)
    """How the design matrix of other data is made."""

    @property
    def parsed(self) -> Formula:
        """The formula, taken apart."""
        return self.design.formula

    @property
    def params(self) -> pd.Series:
        """The coefficients, by name."""
        return pd.Series(self.values, self.names, name="Estimate")

    @property
    def coefficients(self) -> pd.Series:
        """The same as `params`, by R's word."""
        return self.params

    @property
    def bse(self) -> pd.Series:
        """The standard errors of the coefficients, by name."""
        return pd.Series(self.errors, self.names, name="Std. Error")

    @property
    def tvalues(self) -> pd.Series:
        """Coefficients by their standard errors: z values where the dispersion is known, t values else."""
        return pd.Series(self.values / self.errors, self.names, name=f"{self._letter} value")

    @property
    def pvalues(self) -> pd.Series:
        """The probabilities of values so far from 0, if the coefficients were 0."""
        size = np.abs(self.tvalues.to_numpy())
        tail = stats.norm.sf(size) if self._letter == "z" else stats.t.sf(size, self.dfResidual)
        return pd.Series(2 * tail, self.names, name=f"Pr(>|{self._letter}|)")

    @property
    def _letter(self) -> str:
        return "z" if self.distribution.dispersion_known or self.thetaError is not None else "t"

    @property
    def theta(self) -> float | None:
        """The theta of a negative binomial model, given or fitted; None for other families."""
        return self.distribution.parameter if self.family == "negative.binomial" else None

    def table(self) -> pd.DataFrame:
        """The table of coefficients: estimate, standard error, z or t value, p value."""
        return pd.concat([self.params, self.bse, self.tvalues, self.pvalues], axis=1)

    def predict(self, data: Any, type: str = "response") -> Any:  # noqa: A002 - R's word
        """Predict for other data.

        Parameters
        ----------
        data : as for `rxGlm`
            Data that have the columns of the formula's right side.
        type : {"response", "link"}, default "response"
            The mean, or the linear predictor.

        Returns
        -------
        pandas.Series or Spark DataFrame
            One value a row, NaN where a column that is needed has none. Of a Spark DataFrame: the same with a column
            more, of the response's name and ``_Pred``, null where there is no value.

        Raises
        ------
        RxArgumentError
            When a column is missing, or a factor has a level that the model has not seen.
        """
        if type not in ("response", "link"):
            raise RxArgumentError(f'type={type!r}: type is "response" or "link"')
        context, name = rxGetComputeContext(), f"{self.parsed.response}_Pred"
        if on_spark(data, context, "predict"):
            from rxspark.analysis.data.spark_predict import with_column
            from rxspark.analysis.data.spark_tables import spark_data

            there = spark_data(data, context, "predict")
            needed = self.design.needed_of_new(there.columns)
            return with_column(there, name, "double", needed, partial(self.predict, type=type))
        table = LocalTable(data, "predict")
        frame = table.frame(self.design.needed_of_new(table.columns))
        x, offset, whole = self.design.of_new(frame)
        eta = x @ np.nan_to_num(self.values) + (0 if offset is None else offset)
        told = np.full(len(frame), np.nan)
        told[whole] = link_named(self.link).inverse(eta) if type == "response" else eta
        return pd.Series(told, frame.index, name=name)

    def residuals(self, data: Any, type: str = "deviance") -> Any:  # noqa: A002 - R's word
        """Find how far the responses of data are from the model.

        Parameters
        ----------
        data : as for `rxGlm`
            Data that have the columns of the formula and of `pweights`: those that were fitted, or others.
        type : {"deviance", "pearson", "working", "response"}, default "deviance"
            As in R.

        Returns
        -------
        pandas.Series or Spark DataFrame
            One value a row, NaN where a column that is needed has none. Of a Spark DataFrame: the same with a column
            more, of the response's name and ``_Resid``.

        Raises
        ------
        RxArgumentError
            When a column is missing, or holds what the model does not take.
        """
        if type not in ("deviance", "pearson", "working", "response"):
            raise RxArgumentError(f'type={type!r}: type is "deviance", "pearson", "working" or "response"')
        design, name = self.design.of_all_rows(), f"{self.parsed.response}_Resid"
        context = rxGetComputeContext()
        if on_spark(data, context, "residuals"):
            from rxspark.analysis.data.spark_predict import with_column
            from rxspark.analysis.data.spark_tables import spark_data

            there = spark_data(data, context, "residuals")
            needed = design.recipe.needs(there.columns)
            return with_column(there, name, "double", needed, partial(self.residuals, type=type))
        table = LocalTable(data, "residuals")
        frame = table.frame(design.recipe.needs(table.columns))
        matrices = design.matrices(frame)
        part = all_rows(matrices, self.parsed, self.distribution, design.response, self.pweights, None)
        told = np.full(len(frame), np.nan)
        told[matrices.kept] = residuals(
            self.distribution, link_named(self.link), np.nan_to_num(self.values), type, part
        )
        return pd.Series(told, frame.index, name=name)

    def summary(self) -> RxText:
        """The summary as R prints it."""
        letter = self._letter
        taken = f"taken to be {formatted([self.dispersion])[0]}"
        deviances = formatted([self.nullDeviance, self.deviance], 5)
        frees = [str(self.dfNull), str(self.dfResidual)]
        gone = f" ({len(self.aliased)} not defined because of singularities)" if self.aliased else ""
        missing = f"  ({self.nMissingObs} observations deleted due to missingness)\n" if self.nMissingObs else ""
        rows = "".join(
            f"{word} deviance: {value:>{max(map(len, deviances))}}  on {free:>{max(map(len, frees))}}"
            f"  degrees of freedom\n"
            for word, value, free in zip(("    Null", "Residual"), deviances, frees, strict=True)
        )
        table = coefficient_table(
            self.names,
            ("Estimate", "Std. Error", f"{letter} value", f"Pr(>|{letter}|)"),
            (self.values, self.errors, self.tvalues, self.pvalues),
        )
        return RxText(
            f"\nCall:\n{self._call}\n\nCoefficients:{gone}\n{table}\n\n"
            f"(Dispersion parameter for {self.distribution.title} family {taken})\n\n{rows}{missing}"
            f"AIC: {formatted([self.aic], 5)[0]}\n\nNumber of Fisher Scoring iterations: {self.iterations}\n"
            + self._fitted_theta
            + ("" if self.converged else "The iteration did not converge.\n")
        )

    @property
    def _fitted_theta(self) -> str:
        """What MASS prints below the summary of a model whose theta was fitted."""
        if self.theta is None or self.thetaError is None:
            return ""
        twice = 2 * self.rank + 2 - self.aic
        return f"\nTheta: {self.theta:.3g}\nStd. Err.: {self.thetaError:.3g}\n2 x log-likelihood: {twice:.3f}\n"

    @property
    def _call(self) -> str:
        return f'rxGlm("{self.formula}", family="{self.family}", link="{self.link}")'

    def __repr__(self) -> str:
        """What R prints of a model: the coefficients and the deviances."""
        cells = formatted(self.values, 4)
        widths = [max(len(name), len(cell)) for name, cell in zip(self.names, cells, strict=True)]
        lines: list[str] = []
        row = ["", ""]
        for name, cell, width in zip(self.names, cells, widths, strict=True):
            if row[0] and len(row[0]) + width + 2 > 80:
                lines, row = [*lines, *row], ["", ""]
            row = [f"{row[0]}{name:>{width}}  ", f"{row[1]}{cell:>{width}}  "]
        coefficients = "\n".join([*lines, *row])
        missing = f"  ({self.nMissingObs} observations deleted due to missingness)\n" if self.nMissingObs else ""
        null, residual, aic = (formatted([value], 4)[0] for value in (self.nullDeviance, self.deviance, self.aic))
        return (
            f"\nCall:  {self._call}\n\nCoefficients:\n{coefficients}\n\n"
            f"Degrees of Freedom: {self.dfNull} Total (i.e. Null);  {self.dfResidual} Residual\n{missing}"
            f"Null Deviance:     {null}\nResidual Deviance: {residual}  AIC: {aic}\n"
        )
