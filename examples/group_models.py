"""Groups of rows: a sum for each tag of a table, and a model for each airline, by `rxExecBy`.

    python examples/group_models.py --context local|localpar|dopar|spark

What to see: the article's filterTest by groups, where each task gets the rows of its tag and no task reads the whole
table; and a regression of delays for each airline whose slopes are near those that the table was made with, with
intervals from resampled rows. One airline's flights were all on time, so that its model fails: it costs that airline
alone. The same seed gives the same intervals in every context, also for one airline alone.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from common import OUTPUT, read_options

from rxspark import RxGroupResults, RxTaskWarning, rxExecBy, rxSetComputeContext

# Minutes of delay for each hour of the day.
SLOPES = {"AA": 1.0, "B6": 2.5, "DL": 0.5, "UA": 1.5}


def filter_test(keys: dict[str, str], data: pd.DataFrame) -> float:
    """The sum of column a over the rows of a tag."""
    return float(data["a"].sum())


def delay_model(keys: dict[str, str], data: pd.DataFrame, resamples: int) -> dict[str, float]:
    """The slope of delays over the hours of a day, and the middle 95% of the slopes of resampled rows."""
    if not data["delay"].any():
        raise ValueError(f"{keys['airline']} has no delays")
    hour, delay = data["hour"].to_numpy(), data["delay"].to_numpy()
    picks = np.random.randint(0, len(data), (resamples, len(data)))
    low, high = np.quantile([slope(hour[rows], delay[rows]) for rows in picks], [0.025, 0.975])
    return {"slope": slope(hour, delay), "from": float(low), "to": float(high)}


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """The slope of a regression line."""
    return float(np.polyfit(x, y, 1)[0])


def main() -> None:
    """Print the sums and the models."""
    options = read_options(__doc__)
    rxSetComputeContext(options.context)

    tags = written("tags", make_tags(100_000 if options.quick else 5_000_000))
    sums = rxExecBy(tags, "tag", filter_test)
    print(sums.frame().to_string(index=False, float_format="{:,.2f}".format))
    tags.unlink()

    flights = written("flights", make_flights(2_000 if options.quick else 100_000))
    print("\nminutes of delay for each hour of the day")
    models = fit(flights, resamples=100)
    print(models.frame().fillna({"error": ""}).to_string(index=False, float_format="{:.3f}".format, na_rep=""))
    alone = rxExecBy(
        flights,
        "airline",
        delay_model,
        {"resamples": 100},
        lambda keys: keys["airline"] == "UA",
        sortBy="id",
        RNGseed=1,
    )
    print(f"\nUA alone has the same interval: {alone[0] == models[-1]}")
    flights.unlink()


def fit(flights: Path, resamples: int) -> RxGroupResults[dict[str, float]]:
    """Fit the model of each airline; rows have an order, so that all contexts resample the same ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RxTaskWarning)  # the table shows the error
        return rxExecBy(flights, "airline", delay_model, {"resamples": resamples}, sortBy="id", RNGseed=1)


def written(name: str, table: pd.DataFrame) -> Path:
    """Write a table as Parquet, which every context reads; on a cluster it must lie where all nodes see it."""
    path = OUTPUT / f"{name}.parquet"
    table.to_parquet(path)
    return path


def make_tags(rows: int) -> pd.DataFrame:
    """The article's table: a tag from A to G and two columns of uniform numbers."""
    rng = np.random.default_rng(1)
    return pd.DataFrame({"tag": rng.choice(list("ABCDEFG"), rows), "a": rng.random(rows), "b": rng.random(rows)})


def make_flights(rows: int) -> pd.DataFrame:
    """Flights of five airlines, the last of which is always on time."""
    rng = np.random.default_rng(2)
    airline = rng.choice([*SLOPES, "HA"], rows)
    hour = rng.integers(5, 24, rows)
    slopes = pd.Series(airline).map(SLOPES).fillna(0).to_numpy()
    delay = np.where(slopes > 0, slopes * hour + rng.normal(0, 20, rows), 0.0)
    return pd.DataFrame({"id": np.arange(rows), "airline": airline, "hour": hour, "delay": delay})


if __name__ == "__main__":
    main()
