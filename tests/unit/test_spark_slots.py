"""The number of tasks that a Spark application may come to run at once, by its settings."""

from __future__ import annotations

import pytest

from rxspark.backends.spark.base import slots_to_come

DYNAMIC = {"spark.dynamicAllocation.enabled": "true", "spark.executor.cores": "4"}


@pytest.mark.parametrize(
    ("settings", "slots"),
    [
        ({}, 0),
        ({"spark.executor.instances": "1000", "spark.executor.cores": "4"}, 4000),
        ({"spark.executor.instances": "3", "spark.executor.cores": "4", "spark.task.cpus": "2"}, 6),
        ({**DYNAMIC, "spark.dynamicAllocation.maxExecutors": "5"}, 20),
        ({**DYNAMIC, "spark.dynamicAllocation.maxExecutors": "10000"}, 256),
        (DYNAMIC, 256),
        ({"spark.default.parallelism": "64"}, 0),
    ],
)
def test_slots_to_come_are_cores_of_the_executors_that_are_asked_for(settings: dict[str, str], slots: int) -> None:
    """Executors times cores, by the cores of a task; without a limit of the user's, one that Spark can bear."""
    assert slots_to_come(lambda name, default: settings.get(name, default)) == slots
