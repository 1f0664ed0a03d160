"""rxGlm on local data has R's numbers, on whatever the data come in, and gives a result that travels well."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from golden import CASES, GOLDEN, data, expected

from rxspark import RxArgumentError, RxForeachDoPar, RxLocalParallel, RxModelWarning, rxElemArg, rxExec, rxGlm
from rxspark.analysis.glm.result import RxGlm

CLOSE: dict[str, Any] = {"rel": 1e-6, "abs": 1e-9}


def fitted(case: str) -> RxGlm:
    """The model of a golden case; a warning of collinear columns is all that may come."""
    arguments = dict(CASES[case])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore" if case == "collinear" else "error", category=RxModelWarning)
        return rxGlm(data=data(arguments.pop("data")), **arguments)


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_those_of_r(case: str) -> None:
    """Coefficients, errors, p values, deviances, AIC and all else agree with R's glm to 1e-6, by R's names."""
    model = fitted(case)
    for key, found in zip(
        ("coefficient", "error", "statistic", "p"), (model.params, model.bse, model.tvalues, model.pvalues), strict=True
    ):
        right = expected(case, key)
        assert list(found.index) == list(right.index)
        assert found.to_numpy() == pytest.approx(right.to_numpy(), nan_ok=True, **CLOSE), key
    for key in ("deviance", "nullDeviance", "aic", "dispersion", "dfResidual", "dfNull", "rank"):
        assert getattr(model, key) == pytest.approx(expected(case, key).iloc[0], nan_ok=True, **CLOSE), key
    assert model.nMissingObs == expected(case, "missing").iloc[0]
    assert model.converged
    if model.thetaError is not None:
        assert model.theta == pytest.approx(expected(case, "theta").iloc[0], **CLOSE)
        assert model.thetaError == pytest.approx(expected(case, "thetaError").iloc[0], **CLOSE)


AS_THE_TABLE = [case for case in CASES if not CASES[case].keys() & {"fweights", "rowSelection"}]


@pytest.mark.parametrize("case", AS_THE_TABLE)
def test_predictions_are_those_of_r(case: str) -> None:
    """The first fitted values are R's; rows that lack a value have NaN."""
    table = data(CASES[case]["data"])
    model = fitted(case)
    told = model.predict(table)
    rows = table.index[table[list(model.parsed.columns)].notna().all(axis=1)]
    assert told[rows[:5]].to_numpy() == pytest.approx(expected(case, "fitted").to_numpy(), **CLOSE)
    assert told.notna().sum() >= len(rows)
    link = model.predict(table, type="link")
    assert link.notna().equals(told.notna())
    assert link.equals(told) == (model.link == "identity")


@pytest.mark.parametrize("case", AS_THE_TABLE)
def test_residuals_are_those_of_r(case: str) -> None:
    """Deviance, Pearson, working and response residuals; rows that lack a value have NaN."""
    table, model = data(CASES[case]["data"]), fitted(case)
    for kind in ("deviance", "pearson", "working", "response"):
        told = model.residuals(table, type=kind).dropna()
        right = expected(case, f"residual.{kind}").to_numpy()
        # Where a row is fitted exactly, its deviance is the rounding of sums of logarithms, and this the root of it.
        assert told[:5].to_numpy() == pytest.approx(right, rel=1e-5, abs=1e-6), kind
    with pytest.raises(RxArgumentError, match="type='rstudent': type is"):
        model.residuals(table, type="rstudent")


def test_predicting_leaves_gaps_where_data_have_them() -> None:
    """One value a row, NaN where a column of the right side is missing, whatever the response is; the index is kept."""
    model = rxGlm("Ozone ~ Wind + Temp", data("airquality"))
    new = pd.DataFrame({"Wind": [10.0, np.nan, 8.0], "Temp": [70, 80, 90]}, index=["a", "b", "c"])
    told = model.predict(new)
    assert told.name == "Ozone_Pred"
    assert list(told.index) == ["a", "b", "c"]
    assert np.isnan(told["b"])
    assert told["c"] == pytest.approx(model.params @ [1, 8, 90])


def printed() -> list[str]:
    """Text that R printed: two summaries and a model."""
    return re.split(r"(?=Call:)", (GOLDEN / "printed.txt").read_text())[1:]


def from_coefficients(text: str) -> list[list[str]]:
    """The words of each line from the coefficients on."""
    return [line.split() for line in text.partition("Coefficients:")[2].splitlines() if line.strip()]


def test_the_summary_is_printed_as_in_r() -> None:
    """Word for word, from the table of coefficients to the iterations, with stars, degrees of freedom and gaps."""
    breaks = rxGlm("breaks ~ wool * tension", data("warpbreaks"), "poisson")
    assert from_coefficients(str(breaks.summary())) == from_coefficients(printed()[0])
    ozone = rxGlm("Ozone ~ Wind + Temp", data("airquality"))
    assert from_coefficients(str(ozone.summary())) == from_coefficients(printed()[1])


def test_a_model_is_printed_as_in_r() -> None:
    """A model shows its coefficients and deviances as R does."""
    model = rxGlm("am ~ wt + hp", data("mtcars"), "binomial")
    assert from_coefficients(repr(model)) == from_coefficients(printed()[2])
    assert repr(model.summary()) == str(model.summary())


def test_results_pickle_small_and_whole() -> None:
    """A model of 50,000 rows is a few kilobytes, and what comes back predicts the same."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.normal(size=50_000), "g": rng.choice(list("abc"), 50_000)})
    table["y"] = rng.poisson(np.exp(0.3 * table["x"] + 0.1))
    model = rxGlm("y ~ x * g", table, "poisson")
    packed = pickle.dumps(model)
    assert len(packed) < 6_000
    again = pickle.loads(packed)
    assert again.params.equals(model.params)
    assert again.predict(table[:9]).equals(model.predict(table[:9]))


@pytest.mark.parametrize("kind", ["dict", "arrow", "path", "folder", "nullable"])
def test_local_data_may_come_in_many_ways(kind: str, tmp_path: Path) -> None:
    """A dict of columns, a pyarrow Table, a Parquet file, a folder of them, pandas' own types: one model."""
    table = data("airquality")
    table.to_parquet(tmp_path / "part.parquet")
    given = {
        "dict": {name: list(table[name]) for name in table},
        "arrow": pyarrow.Table.from_pandas(table),
        "path": str(tmp_path / "part.parquet"),
        "folder": tmp_path,
        "nullable": table.convert_dtypes(),
    }[kind]
    formula = "Ozone ~ Solar.R + Wind + I(Temp^2) + factor(Month)"
    model, right = rxGlm(formula, given), rxGlm(formula, table)
    assert model.nMissingObs == right.nMissingObs == 42
    assert model.params.equals(right.params)


def test_truth_values_are_factors_and_responses() -> None:
    """True and False are a factor on the right, as in R, and failure and success on the left."""
    cars = data("mtcars")
    model = rxGlm("manual ~ heavy + hp", cars.assign(manual=cars["am"] == 1, heavy=cars["wt"] > 3), "binomial")
    right = rxGlm(
        "am ~ heavy + hp", cars.assign(heavy=(cars["wt"] > 3).map({True: "TRUE", False: "FALSE"})), "binomial"
    )
    assert list(model.names) == ["(Intercept)", "heavyTRUE", "hp"]
    assert model.params.equals(right.params)


def test_transforms_and_row_selection_come_first() -> None:
    """Columns are made, rows are chosen by what was made, and the model is that of a table prepared by hand."""
    air = data("airquality")
    model = rxGlm(
        "root ~ Wind + late",
        air,
        transforms={"root": "sqrt(Ozone)", "late": "Month >= 8"},
        rowSelection="root > 2 & not (Month in [5, 6])",
    )
    by_hand = air.assign(root=np.sqrt(air["Ozone"]), late=air["Month"] >= 8)
    by_hand = by_hand[(by_hand["root"] > 2) & ~by_hand["Month"].isin([5, 6])]
    assert model.params.equals(rxGlm("root ~ Wind + late", by_hand).params)


def test_units_do_not_matter() -> None:
    """A column a billion times as large, or a response, gives the same t values and converges."""
    trees = data("trees")
    right = rxGlm("Volume ~ Girth + Height", trees, "gamma", link="log")
    large = trees.assign(Girth=trees["Girth"] * 1e9 + 1e10, Volume=trees["Volume"] * 1e12)
    model = rxGlm("Volume ~ Girth + Height", large, "gamma", link="log")
    assert model.converged
    assert model.tvalues[1:].to_numpy() == pytest.approx(right.tvalues[1:].to_numpy(), rel=1e-6)
    assert model.deviance == pytest.approx(right.deviance, rel=1e-6)


def estimate(seed: int) -> Any:
    """Simulate, fit, and give the coefficients, or the model: a task."""
    x = np.random.uniform(size=500)
    model = rxGlm("y ~ x", {"x": x, "y": np.random.poisson(np.exp(1 + x))}, "poisson")
    return model if seed < 0 else model.params.tolist()


@pytest.mark.parametrize("context", [RxLocalParallel(), RxForeachDoPar()], ids=["localpar", "dopar"])
def test_tasks_fit_a_model_each(context: RxLocalParallel) -> None:
    """Inside rxExec each task fits its own model, quietly, with the numbers of the default context."""
    right = rxExec(estimate, rxElemArg(range(4)), RNGseed=1)
    with context:
        found = rxExec(estimate, rxElemArg(range(4)), RNGseed=1)
        models = rxExec(estimate, rxElemArg([-1, -2]), RNGseed=1)
    assert found == right
    assert not any(found.output)
    assert [model.params.tolist() for model in models] == right[:2]


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ({"rowSelection": "ages > 3"}, "rowSelection: there is no column 'ages'; did you mean 'age'?"),
        ({"transforms": {"z": "log(agee)"}}, "transforms['z']: there is no column 'agee'; did you mean 'age'?"),
    ],
)
def test_columns_of_selections_that_are_not_there_are_named(argument: dict[str, Any], told: str) -> None:
    """A misspelt column in rowSelection or transforms is an error of ours, which names the one that was meant."""
    with pytest.raises(RxArgumentError, match=re.escape(told)):
        rxGlm("y ~ age", {"y": [1, 2, 3], "age": [1, 2, 4]}, **argument)
