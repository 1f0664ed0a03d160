"""rxGlm says what is wrong with its input, and what is doubtful about a model, as R does or better."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import data

from rxspark import RxArgumentError, RxModelWarning, rxGlm

ALIVE = {"y": [0, 0, 0, 1, 1, 1], "x": [1, 2, 3, 4, 5, 6]}
GROUPS = {"g": list("a" * 10 + "b" * 10)}


@pytest.mark.parametrize(
    ("family", "table", "formula", "params", "errors", "deviance", "iterations"),
    [
        ("binomial", ALIVE, "y ~ x", [-165.32, 47.23], [407521.44, 115264.41], 2.215153e-10, 25),
        (
            "binomial",
            {"y": [0] * 10 + [0, 1] * 5, **GROUPS},
            "y ~ g",
            [-19.57, 19.57],
            [3400.72] * 2,
            13.862943674819,
            18,
        ),
        ("poisson", {"y": [0] * 10 + [2, 1] * 5, **GROUPS}, "y ~ g", [-22.30, 22.71], [13359.73] * 2, 1.69899, 20),
    ],
    ids=["complete", "level", "counts"],
)
def test_separation_gives_what_r_gives_and_is_told(
    family: str, table: object, formula: str, params: list[float], errors: list[float], deviance: float, iterations: int
) -> None:
    """Coefficients without end stop where R stops, with one warning of ours, none of NumPy's, and a flag."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = rxGlm(formula, table, family)
    assert [one.category for one in told] == [RxModelWarning]
    assert "separate the response" in str(told[0].message)
    assert told[0].filename == __file__
    assert model.separated
    assert model.converged
    assert model.iterations == iterations
    assert model.params.tolist() == pytest.approx(params, abs=0.005)
    assert model.bse.tolist() == pytest.approx(errors, rel=1e-6)
    assert model.deviance == pytest.approx(deviance, rel=1e-5)
    assert np.isfinite(model.nullDeviance)


def test_separation_that_does_not_settle_in_the_iterations_is_that_of_r() -> None:
    """Where R stops at the last iteration: its coefficients and errors, and one warning that says why."""
    with pytest.warns(RxModelWarning, match="separate the response") as told:
        model = rxGlm("am ~ wt + hp + qsec", data("mtcars"), "binomial")
    assert len(told) == 1
    assert model.separated
    assert not model.converged
    assert model.iterations == 25
    assert model.params.tolist() == pytest.approx([2344.547, -227.5734, -0.735631, -86.62519], rel=1e-5)
    assert model.bse.tolist() == pytest.approx([1095712, 103166.7, 526.5315, 42024.34], rel=1e-5)
    assert model.aic == pytest.approx(8, abs=1e-6)


@pytest.mark.parametrize(
    ("formula", "family", "aic", "aliased"),
    [
        ("carb ~ .", "poisson", 27.14521118, ("drat", "qsec", "vs", "am", "gear")),
        ("am ~ .", "binomial", 12.0, ("drat", "qsec", "vs", "gear", "carb")),
    ],
)
def test_more_columns_than_rows_have_the_aic_of_r(
    formula: str, family: str, aic: float, aliased: tuple[str, ...]
) -> None:
    """AIC counts the columns that have coefficients: those that are left out as combinations count as nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RxModelWarning)
        model = rxGlm(formula, data("mtcars")[:6], family)
    assert model.aic == pytest.approx(aic, rel=1e-6)
    assert model.aliased == aliased
    assert (model.rank, model.dfResidual) == (6, 0)


def test_too_few_iterations_are_counted_told_and_flagged() -> None:
    """maxIterations=1 takes one step, as in R, says so, and flags the model; what it is then is R's first step."""
    with pytest.warns(RxModelWarning, match="no convergence in 1 iterations; a larger maxIterations may help"):
        model = rxGlm("counts ~ outcome", data("dobson"), "poisson", maxIterations=1)
    assert not model.converged
    assert not model.separated
    assert model.iterations == 1
    assert "did not converge" in str(model.summary())
    with pytest.warns(RxModelWarning, match="no convergence"):
        assert rxGlm("dist ~ speed", data("cars"), maxIterations=1).iterations == 1
    assert rxGlm(
        "dist ~ speed", data("cars"), maxIterations=2
    ).converged  # least squares: one step, and one that is none


def test_collinear_columns_are_named_and_have_no_coefficient() -> None:
    """The later column is left out, as in R: NaN, named in `aliased` and in the warning; predictions do not need it."""
    cars = data("mtcars")
    with pytest.warns(RxModelWarning, match=r"left out as combinations of other columns: I\(2 \* wt - hp\), twice"):
        model = rxGlm("mpg ~ wt + hp + I(2 * wt - hp) + twice", cars.assign(twice=2 * cars["hp"]))
    assert model.aliased == ("I(2 * wt - hp)", "twice")
    assert model.params.isna().tolist() == [False, False, False, True, True]
    assert model.rank == 3
    right = rxGlm("mpg ~ wt + hp", cars)
    assert model.params[:3].to_numpy() == pytest.approx(right.params.to_numpy(), rel=1e-9)
    new = cars.assign(twice=0)[:4]
    assert model.predict(new).to_numpy() == pytest.approx(right.predict(new).to_numpy(), rel=1e-9)


def test_ordered_factors_have_polynomial_contrasts() -> None:
    """As in R: .L, .Q, .C, ^4, by the order of the levels; the model predicts from text too."""
    breaks = data("warpbreaks").copy()
    breaks["tension"] = pd.Categorical(breaks["tension"], ["L", "M", "H"], ordered=True)
    model = rxGlm("breaks ~ wool * tension", breaks, "poisson")
    assert model.params.round(5).to_dict() == {
        "(Intercept)": 3.39191,
        "woolB": -0.18111,
        "tension.L": -0.42129,
        "tension.Q": 0.26192,
        "woolB:tension.L": 0.13319,
        "woolB:tension.Q": -0.44417,
    }
    new = {"wool": ["A"], "tension": ["H"]}
    assert model.predict(new)[0] == pytest.approx(rxGlm("breaks ~ wool * tension", data("warpbreaks")).predict(new)[0])
    five = {"y": [1, 3, 2, 5, 4, 6, 8, 7, 9, 12], "o": pd.Categorical([1, 2, 3, 4, 5] * 2, ordered=True)}
    assert rxGlm("y ~ o", five).params.round(7).to_dict() == {
        "(Intercept)": 5.7,
        "o.L": 3.3203915,
        "o.Q": 0.4008919,
        "o.C": 0.4743416,
        "o^4": -1.3745129,
    }
    with pytest.raises(RxArgumentError, match="the factor 'tension' has 'Z', which the model has not seen"):
        model.predict({"wool": ["A"], "tension": ["Z"]})


def test_a_level_that_the_model_has_not_seen_is_refused_at_predict() -> None:
    """Text, numbers as factors and C() alike: the factor, the level and those that there are."""
    table = {"y": [1.0, 2, 3, 4, 6, 5], "g": list("aabbcc"), "n": [1, 2, 1, 2, 1, 2]}
    for formula, factor in (("y ~ g + factor(n)", "factor(n)"), ("y ~ g + C(n)", "C(n)")):
        model = rxGlm(formula, table)
        with pytest.raises(
            RxArgumentError, match="the factor 'g' has 'd', 'e', which the model has not seen; it knows 'a'"
        ):
            model.predict({"g": ["a", "d", "e"], "n": [1, 1, 2]})
        with pytest.raises(
            RxArgumentError, match=re.escape(f"the factor {factor!r} has '3', which the model has not seen")
        ):
            model.predict({"g": ["a"], "n": [3]})


PEOPLE = {"income": [1.0, 2.0, 3.0, 4.0], "age": [1.0, 4.0, 9.0, 16.0], "state": list("abab"), "none": [None] * 4}


@pytest.mark.parametrize(
    ("formula", "arguments", "told"),
    [
        ("income ~ agee", {}, "there is no column 'agee'; did you mean 'age'?"),
        ("incomes ~ age", {}, "there is no column 'incomes'; did you mean 'income'?"),
        ("income ~ xyz", {}, "there is no column 'xyz'; the columns are income, age, state, none"),
        ("income ~ age", {"pweights": "agee"}, "pweights='agee': there is no column 'agee'; did you mean 'age'?"),
        ("income ~ age", {"pweights": "state"}, "pweights='state': weights are numbers"),
        ("income ~ age", {"fweights": "half", "transforms": {"half": "age / 2"}}, "frequencies are whole numbers"),
        ("income ~ age", {"pweights": "m", "transforms": {"m": "age - 9"}}, "numbers of at least 0; there is -8"),
        ("income ~ age", {"pweights": "m", "transforms": {"m": "0 * age"}}, "all weights are 0: no row counts"),
        (
            "income ~ age",
            {"family": "binomial"},
            "the response 'income' has 2 and 2 more such values; the family binomial",
        ),
        ("I(age - 9) ~ income", {"family": "poisson"}, "the family poisson takes values of 0 or more"),
        ("I(age - 1) ~ income", {"family": "gamma"}, "has 0; the family gamma takes values above 0"),
        ("state ~ age", {}, "the response 'state' is a factor; the family gaussian takes numbers"),
        ("factor(age) ~ income", {"family": "binomial"}, "has 4 levels; the family binomial takes values from 0 to 1"),
        ("income ~ age", {"family": "binomal"}, "family='binomal': did you mean 'binomial'?"),
        ("income ~ age", {"link": "logit"}, "link='logit': the family gaussian takes identity, log, inverse"),
        ("income ~ age", {"family": "Gamma(log)"}, "did you mean 'gamma'? Its link and parameters are arguments"),
        ("income ~ age", {"family": "tweedie"}, 'family="tweedie" needs varPower'),
        (
            "income ~ age",
            {"family": "tweedie", "varPower": 0.5},
            "varPower=0.5: varPower is 0, or a number of at least",
        ),
        ("income ~ age", {"varPower": 1.5}, "varPower=1.5: it belongs to the family tweedie; the family is gaussian"),
        ("income ~ age", {"family": "poisson", "theta": 2}, "theta=2: it belongs to the family negative.binomial"),
        ("income ~ age", {"family": "negative.binomial", "theta": 0}, "theta=0: theta is a number above 0"),
        ("income ~ age", {"family": "negative.binomial", "theta": "2"}, "theta='2': theta is a number above 0"),
        ("income ~ age", {"family": "negative.binomial", "link": "logit"}, "takes log, identity, sqrt"),
        ("I(age - 9) ~ income", {"family": "negative.binomial"}, "negative.binomial takes values of 0 or more"),
        ("I(age - 9) ~ income", {"family": "tweedie", "varPower": 1.5}, "tweedie takes values of 0 or more"),
        ("I(age - 1) ~ income", {"family": "tweedie", "varPower": 2}, "tweedie takes values above 0"),
        (
            "income ~ age",
            {"family": "quasi", "variance": "mu^4"},
            "variance='mu^4': the variance functions are constant",
        ),
        ("income ~ age", {"linkPower": "log"}, "linkPower='log': linkPower is a number"),
        ("income ~ age", {"link": "log", "linkPower": 0}, "link='log', linkPower=0: give one of the two"),
        ("income ~ none", {}, "no row is left of 4; 'none' lacks 4 values"),
        ("income ~ age", {"rowSelection": "age > 99"}, "no row is left of 0; the data are empty"),
        ("income ~ log(age - 1)", {}, "'log(age - 1)' has infinite values, such as the logarithm of 0"),
        ("income + age", {}, 'must be of the form "y ~ x1 + x2"'),
    ],
)
def test_input_that_cannot_be_is_refused(formula: str, arguments: dict[str, Any], told: str) -> None:
    """Each is an error that names the argument, the value and what there is instead."""
    with pytest.raises(RxArgumentError, match=re.escape(told)):
        rxGlm(formula, PEOPLE, **arguments)


def test_counts_that_vary_less_than_poisson_ones_are_told() -> None:
    """Their theta has no end: the warning says which family fits, and the coefficients are that family's."""
    table = {"y": [3, 4, 3, 5, 6, 5, 7, 6], "x": [1, 1, 1, 2, 2, 2, 3, 3]}
    with pytest.warns(RxModelWarning, match='theta has no end.*family="poisson" fits them'):
        model = rxGlm("y ~ x", table, "negative.binomial")
    assert model.params.to_numpy() == pytest.approx(rxGlm("y ~ x", table, "poisson").params.to_numpy(), rel=1e-6)
    assert model.thetaError is not None
    assert np.isnan(model.thetaError)


def test_links_that_lead_nowhere_are_refused() -> None:
    """Where the means of every start are beyond what the family has, the error names the links."""
    table = {"y": [0.0, 0.0, 0.0, 9.0], "x": [1.0, 2.0, 3.0, 4.0], "last": [0, 0, 0, 1]}
    with pytest.raises(RxArgumentError, match="its links are log, identity, sqrt"):
        rxGlm("y ~ last - 1 + offset(-x)", table, "poisson", link="identity")


def test_errors_after_one_iteration_are_those_of_r() -> None:
    """Standard errors are those of the start, one step before the coefficients, as in R."""
    with pytest.warns(RxModelWarning, match="no convergence in 1 iterations"):
        model = rxGlm("breaks ~ wool + tension", data("warpbreaks"), "poisson", maxIterations=1)
    assert model.params.tolist() == pytest.approx([3.774688372502, -0.228208244304, -0.320732106823, -0.534858113446])
    assert model.bse.tolist() == pytest.approx([0.043921900216, 0.051957339075, 0.060715642424, 0.063878448218])


def test_predictions_need_only_the_columns_of_terms_that_are_left() -> None:
    """A column that the formula takes out again may lack values in other data, or be missing there, as in R."""
    table = data("mtcars")[["mpg", "wt", "hp", "cyl"]]
    model = rxGlm("mpg ~ . - wt", table)
    wanted = [21.216782788663, 21.216782788663, 26.071238321836]
    gaps = table[:3].assign(wt=[2.6, np.nan, 2.3])
    assert model.predict(gaps).tolist() == pytest.approx(wanted)
    assert model.predict(gaps.drop(columns=["wt", "mpg"])).tolist() == pytest.approx(wanted)


def test_transforms_that_nothing_uses_are_left_out() -> None:
    """A transform of a column that the formula does not have changes nothing; its mistakes are found all the same."""
    table = data("mtcars")
    unused = {"wt": "wt / 2", "far": "hp > mean(hp)", "heavy": "log(wt)"}
    model, right = rxGlm("mpg ~ hp + cyl", table, transforms=unused), rxGlm("mpg ~ hp + cyl", table)
    assert model.params.tolist() == right.params.tolist()
    assert model.predict(table[["hp", "cyl"]]).tolist() == right.predict(table).tolist()
    chain = rxGlm("mpg ~ heavy", table, transforms=unused)
    by_hand = table.assign(heavy=np.log(table["wt"] / 2))
    assert chain.params.tolist() == pytest.approx(rxGlm("mpg ~ heavy", by_hand).params.tolist())
    with pytest.raises(RxArgumentError, match="there is no column 'weight'"):
        rxGlm("mpg ~ hp", table, transforms={"wt": "weight / 2"})


def test_predictions_need_no_column_that_was_left_out_as_aliased() -> None:
    """A column that is a combination of others may lack values in other data, or be missing there."""
    table = data("mtcars").assign(kw=lambda cars: 0.75 * cars["hp"])
    with pytest.warns(RxModelWarning, match="left out as combinations of other columns: kw"):
        model = rxGlm("mpg ~ hp + kw + wt", table)
    wanted = [23.572329403309, 22.583482563996, 25.275818724727]
    assert model.predict(table[:3].assign(kw=[1, np.nan, 2])).tolist() == pytest.approx(wanted)
    assert model.predict(table.drop(columns="kw")[:3]).tolist() == pytest.approx(wanted)
