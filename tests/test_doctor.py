"""The doctor says what is wrong and how to mend it, to people and to scripts."""

from __future__ import annotations

import json
import subprocess
import sys


def doctor(*arguments, **environment):
    """Run it as a user does: exit code and output."""
    import os

    run = subprocess.run(
        [sys.executable, "-m", "rxspark", "doctor", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return run.returncode, run.stdout


def test_all_is_well_here():
    """On a sound machine each check is ok and the exit code is 0."""
    code, told = doctor("--context", "localpar", "--json")
    findings = json.loads(told)
    assert (code, [finding["well"] for finding in findings]) == (0, [True] * len(findings)), told
    assert {finding["check"] for finding in findings} == {"Python", "packages", "random numbers", "round trip"}


def test_what_is_wrong_is_named_with_its_remedy(tmp_path):
    """A wrong JAVA_HOME and an empty HADOOP_CONF_DIR are found in one run, and the exit code is 1."""
    code, told = doctor(
        "--context", "spark", "--master", "local[1]", JAVA_HOME=str(tmp_path), HADOOP_CONF_DIR=str(tmp_path)
    )
    lines = told.splitlines()
    assert code == 1
    wrong = {line.split()[1].rstrip(":") for line in lines if line.startswith("WRONG")}
    assert {"Java", "HADOOP_CONF_DIR", "round"} <= wrong, told
    assert "core-site.xml" in told
    assert "JAVA_HOME" in told


def test_yarn_without_settings_is_found():
    """For YARN the settings' folder must be there: the line that sets it is printed."""
    code, told = doctor("--context", "spark", "--master", "yarn", HADOOP_CONF_DIR="")
    assert code == 1
    assert "export HADOOP_CONF_DIR=" in told
