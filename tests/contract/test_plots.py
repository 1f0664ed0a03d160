"""rxLinePlot of Spark data brings home no more rows than a plot shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rxspark import ComputeContext, RxArgumentError, RxSpark, rxExec, rxLinePlot

line_plot: Any = rxLinePlot  # axes, or a list of them for panels

HERE = "data of Spark need a session"
pytestmark = pytest.mark.left_out(local=HERE, localpar=HERE, dopar_loky=HERE, dopar_threading=HERE, spark_cluster=HERE)


def test_plots_of_spark_data(context: ComputeContext) -> None:
    """Few rows are all drawn, in the order of x; of many a sample that is told of; selections are made by Spark."""
    from rxspark.backends.spark.session import active_session

    rxExec(abs, -1)  # starts the session
    assert isinstance(context, RxSpark)
    ids = active_session(context).range(50_000, numPartitions=4)
    data = ids.select((49_999 - ids["id"]).alias("n"), (ids["id"] % 3).cast("string").alias("a.b"))

    figures = {"groups": "a.b", "rowSelection": "n < 6 & `a.b` != '0' & sqrt(n) > 0", "transforms": {"m": "n * 2"}}
    axes = line_plot("log2(m) ~ n", data, type="b", **figures)
    drawn = {line.get_label(): np.asarray(line.get_xydata()) for line in axes.lines}
    # n is 49,999 - id, so that its remainder by 3 is that of 1 - id.
    assert {label: xy[:, 0].tolist() for label, xy in drawn.items()} == {"1": [3], "2": [2, 5]}
    assert np.allclose(drawn["2"][:, 1], np.log2([4, 10]))
    assert not axes.texts

    axes = line_plot("n ~ n", data, title="a sample")
    shown = axes.lines[0].get_xdata()
    assert 9_000 < len(shown) <= 10_000
    assert (np.diff(shown) > 0).all()
    assert abs(shown.mean() - 25_000) < 5 * 50_000 / 12**0.5 / 9_000**0.5
    assert [text.get_text() for text in axes.texts] == [f"a random sample: {len(shown):,} of 50,000 rows"]
    assert (line_plot("n ~ n", data).lines[0].get_xdata() == shown).all()

    with pytest.raises(RxArgumentError, match="no column 'N'; did you mean 'n'"):
        line_plot("n ~ N", data)
    with pytest.raises(RxArgumentError, match="groups: for data of Spark it is the name of a column"):
        line_plot("n ~ n", data, groups=[1])
    with pytest.raises(RxArgumentError, match="no rows to plot"):
        line_plot("n ~ n", data, rowSelection="n < 0")
