"""Formulas mean the same over a cluster; what a cluster cannot give is refused by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden_formulas import FORMULAS, IN_ORDER, data

from rxspark import RxArgumentError, RxSpark, rxGlm

pytestmark = pytest.mark.spark

SOME = (
    'uptake ~ interaction(Type, Treatment, sep = "_") + conc',
    "mpg ~ poly(wt, hp, degree = 2)",
    "mpg ~ I(wt - mean(wt)) + I((hp - mean(hp)) / sd(hp))",
    "mpg ~ ns(wt, knots = c(2.5, 3.5))",
    "mpg ~ cut(hp, quantile(hp), include.lowest = TRUE)",
    "Ozone ~ scale(log(Solar.R)) + Wind",
    "Ozone ~ ifelse(is.na(Solar.R), 0, Solar.R) + Temp",
    "y ~ `body mass` * `a group`",
)


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """A Spark session, and the context over it."""
    from rxspark.backends.spark.session import active_session, stop_own

    stop_own()
    context = RxSpark(master="local[2,4]", extraSparkConfig={"spark.ui.enabled": "false"})
    with context:
        from rxspark import rxExec

        rxExec(abs, -1)
        yield active_session(context)
    stop_own()


def plain(name: str) -> pd.DataFrame:
    """A data set with text in place of factors, which Spark does not know."""
    table = data(name)
    texts = {column: table[column].astype(object) for column in table if table[column].dtype == "category"}
    return table.assign(**texts)


def same(session: Any, case: dict[str, Any], tables: dict[str, Any]) -> None:
    """The model over Spark is that of the same data here."""
    name = case["data"]
    if name not in tables:
        frame = plain(name)
        tables[name] = session.createDataFrame(frame.astype(object).where(frame.notna(), None)).repartition(3).cache()
    arguments = {"family": case["family"], "pweights": case["pweights"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if IN_ORDER.search(case["formula"]):
            with pytest.raises(RxArgumentError, match="takes the column as a whole"):
                rxGlm(case["formula"], tables[name], **arguments)
            return
        model, right = (rxGlm(case["formula"], table, **arguments) for table in (tables[name], plain(name)))
    where = (name, case["formula"])
    assert model.names == right.names, where
    for found, wanted in ((model.params, right.params), (model.bse, right.bse)):
        assert found.to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-6, abs=1e-9, nan_ok=True), where
    for key in ("deviance", "nullDeviance", "aic", "dfResidual", "rank", "nMissingObs", "nValidObs"):
        assert getattr(model, key) == pytest.approx(getattr(right, key), rel=1e-7, abs=1e-9), (*where, key)


def test_some_formulas_mean_the_same_on_spark(session: Any) -> None:
    """Interactions, whole columns, missing values and odd names, each once."""
    tables: dict[str, Any] = {}
    cases = [case for case in FORMULAS if case["formula"] in SOME]
    assert len(cases) == len(SOME)
    for case in cases:
        same(session, case, tables)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_all_formulas_mean_the_same_on_spark(session: Any) -> None:
    """All of those that are held to R's numbers here."""
    tables: dict[str, Any] = {}
    for case in FORMULAS:
        if "as.numeric(alcgp)" not in case["formula"]:  # which is of a factor, and here there is text
            same(session, case, tables)


def test_whole_columns_are_those_of_the_chosen_rows(session: Any) -> None:
    """Means in transforms, rowSelection and the formula are of the rows that each sees; predictions keep them."""
    frame = plain("mtcars")
    arguments: dict[str, Any] = {
        "transforms": {"wt": "wt / mean(wt)", "far": "hp > mean(hp)"},
        "rowSelection": "qsec > mean(qsec) - 1",
    }
    model = rxGlm("mpg ~ scale(wt) + far", session.createDataFrame(frame), **arguments)
    by_hand = frame.assign(wt=frame["wt"] / frame["wt"].mean(), far=frame["hp"] > frame["hp"].mean())
    by_hand = by_hand[frame["qsec"] > frame["qsec"].mean() - 1]
    by_hand["z"] = (by_hand["wt"] - by_hand["wt"].mean()) / by_hand["wt"].std()
    assert model.params.to_numpy() == pytest.approx(rxGlm("mpg ~ z + far", by_hand).params.to_numpy(), rel=1e-9)
    told = model.predict(session.createDataFrame(frame)).toPandas()["mpg_Pred"]
    with RxSpark():
        assert np.allclose(told, model.predict(frame))
