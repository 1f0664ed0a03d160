"""Formulas mean what they mean in R: the same coefficients under the same names, for what R's users write."""

from __future__ import annotations

import functools
import itertools
import pickle
import warnings
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from golden_formulas import FORMULAS, IN_ORDER, data, expected

from rxspark import RxArgumentError, RxModelWarning, rxGlm
from rxspark.analysis.data.sources import Selection
from rxspark.analysis.glm.families import choose_family
from rxspark.analysis.glm.model import fit_table
from rxspark.analysis.glm.spec import GlmRequest, WeightColumns

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


class InParts:
    """A table whose rows lie in three parts, which travel as they do to workers; one of the parts has few rows."""

    is_distributed = True

    def __init__(self, frame: pd.DataFrame) -> None:
        self.columns = list(frame.columns)
        places = [0, 3, 3 + len(frame) // 2, len(frame)]
        self.frames = [frame[one:two] for one, two in itertools.pairwise(places)]

    def aggregate(self, needed: list[str], of: Any, add: Any) -> Any:
        """Sum of what the parts give."""
        return functools.reduce(add, [self._sent(of)(frame[needed]) for frame in self.frames])

    def blocks(self, needed: list[str], make: Any) -> Any:
        """Parts of a model."""
        made = [self._sent(make)(frame[needed]) for frame in self.frames]
        return SimpleNamespace(
            aggregate=lambda of, add: functools.reduce(add, map(self._sent(of), made)), release=lambda: None
        )

    @staticmethod
    def _sent(of: Any) -> Any:
        return pickle.loads(pickle.dumps(of))


@pytest.mark.parametrize("case", FORMULAS, ids=lambda case: f"{case['data']}: {case['formula']}")
def test_formulas_mean_the_same_of_rows_in_parts(case: dict[str, Any]) -> None:
    """R's coefficients too where no part knows the rows of the others; what needs all rows in order is refused."""
    family, link = choose_family(case["family"], None)
    request = GlmRequest(
        formula=case["formula"],
        family=family,
        link=link,
        weights=WeightColumns(case["pweights"], None),
        selection=Selection(None, {}),
        max_iterations=25,
    )
    table = InParts(data(case["data"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if IN_ORDER.search(case["formula"]):
            with pytest.raises(RxArgumentError, match="takes the column as a whole, which lies in parts"):
                fit_table(request, table)
        else:
            same(fit_table(request, table), case)
