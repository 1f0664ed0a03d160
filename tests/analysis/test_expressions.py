"""Expressions over columns mean what they mean in R, in rowSelection, transforms and formulas; others are refused."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from golden import data

from rxspark import RxArgumentError, rxGlm, rxKmeans

PEOPLE = pd.DataFrame(
    {
        "y": [1.0, 2.0, 4.0, 3.0, 6.0, 5.0, 8.0, 7.0],
        "x": [1.0, 2.0, np.nan, 4.0, 5.0, 6.0, 7.0, 8.0],
        "g": ["a", "b", "c", None, "a", "b", "c", "a"],
        "b": pd.array([True, False, None, True, False, True, False, True], dtype="boolean"),
        "size": pd.Categorical(["S", "M", "L", "S", "M", "L", "S", None], ["S", "M", "L"], ordered=True),
        "day": pd.to_datetime(["2024-01-0" + str(day) for day in range(1, 9)]),
        "home town": list("pqpqpqpq"),
    }
)


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ("x > 3", [3, 4, 5, 6, 7]),
        ("!(x > 3)", [0, 1]),
        ("not x > 3", [0, 1]),
        ("x > 3 & g == 'a'", [4, 7]),
        ("x > 6 | g == 'a'", [0, 4, 6, 7]),
        ("is.na(x) | x < 2", [0, 2]),
        ("!is.na(g) & g %in% c('a', 'c')", [0, 2, 4, 6, 7]),
        ("g in ['a', 'c']", [0, 2, 4, 6, 7]),
        ("g not in ['a', 'c'] and not is.na(g)", [1, 5]),
        ("2 <= x < 6", [1, 3, 4]),
        ("b", [0, 3, 5, 7]),
        ("!b", [1, 4, 6]),
        ("b == TRUE & x > 1", [3, 5, 7]),
        ("x %% 2 == 0", [1, 3, 5, 7]),
        ("x %/% 3 == 1", [3, 4]),
        ("x^2 > 30", [5, 6, 7]),
        ("-x^2 > -5", [0, 1]),
        ("x**2 > 30", [5, 6, 7]),
        ("size >= 'M'", [1, 2, 4, 5]),
        ("size == 'S'", [0, 3, 6]),
        ("as.numeric(size) == 3", [2, 5]),
        ("day >= '2024-01-06'", [5, 6, 7]),
        ("day < as.Date('2024-01-03')", [0, 1]),
        ("x > mean(x, na.rm = TRUE)", [4, 5, 6, 7]),
        ("scale(x) < -1", [0, 1]),
        ("y == max(y)", [6]),
        ('`home town` == "q"', [1, 3, 5, 7]),
        ("pmin(x, 4) == 4 & TRUE", [3, 4, 5, 6, 7]),
        ("grepl('^[ab]', g)", [0, 1, 4, 5, 7]),
        ("substr(g, 1, 1) == 'c' | startsWith(g, 'b')", [1, 2, 5, 6]),
        ("ifelse(is.na(x), y > 3, x > 6)", [2, 6, 7]),
        ("xor(b, x > 5)", [0, 3, 6]),
        ("x > pi", [3, 4, 5, 6, 7]),
        ("np.log(x) > 2", [7]),
    ],
)
def test_rows_are_chosen_as_in_r(rows: str, chosen: list[int]) -> None:
    """Operators bind as in R, what is missing is not chosen, and Python's words mean the same."""
    model = rxKmeans("~ y", PEOPLE, 1, rowSelection=rows)
    assert list(model.cluster.index) == chosen


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("round(x / 3, 1)", [0.3, 0.7, np.nan, 1.3, 1.7, 2.0, 2.3, 2.7]),
        ("as.integer(y / 2)", [0, 1, 2, 1, 3, 2, 4, 3]),
        ("as.numeric(b)", [1, 0, np.nan, 1, 0, 1, 0, 1]),
        ("ifelse(b, 1, -1)", [1, -1, np.nan, 1, -1, 1, -1, 1]),
        ("pmax(x, 3)", [3, 3, np.nan, 4, 5, 6, 7, 8]),
        ("pmax(x, 3, na.rm = TRUE)", [3, 3, 3, 4, 5, 6, 7, 8]),
        ("-y %% 3", [2, 1, 2, 0, 0, 1, 1, 2]),
        ("y %/% -3", [-1, -1, -2, -1, -2, -2, -3, -3]),
        ("NA ^ 0 + 1 ^ x", [2.0] * 8),
        ("as.numeric(cut(y, c(0, 3, 6, 9)))", [1, 1, 2, 1, 2, 2, 3, 3]),
        ("(day > '2024-01-04') + 1", [1, 1, 1, 1, 2, 2, 2, 2]),
        ("nchar(paste0(g, '-', `home town`))", [3, 3, 3, 4, 3, 3, 3, 3]),
        ("length(y)", [8.0] * 8),
    ],
)
def test_columns_are_made_as_in_r(text: str, values: list[float]) -> None:
    """Values of functions and operators are those of R, with NA where R has it."""
    model = rxKmeans("~ z", PEOPLE, 1, transforms={"z": text})
    given = np.array(values, dtype=float)
    assert model.nMissingObs == np.isnan(given).sum()
    assert model.values[0, 0] == pytest.approx(np.nanmean(given))
    assert model.totss == pytest.approx(np.nansum((given - np.nanmean(given)) ** 2), abs=1e-12)


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("y ~ s(x)", "'s(x)' calls 's', which is not known here; smooth terms are not of glm; use ns(x, df)"),
        ("y ~ cumsum(x)", "it depends on the order of the rows; make the column before"),
        ("y ~ scael(x)", "calls 'scael', which is not known here; did you mean 'scale'?"),
        ("y ~ d$x", "'$x' cannot stand there; columns are named alone"),
        ("y ~ x[1]", "'[' cannot stand there; columns are taken whole, and rows chosen by rowSelection"),
        ("y ~ x = 3", "'=' cannot stand there; write == to compare"),
        ("y ~ (x", "')' is missing"),
        ("y ~ x +", 'it ends too early; a formula of two sides is "y ~ x"'),
        ("y ~ g %in% c('a', 'b')", 'in a formula %in% nests terms; write I(g %in% c("a", "b"))'),
        ("y ~ x + 2", "2 is no term; a formula has 0 or 1"),
        ("y ~ g^x", "a power of terms is a whole number; use I(x^2) of numbers"),
        ("y ~ I(g + 1)", "'+' takes numbers, and not text"),
        ("y ~ log(size)", "log takes numbers, and not a factor"),
        ("y ~ I(factor(g) < 'b')", "the levels of this factor have no order; use ordered(x, levels = c(...))"),
        ("y ~ mean(x)", "1 values are missing, so it is NA in R; use mean(x, na.rm = TRUE)"),
        ("y ~ cut(x, c(1, 1, 5))", "breaks are distinct numbers, and not 1, 1, 5"),
        ("y ~ cut(x, c(1, 5, 9), labels = c('a', 'b', 'c'))", "3 labels do not fit 2 intervals"),
        ("y ~ relevel(g, ref = 'z')", "ref='z' is none of the levels, a, b, c"),
        ("y ~ C(g, contr.sums)", "contrasts are contr.treatment, contr.poly"),
        ("y ~ poly(x, degre = 2, raw = TRUE, simple = 1)", "has no argument 'simple'; there are x, degree, raw"),
        ("y ~ log(x, 2, 3)", "log(x, 2, 3) has too many arguments"),
        ("y ~ ifelse(b, 1)", "ifelse(b, 1) lacks its argument 'no'"),
        ("y ~ day", "'day' is a time; use as.numeric(x)"),
        ("y ~ I(x + c(1, 2, 3))", "'x + c(1, 2, 3)'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(formula: str, told: str) -> None:
    """Each error names the expression and what to write instead."""
    with pytest.raises(RxArgumentError, match=re.escape(told)):
        rxGlm(formula, PEOPLE)


def test_functions_see_all_rows_before_those_with_gaps_are_left_out() -> None:
    """As R's model frame: a mean is of all rows that have the column, whatever they lack besides."""
    air = data("airquality")
    model = rxGlm("Ozone ~ scale(Temp)", air)
    by_hand = air.assign(z=(air["Temp"] - air["Temp"].mean()) / air["Temp"].std())
    assert model.params.to_numpy() == pytest.approx(rxGlm("Ozone ~ z", by_hand).params.to_numpy(), rel=1e-12)
    one_gap = pd.DataFrame({"y": [1.0, 2, 4, 3, 5], "x": [1.0, 2, 3, -1, 5]})
    assert rxGlm("y ~ scale(log(x))", one_gap).nMissingObs == 1


def test_transforms_are_made_again_for_predictions() -> None:
    """A column that replaces one of the data, and one of a mean: other data get them from what the fit knew."""
    cars = data("mtcars")
    made = {"wt": "wt * 1000", "heavy": "wt > mean(wt)"}
    model = rxGlm("mpg ~ log(wt) + heavy", cars, transforms=made)
    assert model.params["log(wt)"] == pytest.approx(
        rxGlm("mpg ~ log(k) + h", cars.assign(k=cars["wt"] * 1000, h=cars["wt"] > cars["wt"].mean())).params["log(k)"]
    )
    light = cars[cars["wt"] < 2.5]
    assert model.predict(light).to_numpy() == pytest.approx(model.predict(cars)[light.index].to_numpy())
    told = model.predict(pd.DataFrame({"wt": [2.0, 4.0]}))
    assert told[1] - told[0] == pytest.approx(model.params["log(wt)"] * np.log(2) + model.params["heavyTRUE"])


def test_predictions_keep_knots_levels_and_polynomials() -> None:
    """Rows predicted alone have the values that they have among all."""
    cars = data("mtcars")
    model = rxGlm("mpg ~ ns(wt, 3) + poly(hp, 2) + cut(qsec, 3) + relevel(factor(cyl), ref = '8')", cars)
    whole = model.predict(cars)
    assert model.predict(cars[5:6]).iloc[0] == pytest.approx(whole.iloc[5])
    assert model.predict(cars[::-1]).to_numpy() == pytest.approx(whole.to_numpy()[::-1])
