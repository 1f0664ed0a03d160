"""RxKmeans: a clustering, with the methods and the printed form of R's kmeans."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from rxspark.analysis.arrays import FloatArray, IntArray
from rxspark.analysis.data.opening import RowFunction
from rxspark.analysis.formula.design import Design
from rxspark.analysis.formula.formula import Formula
from rxspark.analysis.kmeans.sums import nearest
from rxspark.analysis.printing import formatted, matrix, vector_lines
from rxspark.html_tables import html_table

__all__ = ["RxKmeans", "cluster_codes"]

_COLUMN = "rxCluster"
_PRINTED_ROWS = 300
"""The rows whose clusters are printed."""


@dataclass(frozen=True, repr=False)
class RxKmeans:
    """A clustering of rows; clusters are numbered 1, 2, ... as in R.

    Attributes
    ----------
    formula : str
        The formula of the columns.
    names : tuple of str
        The columns, as R names them.
    totss : float
        The sum of squares around the mean of all rows.
    iterations : int
        How often all rows were assigned to their nearest centers, with the last time, which changed nothing.
    converged : bool
        Whether the iteration converged.
    nValidObs, nMissingObs : int
        Rows that were used, and rows that were left out as they lack a value.
    """

    formula: str
    names: tuple[str, ...]
    values: FloatArray = field(compare=False)
    """The centers, of shape (clusters, columns)."""
    sizes: IntArray = field(compare=False)
    squares: FloatArray = field(compare=False)
    """The sum of squares within each cluster."""
    totss: float
    iterations: int
    converged: bool
    nValidObs: int
    nMissingObs: int
    design: Design = field(compare=False)
    """The design, which makes the columns of other data."""
    codes: Any = field(compare=False, default=None)
    """The number of each row's cluster in the smallest type that holds it, 0 where a value is missing."""
    index: Any = field(compare=False, default=None)

    @property
    def parsed(self) -> Formula:
        """The formula, parsed."""
        return self.design.formula

    @property
    def centers(self) -> pd.DataFrame:
        """The mean of each cluster: shape (clusters, columns)."""
        return pd.DataFrame(self.values, self._numbers, self.names)

    @property
    def size(self) -> pd.Series:
        """The number of rows of each cluster."""
        return pd.Series(self.sizes, self._numbers, name="size")

    @property
    def withinss(self) -> pd.Series:
        """The sum of squares within each cluster."""
        return pd.Series(self.squares, self._numbers, name="withinss")

    @property
    def totWithinss(self) -> float:
        """The sum of `withinss`, which k-means minimizes."""
        return float(self.squares.sum())

    @property
    def betweenss(self) -> float:
        """The sum of squares between the clusters: `totss` less `totWithinss`."""
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

        Examples
        --------
        >>> from rxspark import rxKmeans
        >>> model = rxKmeans("~ x", {"x": [1, 2, 11, 3, 12]}, centers=[[1], [12]])
        >>> model.predict({"x": [4, 9]}).tolist()
        [1, 2]
        """
        return RowFunction(
            function="predict",
            column=_COLUMN,
            sql_type="integer",
            needed=self.design.predictor_columns,
            of=self._predict,
        ).apply(data)

    def _predict(self, frame: pd.DataFrame) -> pd.Series:
        x, _, kept = self.design.predictor_matrices(frame)
        finite = np.isfinite(x).all(axis=1)
        mean = self.sizes @ self.values / self.sizes.sum()  # far from zero, distances from it would cost digits
        labels = nearest(self.values - mean, x[finite] - mean)
        return _series(cluster_codes(labels, np.flatnonzero(kept)[finite], len(frame)), frame.index)

    def __repr__(self) -> str:
        """Write the clustering as R prints it."""
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
        """Write the first lines of the clustering vector."""
        if self.codes is None:
            return ""
        lines = vector_lines([str(code) if code else "NA" for code in self.codes[:_PRINTED_ROWS]])
        more = [f"... {len(self.codes):,} rows in all"] if len(self.codes) > _PRINTED_ROWS else []
        return "\n".join(["Clustering vector:", *lines, *more]) + "\n\n"

    def _repr_html_(self) -> str:
        titles = ("cluster", "size", "withinss", *map(str, self.names))
        columns = (map(str, self._numbers), map(str, self.sizes), *map(formatted, (self.squares, *self.values.T)))
        table = html_table(titles, list(zip(*columns, strict=True)), numbers=titles)
        return f"<p>{len(self.values)} clusters, between_SS / total_SS = {self._share:.1f} %</p>{table}"


def cluster_codes(labels: IntArray, rows: IntArray, count: int) -> Any:
    """Number the clusters of rows from 1, with 0 for rows without a label, in the smallest type that holds them."""
    codes = np.zeros(count, np.min_scalar_type(int(labels.max(initial=0)) + 1))
    codes[rows] = labels + 1
    return codes


def _series(codes: Any, index: Any) -> pd.Series:
    return pd.Series(pd.arrays.IntegerArray(codes.astype(np.int32), codes == 0), index, name=_COLUMN)
