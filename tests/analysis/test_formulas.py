"""Formulas mean what they mean in R: the same coefficients under the same names, for what R's users write."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from golden_formulas import FORMULAS, data, expected

from rxspark import RxModelWarning, rxGlm

KEYS = ("deviance", "nullDeviance", "aic", "dfResidual", "dfNull", "rank")


def same(model: Any, case: dict[str, Any]) -> None:
    """Names, coefficients, standard errors, deviances, degrees of freedom and AIC are those of R."""
    right = expected(case)
    assert list(model.names) == list(right["coefficient"].index)
    assert model.params.to_numpy() == pytest.approx(right["coefficient"].to_numpy(), rel=1e-6, abs=1e-9, nan_ok=True)
    assert model.bse.to_numpy() == pytest.approx(right["error"].to_numpy(), rel=1e-6, nan_ok=True)
    assert set(model.aliased) == {name for name, value in right["coefficient"].items() if value != value}
    for key in KEYS:
        assert getattr(model, key) == pytest.approx(right[key].iloc[0], rel=1e-6, abs=1e-9), key
    assert model.nMissingObs == right["missing"].iloc[0]


def fitted(case: dict[str, Any], table: Any) -> Any:
    """The model of a case; collinear columns are told of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "rxGlm .*: left out as combinations", RxModelWarning)
        return rxGlm(case["formula"], table, case["family"], pweights=case["pweights"])


@pytest.mark.parametrize("case", FORMULAS, ids=lambda case: f"{case['data']}: {case['formula']}")
def test_formulas_mean_what_they_mean_in_r(case: dict[str, Any]) -> None:
    """Each formula has R's coefficients, under R's names."""
    same(fitted(case, data(case["data"])), case)
