"""rxKmeans on local data has R's numbers, draws from seeds and streams only, and gives a result that travels well."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import project
import pyarrow
import pytest
from golden import data

from rxspark import RxArgumentError, RxLocalParallel, RxModelWarning, rxElemArg, rxExec, rxKmeans
from rxspark.analysis.kmeans.result import RxKmeans

GOLDEN = project.GOLDEN / "kmeans"
CASES = pd.read_csv(GOLDEN / "cases.csv", index_col="case")
RESULTS = pd.read_csv(GOLDEN / "results.csv", dtype={"name": str}).fillna({"name": ""})
FLOWERS = "~ Sepal.Length + Sepal.Width + Petal.Length + Petal.Width"


def from_rows(case: str) -> tuple[RxKmeans, pd.DataFrame]:
    """The clustering of a golden case, from the rows of the data where R started, and the data."""
    table = data(CASES["data"][case])
    formula = CASES["formula"][case]
    starts = [int(row) - 1 for row in CASES["starts"][case].split()]
    centers = rxKmeans(formula, table.iloc[starts], len(starts), seed=0)  # each row is a cluster: columns by R's names
    assert centers.cluster is not None
    return rxKmeans(formula, table, centers=centers.centers.iloc[centers.cluster - 1]), table


@pytest.mark.parametrize("case", CASES.index)
def test_numbers_are_those_of_r(case: str) -> None:
    """From the same centers: centers, sizes, sums of squares and iterations to 1e-6, and each row's cluster."""
    model, table = from_rows(case)
    right = RESULTS.query("case == @case").groupby("key")
    for name in model.names:
        wanted = right.get_group(f"centers.{name}")["value"].to_numpy()
        assert model.centers[name].to_numpy() == pytest.approx(wanted, rel=1e-6)
    for key in ("size", "withinss", "totss", "totWithinss", "betweenss", "iterations"):
        wanted = right.get_group(key)["value"].to_numpy()
        assert np.ravel(getattr(model, key)) == pytest.approx(wanted, rel=1e-6), key
    assert model.converged
    clusters = right.get_group("cluster").set_index("name")["value"]
    known = model.cluster.dropna()
    assert list(known.index + 1) == [int(row) for row in clusters.index]
    assert list(known) == list(clusters)
    assert model.nMissingObs == len(table) - len(known)


def test_a_clustering_is_printed_as_in_r() -> None:
    """Line by line; R's vector has the rows' names above it, ours has R's form of a vector without names."""
    text, right = repr(from_rows("iris")[0]), (GOLDEN / "printed.txt").read_text()
    vector = re.compile(r"Clustering vector:\n(.*?)\n *\n", re.DOTALL)
    assert vector.sub("", text).strip() == vector.sub("", right).partition("Available")[0].strip()
    numbers = re.sub(r"\[\d+\]", "", vector.search(text).group(1)).split()
    assert numbers == "\n".join(vector.search(right).group(1).splitlines()[1::2]).split()


def test_a_notebook_shows_sizes_squares_and_centers() -> None:
    """The table of a notebook has a row for each cluster; what is long is cut in the text."""
    table = {"x": np.arange(1000.0), "y": np.zeros(1000)}
    model = rxKmeans("~ x + y", table, centers=[[0, 0], [999, 0]])
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t", row) for row in model._repr_html_().split("<tr")]
    squares = f"{model.withinss[1]:.0f}"
    assert rows[1:] == [
        ["cluster", "size", "withinss", "x", "y"],
        ["1", "500", squares, "249.5", "0"],
        ["2", "500", squares, "749.5", "0"],
    ]
    assert "... 1,000 rows in all" in repr(model)


def groups(rows: int) -> pd.DataFrame:
    """Rows in six groups that are apart."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, 2)) + 9 * rng.integers([2, 3], size=(rows, 2))
    return pd.DataFrame(x, columns=["x", "y"])


def test_the_same_seed_starts_from_the_same_rows_in_whatever_order() -> None:
    """A seed gives one clustering, also of rows that are shuffled; without one, NumPy's generator decides."""
    table = groups(15_000)
    first = rxKmeans("~ x + y", table, 6, seed=3)
    shuffled = rxKmeans("~ x + y", table.sample(frac=1, random_state=1), 6, seed=3)
    assert shuffled.centers.to_numpy() == pytest.approx(first.centers.to_numpy(), rel=1e-9)
    assert shuffled.cluster.sort_index().equals(first.cluster)
    assert not np.allclose(rxKmeans("~ x + y", table, 6, seed=4).centers, first.centers)
    found = []
    for _ in range(2):
        np.random.seed(5)
        found.append([rxKmeans("~ x + y", table[:300], 6).centers for _ in range(2)])
    assert found[0][0].equals(found[1][0])
    assert found[0][1].equals(found[1][1])
    assert not found[0][0].equals(found[0][1])


def test_more_starts_find_what_one_may_miss() -> None:
    """The best of the starts counts, the first of which is the one that the seed alone gives."""
    table = {"x": np.random.default_rng(1).uniform(size=200)}
    alone, best = (
        np.array([rxKmeans("~ x", table, 8, seed=seed, numStarts=starts).totWithinss for seed in range(5)])
        for starts in (1, 6)
    )
    assert (best <= alone).all()
    assert (best < 0.999 * alone).any()


def cluster(rows: int) -> Any:
    """Draw data and cluster them, or give the clustering: a task."""
    x = np.random.uniform(size=abs(rows))
    model = rxKmeans("~ x", {"x": x}, 4)
    return model.centers["x"].tolist() if rows > 0 else model


def test_tasks_cluster_on_streams_of_their_own() -> None:
    """Inside rxExec each task draws its starts from its stream, quietly, with the numbers of the default context."""
    right = rxExec(cluster, rxElemArg([200] * 4), RNGseed=1)
    with RxLocalParallel():
        found = rxExec(cluster, rxElemArg([200] * 4), RNGseed=1)
        models = rxExec(cluster, rxElemArg([-200, -200]), RNGseed=1)
    assert found == right
    assert len({tuple(centers) for centers in found}) == 4
    assert not any(found.output)
    assert [model.centers["x"].tolist() for model in models] == right[:2]
    starts = rxExec(lambda: rxKmeans("~ x", {"x": range(200)}, 7, maxIterations=9).centers["x"].tolist(), timesToRun=4)
    assert len({tuple(centers) for centers in starts}) == 4  # of the same data


def test_results_pickle_small_and_whole() -> None:
    """A clustering of 50,000 rows takes a byte a row and a few kilobytes, and what comes back predicts the same."""
    table = groups(50_000)
    model = rxKmeans("~ x + y", table, 6, seed=1)
    packed = pickle.dumps(model)
    assert len(packed) < 50_000 + 5_000
    again = pickle.loads(packed)
    assert again.centers.equals(model.centers)
    assert again.cluster.equals(model.cluster)
    assert again.predict(table).equals(model.cluster)


@pytest.mark.parametrize("kind", ["dict", "arrow", "path", "nullable"])
def test_local_data_may_come_in_many_ways(kind: str, tmp_path: Path) -> None:
    """A dict of columns, a pyarrow Table, a Parquet file, pandas' own types: one clustering."""
    table = data("airquality")
    table.to_parquet(tmp_path / "part.parquet")
    given = {
        "dict": {name: list(table[name]) for name in table},
        "arrow": pyarrow.Table.from_pandas(table),
        "path": str(tmp_path / "part.parquet"),
        "nullable": table.convert_dtypes(),
    }[kind]
    model, right = (rxKmeans("~ Ozone + log(Solar.R) + Wind", one, 3, seed=2) for one in (given, table))
    assert model.centers.equals(right.centers)
    assert model.cluster.equals(right.cluster)


def test_rows_are_chosen_and_columns_made_first() -> None:
    """The cluster of each chosen row has the index of the data, NA where a value is missing or has no logarithm."""
    table = pd.DataFrame({"x": [1.0, 2, np.nan, 60, 61, -5, 7], "use": [1, 1, 1, 1, 1, 1, 0]}, index=list("abcdefg"))
    model = rxKmeans("~ z", table, centers=[[0.0], [4.0]], rowSelection="use == 1", transforms={"z": "log(x)"})
    assert model.cluster.fillna(0).to_dict() == {"a": 1, "b": 1, "c": 0, "d": 2, "e": 2, "f": 0}
    assert (model.nValidObs, model.nMissingObs) == (4, 2)
    told = model.predict(pd.DataFrame({"z": [3.9, np.nan, 0.1]}, index=[7, 8, 9]))
    assert told.name == "rxCluster"
    assert told.fillna(0).to_dict() == {7: 2, 8: 0, 9: 1}


def test_neither_units_nor_zero_points_matter() -> None:
    """Far from zero, and in columns that scale() brings together, the clusters are those of the plain columns."""
    table = pd.DataFrame(np.random.default_rng(1).normal(size=(500, 2)), columns=["x", "y"])
    centers = table[:3]
    right = rxKmeans("~ x + y", table, centers=centers)
    far = rxKmeans("~ x + y", table + 1e9, centers=centers + 1e9)
    assert far.cluster.equals(right.cluster)
    assert far.withinss.to_numpy() == pytest.approx(right.withinss.to_numpy(), rel=1e-6)
    scaled = rxKmeans("~ scale(x) + scale(y)", table * [1, 1e6], 3, seed=1)
    assert scaled.predict(table * [1, 1e6]).equals(scaled.cluster)
    assert scaled.totss == pytest.approx(2 * 499)


def test_rows_that_are_alike_count_each() -> None:
    """Of 30,000 rows, five distinct: five clusters with nothing within them, and no sixth."""
    table = {"x": np.repeat([0.0, -0.0, 3, 5, 9, 11], 5_000)}
    model = rxKmeans("~ x", table, 5, seed=1)
    assert sorted(model.centers["x"]) == pytest.approx([0, 3, 5, 9, 11], abs=1e-9)
    assert sorted(model.size) == [5_000, 5_000, 5_000, 5_000, 10_000]
    assert model.totWithinss == pytest.approx(0, abs=1e-9)
    with pytest.raises(RxArgumentError, match="numClusters=6: the data have 5 distinct rows"):
        rxKmeans("~ x", table, 6)


def test_too_few_iterations_are_told_and_flagged() -> None:
    """maxIterations=1 takes one step and says so; the clusters are then those of the centers there are."""
    table = {"x": np.random.default_rng(1).uniform(size=300)}
    with pytest.warns(RxModelWarning, match="no convergence in 1 iterations; a larger maxIterations may help") as told:
        model = rxKmeans("~ x", table, 5, seed=1, maxIterations=1)
    assert told[0].filename == __file__
    assert not model.converged
    assert "did not converge" in repr(model)
    assert model.predict(table).equals(model.cluster)


PEOPLE = {
    "age": [1.0, 4, 9, 16],
    "weight": [2.0, 2, 2, 3],
    "state": list("abab"),
    "none": [None] * 4,
    "old": [True] * 4,
}


@pytest.mark.parametrize(
    ("formula", "arguments", "told"),
    [
        ("~ agee", {}, "there is no column 'agee'; did you mean 'age'?"),
        ("age ~ weight", {}, 'must be of the form "~ x1 + x2"'),
        ("~ 1", {}, "it names no column"),
        ("~ age + state", {}, "'state' is a factor, and k-means takes numbers"),
        ("~ old", {}, "'old' is a factor"),
        ("~ factor(age)", {}, "'factor(age)' is a factor"),
        ("~ none", {}, "no row is left of 4; 'none' lacks 4 values"),
        ("~ age", {"rowSelection": "age > 99"}, "no row is left of 0; the data are empty"),
        ("~ age", {"rowSelection": "agee > 9"}, "rowSelection: there is no column 'agee'; did you mean 'age'?"),
        ("~ log(age - 1)", {}, "'log(age - 1)' has infinite values"),
        ("~ age", {"numClusters": None}, "rxKmeans needs numClusters, or centers to start from"),
        ("~ age", {"numClusters": 0}, "numClusters=0: numClusters must be a whole number of at least 1"),
        ("~ age", {"numClusters": 5}, "numClusters=5: the data have 4 distinct rows"),
        ("~ weight", {"numClusters": 3}, "numClusters=3: the data have 2 distinct rows"),
        ("~ age", {"centers": [[1], [2], [3]]}, "numClusters=2: there are 3 centers"),
        ("~ age", {"centers": [[1, 2], [3, 4]]}, "centers have 2 columns; the formula has 1: age"),
        ("~ age", {"centers": [[1], [1]]}, "centers are not distinct"),
        ("~ age", {"centers": [[1], [np.nan]]}, "centers have missing or infinite values"),
        ("~ age", {"centers": [1, 2]}, "centers=[1, 2]: centers are numbers, a row for each cluster"),
        ("~ age", {"centers": pd.DataFrame({"agee": [1, 2]})}, "centers: there is no column 'age'"),
        ("~ age", {"centers": [[1], [2]], "numStarts": 2}, "numStarts=2: with centers given there is one start"),
        ("~ age", {"algorithm": "Hartigan-Wong"}, "algorithm='Hartigan-Wong': algorithm is \"Lloyd\""),
        ("~ age", {"maxIterations": 0}, "maxIterations=0"),
        ("~ age", {"seed": -1}, "seed=-1: seed must be a whole number of at least 0"),
        ("~ age", {"seed": 2**32}, "a seed of rxKmeans is at most 2**32 - 1"),
    ],
)
def test_input_that_cannot_be_is_refused(formula: str, arguments: dict[str, Any], told: str) -> None:
    """Each is an error that names the argument, the value and what there is instead."""
    with pytest.raises(RxArgumentError, match=re.escape(told)):
        rxKmeans(formula, PEOPLE, **{"numClusters": 2, **arguments})
