"""RxKmeans: what rxKmeans found, as R's users know it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.data.sources import on_spark
from rxspark.analysis.data.tables import LocalTable
from rxspark.analysis.formula.design import Design
from rxspark.analysis.formula.formula import Formula
from rxspark.analysis.kmeans.rows import nearest
from rxspark.analysis.printing import formatted, matrix, vector_lines
from rxspark.contexts import rxGetComputeContext

__all__ = ["RxKmeans", "codes_of"]

_NAME = "rxCluster"
_SHOWN = 300
"""How much of the clustering vector is printed."""


@dataclass(frozen=True, repr=False)
class RxKmeans:
    """Clusters of rows; they have the numbers 1, 2, ..., as in R.

    Attributes
    ----------
    formula : str
        What was clustered.
    names : tuple of str
        The columns, as R names them.
    totss : float
        The sum of squares around the mean of all rows.
    iterations : int
        How often all rows were given to their nearest centers, the last time that changed nothing included.
    converged : bool
        Whether the iteration came to its end.
    nValidObs, nMissingObs : int
        Rows that were used, and rows that were left out as they lack a value.
    """

    formula: str
    names: tuple[str, ...]
    values: Any = field(compare=False)
    """The centers, of shape (clusters, columns)."""
    sizes: Any = field(compare=False)
    squares: Any = field(compare=False)
    """The sum of squares within each cluster."""
    totss: float
    iterations: int
    converged: bool
    nValidObs: int
    nMissingObs: int
    design: Design = field(compare=False)
    """How the columns of other data are made."""
    codes: Any = field(compare=False, default=None)
    """The number of each row's cluster in the smallest type that holds it, 0 where a value is missing."""
    index: Any = field(compare=False, default=None)

    @property
    def parsed(self) -> Formula:
        """The formula, taken apart."""
        return self.design.formula

    @property
    def centers(self) -> pd.DataFrame:
        """The mean of each cluster: a row for each cluster, a column for each of the formula."""
        return pd.DataFrame(self.values, self._numbers, self.names)

    @property
    def size(self) -> pd.Series:
        """The number of rows in each cluster."""
        return pd.Series(self.sizes, self._numbers, name="size")

    @property
    def withinss(self) -> pd.Series:
        """The sum of squares within each cluster."""
        return pd.Series(self.squares, self._numbers, name="withinss")

    @property
    def totWithinss(self) -> float:
        """The sum of `withinss`, which k-means makes small."""
        return float(self.squares.sum())

    @property
    def betweenss(self) -> float:
        """What is left of `totss`: the sum of squares between the clusters."""
        return self.totss - self.totWithinss

    @property
    def cluster(self) -> pd.Series | None:
        """The cluster of each row that rowSelection takes, with the index of the data; NA where a value is missing.

        None for data of Spark: ``predict`` gives them a column.
        """
        return None if self.codes is None else _series(self.codes, self.index)

    @property
    def _share(self) -> float:
        return 100 * self.betweenss / self.totss if self.totss else 0.0

    @property
    def _numbers(self) -> Any:
        return range(1, len(self.values) + 1)

    def predict(self, data: Any) -> Any:
        """Find the nearest center to each row of other data.

        Parameters
        ----------
        data : as for `rxKmeans`
            Data that have the columns of the formula.

        Returns
        -------
        pandas.Series or Spark DataFrame
            The number of a cluster for each row, NA where a column that is needed has no value. Of a Spark DataFrame:
            the same with a column ``rxCluster`` more, null where there is no number.

        Raises
        ------
        RxArgumentError
            When a column is missing.
        """
        context = rxGetComputeContext()
        if on_spark(data, context, "predict"):
            from rxspark.analysis.data.spark_predict import with_column
            from rxspark.analysis.data.spark_tables import spark_data

            there = spark_data(data, context, "predict")
            return with_column(there, _NAME, "integer", self.design.needed_of_new(there.columns), self.predict)
        table = LocalTable(data, "predict")
        frame = table.frame(self.design.needed_of_new(table.columns))
        x, _, whole = self.design.of_new(frame)
        given = np.isfinite(x).all(axis=1)
        mean = self.sizes @ self.values / self.sizes.sum()  # far from zero, distances from it would cost digits
        labels = nearest(self.values - mean, x[given] - mean)
        return _series(codes_of(labels, np.flatnonzero(whole)[given], len(frame)), frame.index)

    def __repr__(self) -> str:
        """What R prints of a clustering."""
        sizes = ", ".join(map(str, self.sizes))
        withins = "\n".join(vector_lines(formatted(self.squares)))
        missing = f"({self.nMissingObs} observations deleted due to missingness)\n" if self.nMissingObs else ""
        ended = "" if self.converged else "The iteration did not converge.\n"
        return (
            f"K-means clustering with {len(self.values)} clusters of sizes {sizes}\n{missing}\n"
            f"Cluster means:\n{matrix(self.names, self.values)}\n\n{self._vector()}"
            f"Within cluster sum of squares by cluster:\n{withins}\n"
            f" (between_SS / total_SS = {self._share:5.1f} %)\n{ended}"
        )

    def _vector(self) -> str:
        """The first lines of the clustering vector."""
        if self.codes is None:
            return ""
        lines = vector_lines([str(code) if code else "NA" for code in self.codes[:_SHOWN]])
        more = [f"... {len(self.codes):,} rows in all"] if len(self.codes) > _SHOWN else []
        return "\n".join(["Clustering vector:", *lines, *more]) + "\n\n"

    def _repr_html_(self) -> str:
        table = pd.concat([self.size, self.withinss, self.centers], axis=1).to_html()
        return f"<p>{len(self.values)} clusters, between_SS / total_SS = {self._share:.1f} %</p>{table}"


def codes_of(labels: Any, rows: Any, of: int) -> Any:
    """Numbers from 1 for those of so many rows that have labels from 0, and 0 for the others; a byte each if it can."""
    codes = np.zeros(of, np.min_scalar_type(int(labels.max(initial=0)) + 1))
    codes[rows] = labels + 1
    return codes


def _series(codes: Any, index: Any) -> pd.Series:
    return pd.Series(pd.arrays.IntegerArray(codes.astype(np.int32), codes == 0), index, name=_NAME)
