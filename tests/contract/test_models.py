"""rxGlm and rxKmeans mean the same on data in this process and over a cluster: one model, equal to 1e-9."""

from __future__ import annotations

import pickle
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rxspark import (
    ComputeContext,
    RxArgumentError,
    RxFileError,
    RxLocalSeq,
    RxModelWarning,
    RxSpark,
    rxExec,
    rxGetComputeContext,
    rxGlm,
    rxKmeans,
)

HERE = "fits here, as local does"
pytestmark = [
    pytest.mark.left_out(localpar=HERE, dopar_loky=HERE, dopar_threading=HERE),
    pytest.mark.slow_in("spark-cluster"),
]


def table() -> pd.DataFrame:
    """Visits of people; some values are missing."""
    rng = np.random.default_rng(3)
    n = 300
    found = pd.DataFrame(
        {
            "home.town": rng.choice(["Bonn", "Ulm", "Aalen"], n),
            "old": rng.random(n) < 0.4,
            "age": rng.integers(18, 90, n).astype(float),
            "years": rng.uniform(0.5, 4, n),
            "group": rng.choice([2, 10, 1], n),
            "times": rng.integers(0, 4, n),
        }
    )
    found["visits"] = rng.poisson(found["years"] * np.exp(0.01 * found["age"] - 0.5 * found["old"]))
    found["cost"] = rng.gamma(2, 1 + found["group"])
    found.loc[[3, 70], "home.town"] = None
    found.loc[9, "age"] = np.nan
    return found


def given(frame: pd.DataFrame) -> Any:
    """The data where the context works: in this process, or spread over Spark."""
    context = rxGetComputeContext()
    if isinstance(context, RxLocalSeq):
        return frame
    from rxspark.backends.spark.session import active_session

    rxExec(abs, -1)  # starts the session
    assert isinstance(context, RxSpark)
    return active_session(context).createDataFrame(frame.replace({np.nan: None})).repartition(2)


def close(model: Any, right: Any) -> None:
    """All numbers of a model agree."""
    assert model.names == right.names
    assert model.aliased == right.aliased
    for one, other in zip(model.table().to_numpy().T, right.table().to_numpy().T, strict=True):
        assert one == pytest.approx(other, rel=1e-7, abs=1e-12, nan_ok=True)
    for key in ("deviance", "nullDeviance", "aic", "dispersion"):
        assert getattr(model, key) == pytest.approx(getattr(right, key), rel=1e-9, nan_ok=True), key
    for key in ("dfResidual", "dfNull", "rank", "iterations", "converged", "separated"):
        assert getattr(model, key) == getattr(right, key), key


def test_counts_with_selections_frequencies_and_offset() -> None:
    """Poisson with factors, a column that is made, rows that are chosen, frequencies and an offset: as made by hand."""
    frame = table()
    data = given(frame)
    model = rxGlm(
        "visits ~ home.town * old + late + offset(log(years))",
        data,
        "poisson",
        fweights="times",
        transforms={"late": "age >= 60 | age < 20"},
        rowSelection="years > 1 & group != 2",
    )
    by_hand = frame[(frame["years"] > 1) & (frame["group"] != 2)]
    by_hand = by_hand.assign(late=(by_hand["age"] >= 60) | (by_hand["age"] < 20))
    close(model, rxGlm("visits ~ home.town * old + late + offset(log(years))", repeated(by_hand), "poisson"))
    assert model.nMissingObs == by_hand["home.town"].isna().sum()
    assert model.nValidObs == by_hand["home.town"].notna().sum()
    again = pickle.loads(pickle.dumps(model))
    new = {"home.town": ["Ulm", None], "old": [True, False], "late": [False, True], "years": [2.0, 1.0]}
    told = again.predict(pd.DataFrame(new))
    assert told[0] == pytest.approx(model.predict(pd.DataFrame(new))[0])
    assert np.isnan(told[1])


def repeated(frame: pd.DataFrame) -> pd.DataFrame:
    """Each row as often as `times` says."""
    return frame.loc[frame.index.repeat(frame["times"])].reset_index(drop=True)


def test_costs_with_weights_a_link_and_collinear_columns() -> None:
    """Gamma with a link that is not the default, prior weights, numbers as a factor, a column too much; predictions."""
    frame = table()
    formula = "cost ~ factor(group) + age + I(2 * age) + age:old"
    with pytest.warns(RxModelWarning, match=r"combinations of other columns: I\(2 \* age\)"):
        model = rxGlm(formula, given(frame), "gamma", link="log", pweights="years")
    with pytest.warns(RxModelWarning):
        right = rxGlm(formula, frame, "gamma", link="log", pweights="years")
    close(model, right)
    wanted = right.predict(frame)
    assert model.names[:3] == ("(Intercept)", "factor(group)2", "factor(group)10")
    new = given(frame.assign(row=range(len(frame))))
    told = model.predict(new)
    found = told if isinstance(told, pd.Series) else told.toPandas().sort_values("row")["cost_Pred"]
    assert found.to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("formula", "arguments"),
    [
        ("cbind(visits, times + 1) ~ home.town + log(age)", {"family": "binomial", "pweights": "years"}),
        ("times / group ~ age", {"family": "quasibinomial", "link": "cauchit", "pweights": "group"}),
        ("visits ~ age + old", {"family": "negative.binomial"}),
        ("visits ~ age", {"family": "negative.binomial", "theta": 2, "link": "sqrt", "fweights": "times"}),
        ("visits ~ old * home.town", {"family": "tweedie", "varPower": 1.4, "linkPower": 0.3}),
        ("cost ~ factor(group)", {"family": "quasi", "variance": "mu^2", "link": "log"}),
    ],
)
def test_grouped_responses_and_families_with_a_parameter(formula: str, arguments: dict[str, Any]) -> None:
    """Successes and failures, shares with trials, theta given and fitted, powers: one model wherever the rows are."""
    frame = table()
    if "group" in formula:
        frame = frame[frame["times"] <= frame["group"]].reset_index(drop=True)
    right = rxGlm(formula, frame, **arguments)
    model = rxGlm(formula, given(frame), **arguments)
    close(model, right)
    for one, other in ((model.theta, right.theta), (model.thetaError, right.thetaError)):
        assert one == (None if other is None else pytest.approx(other, rel=1e-7))
    again = pickle.loads(pickle.dumps(model))
    assert again.predict(frame[:5]).to_numpy() == pytest.approx(right.predict(frame[:5]).to_numpy(), nan_ok=True)
    told = model.residuals(given(frame.assign(row=range(len(frame)))), type="pearson")
    found = (
        told
        if isinstance(told, pd.Series)
        else told.toPandas().sort_values("row")[f"{model.parsed.response_label}_Resid"]
    )
    wanted = right.residuals(frame, type="pearson")
    assert found.to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-6, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("formula", "arguments", "told"),
    [
        ("visit ~ age", {}, "there is no column 'visit'; did you mean 'visits'?"),
        ("visits ~ age", {"rowSelection": "agee > 3"}, "there is no column 'agee'; did you mean 'age'?"),
        ("visits ~ age", {"family": "binomial"}, "the family binomial takes values from 0 to 1"),
        ("visits ~ age", {"rowSelection": "age > 999"}, "no row is left"),
        ("cbind(visits, times) ~ age", {}, "has successes and failures; the family gaussian takes numbers"),
        ("cbind(visits, -times) ~ age", {"family": "binomial"}, "numbers of successes and failures are 0 or more"),
        ("cbind(visits, home.town) ~ age", {"family": "binomial"}, "cbind takes numbers, and not text"),
        ("cbind(visits, time) ~ age", {"family": "binomial"}, "no column 'time'; did you mean 'times'?"),
    ],
)
def test_bad_input_is_told_alike(formula: str, arguments: dict[str, Any], told: str) -> None:
    """A wrong argument, or wrong values, are the same error wherever the data are."""
    with pytest.raises(RxArgumentError, match=re.escape(told)):
        rxGlm(formula, given(table()), **arguments)


def test_clusters_from_a_seed_with_selections_and_gaps() -> None:
    """A seed starts from the same rows wherever they are: centers, sums, steps, clusters; an empty one has to move."""
    frame = table()
    arguments: dict[str, Any] = {"transforms": {"wide": "age * 2"}, "rowSelection": "group > 1"}
    data = given(frame.assign(row=range(len(frame))))
    ways: list[dict[str, Any]] = [{"numClusters": 3, "seed": 4}, {"centers": [[30, 1], [150, 2], [9999, 9]]}]
    for more in ways:
        model = rxKmeans("~ wide + log(cost)", data, **more, **arguments)
        with RxLocalSeq():
            right = rxKmeans("~ wide + log(cost)", frame, **more, **arguments)
        for key in ("values", "sizes", "squares", "totss"):
            assert getattr(model, key) == pytest.approx(getattr(right, key), rel=1e-9), key
        for key in ("names", "iterations", "converged", "nValidObs", "nMissingObs"):
            assert getattr(model, key) == getattr(right, key), key
        assert model.nMissingObs == 1
        assert model.sizes.min() > 0
    wanted = right.predict(frame.assign(wide=frame["age"] * 2))
    told = pickle.loads(pickle.dumps(model)).predict(given(frame.assign(wide=frame["age"] * 2, row=range(len(frame)))))
    found = told if isinstance(told, pd.Series) else told.toPandas().sort_values("row")["rxCluster"]
    assert found.fillna(0).tolist() == wanted.fillna(0).tolist()
    assert repr(model).startswith("K-means clustering with 3 clusters of sizes ")


@pytest.mark.parametrize(
    ("formula", "clusters", "told"),
    [
        ("~ agee", 2, "there is no column 'agee'; did you mean 'age'?"),
        ("~ age + `home.town`", 2, "'home.town' is a factor, and k-means takes numbers"),
        ("~ age + old", 2, "'old' is a factor"),
        ("~ group", 4, "numClusters=4: the data have 3 distinct rows"),
        ("~ log(times)", 2, "'log(times)' has infinite values"),
        ("~ log(0 - cost)", 2, "no row is left of 300"),
    ],
)
def test_what_cannot_be_clustered_is_told_alike(formula: str, clusters: int, told: str) -> None:
    """Wrong columns, or a wrong number of clusters, are the same error wherever the data are."""
    with pytest.raises(RxArgumentError, match=re.escape(told)):
        rxKmeans(formula, given(table()), clusters)


def test_transforms_may_replace_columns_and_are_applied_again_by_predict() -> None:
    """A made column may have the name of one that it is made of; predict makes it of new data too."""
    frame = table()
    made = {"age": "age / 10", "wide": "age * 2"}
    model = rxGlm("visits ~ age + wide:years", given(frame), "poisson", transforms=made)
    by_hand = frame.assign(age=frame["age"] / 10, wide=frame["age"] / 5)
    close(model, rxGlm("visits ~ age + wide:years", by_hand, "poisson"))
    told = model.predict(given(frame.assign(row=range(len(frame)))))
    found = told if isinstance(told, pd.Series) else told.toPandas().sort_values("row")["visits_Pred"]
    right = rxGlm("visits ~ age + wide:years", by_hand, "poisson").predict(by_hand)
    assert found.to_numpy() == pytest.approx(right.to_numpy(), rel=1e-7, nan_ok=True)
    clusters = rxKmeans("~ age", given(frame), centers=[[2], [6]], transforms={"age": "age / 10"})
    assert clusters.centers["age"].tolist() == pytest.approx(
        rxKmeans("~ age", by_hand, centers=[[2], [6]]).centers["age"].tolist()
    )


def test_numbers_of_a_database_are_numbers() -> None:
    """Decimals have one coefficient, wherever they are."""
    frame = table().assign(price=[Decimal(number) / 4 for number in range(300)])
    close(rxGlm("cost ~ price", given(frame)), rxGlm("cost ~ price", frame.assign(price=frame["price"].astype(float))))


@pytest.mark.left_out(local="names there differ by capitals too")
def test_names_that_spark_takes_for_one_are_told() -> None:
    """Columns of one name, by capitals or in full, are named before Spark says that they are ambiguous."""
    data = given(table())
    twice = data.toDF(*("Age" if name == "years" else name for name in data.columns))
    for source, told in ((twice, "'age', 'Age'"), (data.select("*", "age"), "'age', 'age'")):
        with pytest.raises(RxArgumentError, match=f"2 columns have .*: {told}; rename or drop"):
            rxGlm("visits ~ age", source)
        with pytest.raises(RxArgumentError, match=f"2 columns have .*: {told}; rename or drop"):
            rxGlm("visits ~ age", data).predict(source)
    close(rxGlm("visits ~ cost", twice), rxGlm("visits ~ cost", table()))


@pytest.mark.left_out(local="it is about Spark")
def test_data_of_spark_by_name_and_by_path(context: ComputeContext, where: str, tmp_path: Path) -> None:
    """A table's name and the path of Parquet files; what is not there is told; local data are fitted here."""
    from rxspark.backends.spark.session import active_session

    frame = table().dropna()
    data = given(frame)
    data.createOrReplaceTempView("people")
    data.write.parquet(str(tmp_path / "people"))
    right = rxGlm("cost ~ age", frame)
    for source in ("people", str(tmp_path / "people")):
        close(rxGlm("cost ~ age", source), right)
    with pytest.raises(RxFileError, match="data='persons': there is no such table"):
        rxGlm("cost ~ age", "persons")
    with pytest.raises(RxFileError, match="there is no such Parquet file where Spark looks"):
        rxGlm("cost ~ age", str(tmp_path / "persons.parquet"))
    with pytest.raises(RxArgumentError, match=r"ns\(age, 3\) takes the column as a whole"):
        rxGlm("cost ~ ns(age, 3)", data)
    with RxLocalSeq(), pytest.raises(RxArgumentError, match=r'rxSetComputeContext\("spark"\) works over the cluster'):
        rxGlm("cost ~ age", data)
    with RxLocalSeq(), pytest.raises(RxArgumentError, match="rxKmeans: data is a Spark DataFrame"):
        rxKmeans("~ age", data, 2)
    assert rxKmeans("~ age", "people", 2, seed=1).values == pytest.approx(rxKmeans("~ age", frame, 2, seed=1).values)
    if where != "spark-connect":  # which has no RDDs to show
        assert isinstance(context, RxSpark)
        assert not active_session(context).sparkContext._jsc.getPersistentRDDs()  # what the fits kept is gone
