"""The contract suite on hosts of their own: pytest runs on the first host of a lab, its tasks on the others.

What tests write to their folders is on the one folder that all hosts share; all else of the checkout, rxspark too, the
workers do not have.
"""

from __future__ import annotations

import re

import pytest
from lab_runs import MASTER, Lab
from project import ROOT

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

PARTS = [
    pytest.param("nodes share_folder", id="nodes and large constants"),
    pytest.param("results sharing seeds modules functions", marks=pytest.mark.slow, id="results, constants, modules"),
    pytest.param("jobs death failures fault_matrix retries time_limit", marks=pytest.mark.slow, id="jobs and failures"),
]


@pytest.mark.parametrize("part", PARTS)
def test_the_contract_holds_on_hosts_of_their_own(spark_lab: Lab, part: str) -> None:
    """All of these tests are run there, and pass."""
    files = " ".join(f"tests/contract/test_{name}.py" for name in part.split())
    variables = f"RXSPARK_TEST_LAB={MASTER} SPARK_LOCAL_IP=10.77.0.10"
    pytest_there = f"python -m pytest -q -p no:cacheprovider --basetemp=/run/share/pytest {files}"
    done = spark_lab.try_to("on", "host0", "bash", "-c", f"cd {ROOT} && {variables} exec {pytest_there}")
    assert done.returncode == 0, done.stdout
    told = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"\d+ passed in .*", told), told
