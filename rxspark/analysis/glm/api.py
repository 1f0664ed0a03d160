"""rxGlm: generalized linear models, of data in this process or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rxspark.analysis.data.sources import check_selection, require_libraries
from rxspark.validation import whole_number

if TYPE_CHECKING:
    from rxspark.analysis.glm.result import RxGlm

__all__ = ["rxGlm"]


def rxGlm(
    formula: str,
    data: Any,
    family: str = "gaussian",
    link: str | None = None,
    pweights: str | None = None,
    fweights: str | None = None,
    rowSelection: str | None = None,
    transforms: Mapping[str, str] | None = None,
    maxIterations: int = 25,
    theta: float | None = None,
    varPower: float | None = None,
    linkPower: float | None = None,
    variance: str | None = None,
) -> RxGlm:
    """Fit a generalized linear model, with the numbers that R's glm gives.

    Under `RxSpark` one model is fitted over the cluster if the data are there: a Spark DataFrame, a table, Parquet
    files. Data of this process are fitted here, whatever the compute context is; in a task of rxExec by that task: one
    model a task. The result is the same, to rounding. Nothing is printed.

    Parameters
    ----------
    formula : str
        R's formula: ``"y ~ x1 + x2"``, ``"log(y) ~ a * b + I(x^2) + offset(log(n)) - 1"``, ``"y ~ ."``,
        ``"y ~ g / x + poly(z, 2) + cut(age, c(0, 18, 65, 120))"``. Coefficients have R's names. Text and truth values
        are factors, and numbers within ``factor(x)``; they have treatment contrasts, and ordered factors (of pandas, or
        ``ordered(x)``) polynomial ones, as in R; ``C(g, contr.sum)`` chooses others. Levels of text are in the order
        of its characters. A function that is not there is refused by name.
    data : pandas.DataFrame, dict of columns, Arrow table, path, Spark DataFrame or name of a table
        The data (tables of polars, duckdb and others that Arrow can read too), or the path or URL of Parquet files;
        under `RxSpark` Spark looks for those, and for the table that another text names. Rows that lack a value that
        is needed are left out and counted.
    family : str, default "gaussian"
        "gaussian", "binomial", "poisson", "gamma", "inverse.gaussian", "quasibinomial", "quasipoisson", "quasi",
        "negative.binomial" (of R's MASS) or "tweedie" (RevoScaleR's rxTweedie). The response of a binomial family is
        0 and 1, a factor of two levels, ``cbind(successes, failures)``, or a share of successes with `pweights`.
    link : str, optional
        "identity", "log", "logit", "probit", "cloglog", "cauchit", "inverse", "1/mu^2" or "sqrt"; default as in R: the
        first of those that the family takes.
    pweights : str, optional
        The column of prior weights: R's `weights`. With "binomial" and a share of successes: the numbers of trials.
    fweights : str, optional
        The column of frequencies: each row counts as so many.
    rowSelection : str, optional
        An expression over columns that is true for the rows to use: ``"age > 30 & state %in% c('NY', 'NJ')"``.
    transforms : dict of str, optional
        Columns to make first, by expressions over the others: ``{"z": "log(x)", "age": "age / 10"}``. ``predict`` makes
        them again. One that nothing uses is left out.
    maxIterations : int, default 25
        Fisher scoring steps at most. There are as many as in R, and some more where R's would leave digits uncertain,
        as with links that are not canonical.
    theta : float, optional
        Of the family "negative.binomial", whose variance is ``mu + mu^2 / theta``. Default: it is fitted, as by MASS's
        glm.nb.
    varPower : float, optional
        Of the family "tweedie", whose variance is ``mu^varPower``: 0 or at least 1; from 1 to 2 for amounts with zeros
        among them.
    linkPower : float, optional
        In place of `link`: the link is ``mu^linkPower``, at 0 the logarithm. Default for "tweedie": ``1 - varPower``.
    variance : str, optional
        Of the family "quasi": "constant" (the default), "mu", "mu(1-mu)", "mu^2" or "mu^3".

    Returns
    -------
    RxGlm
        ``.params``, ``.bse``, ``.tvalues``, ``.pvalues``, ``.deviance``, ``.aic``, ``.predict(data)``, ``.summary()``
        and more; prints as in R. It pickles to a few kilobytes.

    Raises
    ------
    RxArgumentError
        For a formula that is none, a column that is not there, a response that the family does not take, data
        without rows, a link by which no coefficients give means that the family can have, a Spark DataFrame in a local
        context.
    RxMissingError
        When the libraries of the extra ``analysis`` are not installed.

    Warns
    -----
    RxModelWarning
        When the iteration does not converge (``.converged`` is then False), columns are collinear and left out
        (``.aliased``), or columns separate the response (``.separated``).

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models. Second edition. Chapman and Hall.

    Examples
    --------
    >>> from rxspark import rxGlm
    >>> model = rxGlm("count ~ x", {"x": [0, 1, 2, 3, 4], "count": [1, 3, 7, 21, 54]}, family="poisson")
    >>> model.params.round(4).to_dict()
    {'(Intercept)': 0.0483, 'x': 0.9867}
    """
    with require_libraries("rxGlm"):
        from rxspark.analysis.data.opening import open_table
        from rxspark.analysis.glm.families import choose_family
        from rxspark.analysis.glm.model import fit_table
        from rxspark.analysis.glm.spec import GlmRequest, WeightColumns
    chosen_family, chosen_link = choose_family(
        family, link, linkPower, theta=theta, varPower=varPower, variance=variance
    )
    request = GlmRequest(
        formula=formula,
        family=chosen_family,
        link=chosen_link,
        weights=WeightColumns(pweights, fweights),
        selection=check_selection(rowSelection, transforms),
        max_iterations=whole_number("maxIterations", maxIterations, 1),
    )
    return fit_table(request, open_table(data, "rxGlm"))
