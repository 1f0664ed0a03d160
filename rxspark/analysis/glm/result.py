"""RxGlm: a fitted model, with the methods and the printed form of R's glm."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from rxspark.analysis.data.opening import RowFunction
from rxspark.analysis.formula.design import Design
from rxspark.analysis.formula.formula import Formula
from rxspark.analysis.glm.families import Family
from rxspark.analysis.glm.links import link_by_name
from rxspark.analysis.glm.observations import residuals
from rxspark.analysis.glm.response import all_observations
from rxspark.analysis.glm.spec import ModelSpec, WeightColumns
from rxspark.analysis.printing import RxText, coefficient_table, formatted
from rxspark.validation import one_of

__all__ = ["RxGlm"]


@dataclass(frozen=True, repr=False)
class RxGlm:
    """A fitted generalized linear model.

    Attributes
    ----------
    formula, family, link : str
        The formula, the family and the link that were fitted.
    names : tuple of str
        The coefficients' names, as R gives them.
    aliased : tuple of str
        The columns that were left out as combinations of others; their coefficients are NaN.
    deviance, nullDeviance, aic, dispersion : float
        As R's glm gives them; `aic` is NaN for the quasi families and "tweedie".
    theta, thetaError : float
        The theta of the negative binomial family, and its standard error if it was fitted; else None.
    dfResidual, dfNull, rank : int
        Degrees of freedom.
    iterations : int
        Fisher scoring steps.
    converged : bool
        Whether the iteration converged.
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
    """The standard errors of the coefficients."""
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
    """The design, which makes the matrices of other data."""

    @property
    def parsed(self) -> Formula:
        """The formula, parsed."""
        return self.design.formula

    @property
    def params(self) -> pd.Series:
        """Coefficients by name."""
        return pd.Series(self.values, self.names, name="Estimate")

    @property
    def coefficients(self) -> pd.Series:
        """Coefficients by name, as `params`; R's word."""
        return self.params

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the coefficients, by name."""
        return pd.Series(self.errors, self.names, name="Std. Error")

    @property
    def tvalues(self) -> pd.Series:
        """Coefficients divided by their standard errors: z values if the dispersion is known, else t values."""
        return pd.Series(self.values / self.errors, self.names, name=f"{self._letter} value")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p values of the hypotheses that the coefficients are 0."""
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
        """Make the table of coefficients: estimate, standard error, z or t value, p value."""
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

        Examples
        --------
        >>> from rxspark import rxGlm
        >>> model = rxGlm("y ~ x", {"x": [1, 2, 3], "y": [2, 4, 9]})
        >>> model.predict({"x": [10, None]}).round(6).tolist()
        [33.0, nan]
        """
        one_of("type", type, ("response", "link"))
        return RowFunction(
            function="predict",
            column=f"{self.parsed.response_label}_Pred",
            sql_type="double",
            needed=partial(self.design.predictor_columns, aliased=self.aliased),
            of=partial(self._predict, type),
        ).apply(data)

    def _predict(self, kind: str, frame: pd.DataFrame) -> pd.Series:
        x, offset, kept = self.design.predictor_matrices(frame, self.aliased)
        eta = x @ np.nan_to_num(self.values) + (0 if offset is None else offset)
        values = np.full(len(frame), np.nan)
        values[kept] = link_by_name(self.link).inverse(eta) if kind == "response" else eta
        return pd.Series(values, frame.index, name=f"{self.parsed.response_label}_Pred")

    def residuals(self, data: Any, type: str = "deviance") -> Any:  # noqa: A002 - R's word
        """Compute the residuals of data.

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

        Examples
        --------
        >>> from rxspark import rxGlm
        >>> data = {"x": [1, 2, 3], "y": [2, 4, 9]}
        >>> rxGlm("y ~ x", data).residuals(data, "response").round(6).tolist()
        [0.5, -1.0, 0.5]
        """
        one_of("type", type, ("deviance", "pearson", "working", "response"))
        design = self.design.for_all_rows()
        return RowFunction(
            function="residuals",
            column=f"{self.parsed.response_label}_Resid",
            sql_type="double",
            needed=design.recipe.required_columns,
            of=partial(self._residuals, design, type),
        ).apply(data)

    def _residuals(self, design: Design, kind: str, frame: pd.DataFrame) -> pd.Series:
        spec = ModelSpec(design, self.distribution, link_by_name(self.link), WeightColumns(self.pweights, None))
        matrices = design.matrices(frame)
        rows = all_observations(spec, matrices)
        values = np.full(len(frame), np.nan)
        values[matrices.kept] = residuals((spec.family, spec.link), np.nan_to_num(self.values), kind, rows)
        return pd.Series(values, frame.index, name=f"{self.parsed.response_label}_Resid")

    def summary(self) -> RxText:
        """Write the summary as R prints it."""
        letter = self._letter
        dispersion = f"taken to be {formatted([self.dispersion])[0]}"
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
            f"(Dispersion parameter for {self.distribution.title} family {dispersion})\n\n{rows}{missing}"
            f"AIC: {formatted([self.aic], 5)[0]}\n\nNumber of Fisher Scoring iterations: {self.iterations}\n"
            + self._fitted_theta
            + ("" if self.converged else "The iteration did not converge.\n")
        )

    @property
    def _fitted_theta(self) -> str:
        """The lines that MASS prints below the summary of a model whose theta was fitted."""
        if self.theta is None or self.thetaError is None:
            return ""
        twice = 2 * self.rank + 2 - self.aic
        return f"\nTheta: {self.theta:.3g}\nStd. Err.: {self.thetaError:.3g}\n2 x log-likelihood: {twice:.3f}\n"

    @property
    def _call(self) -> str:
        return f'rxGlm("{self.formula}", family="{self.family}", link="{self.link}")'

    def __repr__(self) -> str:
        """Write the model as R prints it: coefficients and deviances."""
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
