"""rxKmeans: clusters of rows, of data in this process or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rxspark.analysis.data.sources import check_selection, require_libraries
from rxspark.errors import RxArgumentError

if TYPE_CHECKING:
    from rxspark.analysis.kmeans.result import RxKmeans

__all__ = ["rxKmeans"]


def rxKmeans(
    formula: str,
    data: Any,
    numClusters: int | None = None,
    centers: Any = None,
    algorithm: str = "Lloyd",
    maxIterations: int = 1000,
    numStarts: int = 1,
    seed: int | None = None,
    rowSelection: str | None = None,
    transforms: Mapping[str, str] | None = None,
) -> RxKmeans:
    """Cluster rows by k-means; from the same starting centers with the numbers that R's kmeans gives.

    Under `RxSpark` the clusters are found over the cluster if the data are there: a Spark DataFrame, a table, Parquet
    files. Data of this process are clustered here, whatever the compute context is; in a task of rxExec by that task.
    The result is the same, to rounding, however the rows are divided. Nothing is printed.

    Parameters
    ----------
    formula : str
        The columns: ``"~ x1 + x2"``, ``"~ log(x) + I(y^2)"``, ``"~ ."``. They must be numbers. Each counts in its own
        unit; ``"~ scale(x)"`` makes it deviations from the mean, in standard deviations.
    data : pandas.DataFrame, dict of columns, Arrow table, path, Spark DataFrame or name of a table
        The data, as for `rxGlm`. Rows that lack a value that is needed are left out and counted.
    numClusters : int, optional
        How many clusters; needed unless `centers` are given.
    centers : array or pandas.DataFrame of shape (numClusters, columns), optional
        Where to start; a DataFrame has the columns by their names. Default: rows that lie far apart, which k-means++
        draws from some 10,000 distinct rows.
    algorithm : {"Lloyd"}, default "Lloyd"
        Lloyd's is the one that RevoScaleR has.
    maxIterations : int, default 1000
        Iterations at most.
    numStarts : int, default 1
        How many starting centers to draw; the best of the results counts.
    seed : int, optional
        The same seed draws the same starts from the same rows, in whatever order they are and wherever. Default: drawn
        from ``np.random``, in a task of rxExec from the task's stream.
    rowSelection : str, optional
        An expression over columns that is true for the rows to use: ``"age > 30 & state == 'NY'"``.
    transforms : dict of str, optional
        Columns to make first, by expressions over the others: ``{"z": "log(x)"}``.

    Returns
    -------
    RxKmeans
        ``.centers``, ``.size``, ``.withinss``, ``.betweenss``, ``.cluster`` (numbers from 1, as in R),
        ``.predict(data)`` and more; prints as R's kmeans.

    Raises
    ------
    RxArgumentError
        For a formula that is none, a column that is not there or no number, more clusters than distinct rows, centers
        of another shape or that are not distinct, data without rows, a Spark DataFrame in a local context.
    RxMissingError
        When the libraries of the extra ``analysis`` are not installed.

    Warns
    -----
    RxModelWarning
        When the iteration does not converge; ``.converged`` is then False.

    References
    ----------
    Lloyd, S. P. (1982). Least squares quantization in PCM. IEEE Transactions on Information Theory 28, 129-137.

    Arthur, D. and Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding. SODA '07, 1027-1035.

    Examples
    --------
    >>> from rxspark import rxKmeans
    >>> model = rxKmeans("~ x", {"x": [1, 2, 11, 3, 12]}, centers=[[1], [12]])
    >>> model.cluster.tolist()
    [1, 1, 2, 1, 2]
    >>> model.centers["x"].round(2).tolist()
    [2.0, 11.5]
    """
    with require_libraries("rxKmeans"):
        from rxspark.analysis.data.opening import open_table
        from rxspark.analysis.kmeans.model import cluster_table
        from rxspark.analysis.kmeans.starts import Starts
    if algorithm != "Lloyd":
        raise RxArgumentError(f'algorithm={algorithm!r}: algorithm is "Lloyd", as in RevoScaleR')
    starts = Starts.checked(numClusters, centers, maxIterations, numStarts, seed)
    selection = check_selection(rowSelection, transforms)
    return cluster_table(formula, open_table(data, "rxKmeans"), starts, selection)
