"""The shell scripts and the benchmark: what they install and when, what they pass on, and what they say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from project import ROOT

SCRIPTS = [
    *(ROOT / "scripts" / name for name in ("demo", "test", "check", "docs", "bench", "submit")),
    ROOT / ".ci" / "run",
]

# Stands in for Python: writes down each call, makes a virtual environment that holds itself, and no more.
STUB = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$1 $2" in
  "-m venv") mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
  "-m pip") [ -z "$OFFLINE" ] ;;
  "-m pytest") exit 3 ;;
esac
"""


class Checkout:
    """A copy of the checkout's scripts, run with a stand-in for Python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        shutil.copytree(ROOT / ".ci", folder / ".ci")
        shutil.copy(ROOT / "pyproject.toml", folder)
        java = Path("rxspark", "backends", "spark", "java.py")
        (folder / java).parent.mkdir(parents=True)
        shutil.copy(ROOT / java, folder / java)
        stub = folder / "stub-python"
        stub.write_text(STUB)
        stub.chmod(0o755)
        self.environment = {"PATH": os.environ["PATH"], "CALLS": str(self.calls), "PYTHON": str(stub)}

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one script; `said` then has what it asked of Python."""
        self.calls.write_text("")
        return subprocess.run(
            [str(self.folder / command[0]), *command[1:]],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def said(self) -> list[str]:
        """The calls of Python, without those that only look at its version."""
        return [line for line in self.calls.read_text().splitlines() if not line.startswith("-c")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A copy whose path holds a space, as people's folders do."""
    folder = tmp_path / "my checkout"
    folder.mkdir()
    return Checkout(folder)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_can_be_run_stop_at_errors_and_say_what_they_do(script: Path) -> None:
    """Each is executable, begins with a comment, is valid bash, and does not go on after an error."""
    lines = script.read_text().splitlines()
    assert os.access(script, os.X_OK)
    assert lines[0] == "#!/usr/bin/env bash"
    assert lines[1].startswith("# ")
    assert "set -euo pipefail" in lines
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_tests_run_in_an_environment_made_first(checkout: Checkout) -> None:
    """scripts/test makes .venv, installs once, leaves out slow tests, and ends with pytest's own status."""
    told = checkout.run("scripts/test", "-k", "two words")
    assert told.returncode == 3
    assert told.stderr == "creating .venv (first time: about two minutes)\n"
    assert checkout.said == [
        "-m venv --clear .venv",
        "-m pip install --quiet --disable-pip-version-check --no-compile -e .[spark,examples,test,check]",
        "-m pytest -m not slow and not buckets -k two words",
    ]


def test_markers_given_by_hand_are_the_only_ones(checkout: Checkout) -> None:
    """`scripts/test -m slow` runs the slow tests; those of stores of objects have packages of their own."""
    checkout.run("scripts/test", "-m", "slow")
    assert checkout.said[-1] == "-m pytest -m slow"
    checkout.run("scripts/test", "-m", "buckets")
    assert checkout.said[-2:] == [
        "-m pip install --quiet --disable-pip-version-check --no-compile -e .[spark,examples,test,check,azure,gcs]",
        "-m pytest -m buckets",
    ]


def test_the_tests_on_clusters_are_left_out_when_asked(checkout: Checkout) -> None:
    """`scripts/test --without-hadoop` and `--without-lab` say so and pass the rest on."""
    told = checkout.run("scripts/test", "--without-hadoop", "-x")
    assert told.stderr.endswith("left out: the tests on a real HDFS and YARN\n")
    assert checkout.said[-1] == "-m pytest -m not slow and not buckets and not hadoop -x"
    told = checkout.run("scripts/test", "--without-hadoop", "--without-lab", "-x")
    assert told.stderr.endswith("HDFS and YARN\nleft out: the tests on several hosts\n")
    assert checkout.said[-1] == "-m pytest -m not slow and not buckets and not hadoop and not lab -x"
    told = checkout.run("scripts/test", "--without-kerberos", "-x")
    assert told.stderr == "left out: the tests on a Hadoop with Kerberos\n"
    assert checkout.said[-1] == "-m pytest -m not slow and not buckets and not kerberos -x"
    assert (
        "--without-lap: want --without-hadoop or --without-lab" in checkout.run("scripts/test", "--without-lap").stderr
    )


def test_submit_packs_and_tells_spark_what_to_run(checkout: Checkout) -> None:
    """scripts/submit packs, asks where Spark's jars are unless that is said, and adds its settings to the user's."""
    spark = checkout.folder / "spark" / "bin"
    spark.mkdir(parents=True)
    (spark / "spark-submit").write_text('#!/bin/sh\necho "$@"\n')
    (spark / "spark-submit").chmod(0o755)
    venv = checkout.folder / "venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python").write_text('#!/bin/sh\necho "hdfs:///s/$3"\necho "$*" >>"$CALLS"\n')
    (venv / "python").chmod(0o755)
    variables = {"SPARK_HOME": str(spark.parent), "VIRTUAL_ENV": str(venv.parent), "HADOOP_CONF_DIR": "/etc/hadoop"}
    variables |= {"RXSPARK_SHARE": "hdfs:///s", "RXSPARK_PACK": "pandas scipy"}
    client = checkout.run("scripts/submit", "--queue", "mine", "my program.py", "1", **variables)
    assert checkout.said == ["-m rxspark pack --to hdfs:///s pandas scipy", "-m rxspark jars --to hdfs:///s"]
    python = "--conf spark.pyspark.python=./environment/bin/python"
    conf = "HADOOP_CONF_DIR=./__spark_conf__/__hadoop_conf__"
    places = f"--conf spark.executorEnv.{conf} --conf spark.yarn.appMasterEnv.{conf}"
    archive = f"--archives hdfs:///s/pack#environment {python} {places} --master yarn"
    driver = f"--conf spark.pyspark.driver.python={venv}/python"
    assert (
        client.stdout == f"{archive} {driver} --conf spark.yarn.archive=hdfs:///s/jars --queue mine my program.py 1\n"
    )
    cluster = checkout.run(
        "scripts/submit", "--deploy-mode", "cluster", "--conf", "spark.yarn.jars=x", "p.py", **variables
    )
    assert cluster.stdout == f"{archive} --deploy-mode cluster --conf spark.yarn.jars=x p.py\n"
    assert checkout.run("scripts/submit").returncode == 2
    assert "HADOOP_CONF_DIR: is not set" in checkout.run("scripts/submit", "p.py").stderr


def test_nothing_is_installed_twice(checkout: Checkout) -> None:
    """A second run, and a script that needs less, install nothing; a changed pyproject.toml is installed."""
    checkout.run("scripts/test")
    checkout.run("scripts/test")
    assert checkout.said == ["-m pytest -m not slow and not buckets"]
    checkout.run("scripts/demo", "--context", "localpar")
    assert checkout.said == ["examples/dice.py --context localpar"]
    with (checkout.folder / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    told = checkout.run("scripts/test")
    assert told.stderr == "updating .venv\n"
    assert len(checkout.said) == 2


def test_a_failed_installation_is_tried_again(checkout: Checkout) -> None:
    """Without a network the script fails, runs nothing, and the next run installs again."""
    assert checkout.run("scripts/test", OFFLINE="yes").returncode == 1
    assert not [call for call in checkout.said if "pytest" in call]
    assert checkout.run("scripts/test").returncode == 3
    assert checkout.said[0].startswith("-m pip install")


def test_the_demo_runs_on_spark_unless_told_otherwise(checkout: Checkout) -> None:
    """scripts/demo passes --context spark and all of its own arguments on."""
    checkout.run("scripts/demo", "--seed", "1")
    assert checkout.said[-1] == "examples/dice.py --context spark --seed 1"
    checkout.run("scripts/demo", "--context=localpar")
    assert checkout.said[-1] == "examples/dice.py --context=localpar"


def test_the_demo_without_java_says_so_before_installing(checkout: Checkout, tmp_path: Path) -> None:
    """The message of java_problem and the command that needs no Java; no environment was made."""
    told = checkout.run("scripts/demo", PYTHON=sys.executable, JAVA_HOME=str(tmp_path / "gone"))
    assert told.returncode == 1
    assert f"JAVA_HOME={tmp_path / 'gone'} holds no bin/java" in told.stderr
    assert told.stderr.endswith("Without Java:  scripts/demo --context localpar\n")
    assert not (checkout.folder / ".venv").exists()


def test_a_python_that_is_too_old_is_named(checkout: Checkout, tmp_path: Path) -> None:
    """The message says which Python is needed, which was found, and how to get one."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "cat", "dirname", "cksum", "tr", "grep"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    old = tools / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\n')
    old.chmod(0o755)
    told = checkout.run("scripts/test", PATH=str(tools), PYTHON="")
    assert told.returncode == 1
    assert told.stderr.startswith(
        "rxspark needs Python 3.11 or newer with its venv module. Found: python3 is Python 3.9"
    )
    assert "apt-get install python3 python3-venv" in told.stderr


def test_ci_runs_check_and_test_and_fails_with_either(checkout: Checkout) -> None:
    """All run, three streams of the tests side by side, and the status of a failing one is not lost."""
    (checkout.folder / "scripts" / "matrix").write_text('#!/bin/sh\necho "matrix $1"\n')
    (checkout.folder / "scripts" / "left_behind").write_text('#!/bin/sh\n[ $# = 0 ] || cat "$1"\necho "leftovers"\n')
    told = checkout.run(".ci/run")
    assert told.returncode == 1
    checks = [
        "== scripts/check",
        "+ ruff check",
        "+ ruff format --check",
        "+ mypy",
        "+ scripts/docs",
        "build/docs/index.html",
    ]
    parts = ["== scripts/test without Spark", "== scripts/test with Spark", "== scripts/matrix oldest"]
    clusters = ["== scripts/test on Hadoop", "== scripts/test on several hosts", "== scripts/test with Kerberos"]
    left = ["== scripts/left_behind", "leftovers", "leftovers"]
    assert told.stdout.splitlines() == [*checks, *parts, "matrix oldest", *clusters, *left]
    assert sorted(checkout.said[-5:]) == [
        "-m pytest -m hadoop and not slow",
        "-m pytest -m kerberos and not slow",
        "-m pytest -m lab and not slow",
        "-m pytest -m not spark and not slow and not hadoop and not lab and not kerberos and not buckets",
        "-m pytest -m spark and not slow and not hadoop and not lab and not kerberos and not buckets",
    ]


def test_what_is_left_behind_is_listed(tmp_path: Path) -> None:
    """A file and a process that have come since the list before are named, not what was there or is another run's."""
    left_behind = ROOT / "scripts" / "left_behind"
    here = {"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"], "LEFT_BEHIND_RUN": str(tmp_path)}
    kept, new = tmp_path / "rxspark-kept", tmp_path / "rxspark-0" / "new"
    kept.touch()
    before = subprocess.run([left_behind], env=here, capture_output=True, text=True, check=True).stdout
    assert str(kept) in before.splitlines()
    (tmp_path / "before").write_text(before)
    new.parent.mkdir()
    new.touch()
    with subprocess.Popen(["sleep", "1234"], env=here) as process, subprocess.Popen(["sleep", "1235"]) as stranger:
        left = subprocess.run(
            [left_behind, "--wait", "0", tmp_path / "before"], env=here, capture_output=True, text=True, check=False
        )
        process.kill()
        stranger.kill()
    assert left.returncode == 1
    lines = left.stdout.splitlines()
    assert str(new) in lines
    assert str(kept) not in lines
    assert any(line.startswith(f"process {process.pid} ") and line.endswith(": sleep 1234") for line in lines)
    assert not any(line.startswith(f"process {stranger.pid} ") for line in lines)


def test_the_benchmark_writes_checked_tables(tmp_path: Path) -> None:
    """A small run gives a table, JSON with every time, and a plot; a contender that cannot start is left out."""
    (tmp_path / "joblibspark.py").write_text("raise ImportError('not there')\n")
    places = os.pathsep.join(map(str, (tmp_path, ROOT / "scripts", ROOT)))
    asked = "--repeats 2 --only noop2 dice --contenders sequential rx-seq joblibspark"
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks", *asked.split()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": places, "MPLCONFIGDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    (folder,) = (tmp_path / "bench-results").iterdir()
    record = json.loads((folder / "results.json").read_text())
    assert record["problems"] == []
    assert {work: set(row) for work, row in record["results"].items()} == {
        "noop2": {"sequential", "rx-seq"},
        "dice": {"sequential", "rx-seq"},
    }
    assert len(record["results"]["dice"]["rx-seq"]["figures"]) == 2
    assert (folder / "results.md").read_text() in told.stdout
    assert (folder / "plot.png").stat().st_size > 5_000
    assert "joblibspark: left out, it has ended" in told.stderr


# Prints what the parts take, and how many finders of modules have stayed. In a process of its own, as parts that are
# left out put nothing back.
EMPTY = """
import json, sys
from benchmarks import empty
empty.TASKS, before = 500, len(sys.meta_path)
print(json.dumps([empty.parts(), list(empty.LEFT_OUT), len(sys.meta_path) - before]))
"""


def test_the_parts_of_an_empty_task_are_told() -> None:
    """Each part can be left out: the whole takes time, and no part takes more than the whole."""
    places = os.pathsep.join(map(str, (ROOT / "scripts", ROOT)))
    told = subprocess.run(
        [sys.executable, "-c", EMPTY], env=os.environ | {"PYTHONPATH": places}, stdout=subprocess.PIPE, check=True
    )
    parts, left_out, stayed = json.loads(told.stdout)
    assert {*parts} == {"all", *left_out}
    assert parts["all"] > 0
    assert max(parts.values()) == parts["all"]
    assert stayed == 0


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that makes the benchmark's tables."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from benchmarks import report

    return report


def test_targets_are_compared_by_medians_of_one_run(report: Any) -> None:
    """1.1 times the peer's median is reached by 10.9 ms beside 10, missed by 11.1; the ratio is to rxspark's."""

    def row(mine: float) -> dict[str, Any]:
        return {
            "loky": {"figures": [0.5, 0.010, 0.001], "note": ""},
            "rx-localpar": {"figures": [mine], "note": ""},
        }

    assert "| 10.9 ms | 11.0 (1.1 x loky) | reached |" in report.targets({"noop10k": row(0.0109)})
    assert "| 11.1 ms | 11.0 (1.1 x loky) | **not reached** |" in report.targets({"noop10k": row(0.0111)})
    assert "| loky | 1.0 | 10.0 | 0.50 | 3 |" in report.table("noop10k", row(0.020))


def test_growth_is_a_line_through_the_sizes_of_a_family(report: Any) -> None:
    """Times of 2 ms and 3 us a task give just these, whatever else was measured; one size alone gives no line."""

    def row(count: int) -> dict[str, Any]:
        return {"loky": {"figures": [2e-3 + 3e-6 * count], "note": ""}}

    sizes = {"noop100": row(100), "noop10k": row(10_000), "noop1M": row(1_000_000), "dice": row(1)}
    assert "| tasks | loky | 2.0 ms + 3.00 µs a task |" in report.growth(sizes)
    assert report.growth({"noop100": row(100)}) == "No sizes were compared."
    assert "| workers | loky | times as fast as one: 1.98 with 2 |" in report.growth(
        {"workers1": row(10**6), "workers2": {"loky": {"figures": [3.002 / 1.98], "note": ""}}}
    )


def test_wrong_results_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing result, a game that has no outcome, impossible luck and wrong models are errors of the contender."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from benchmarks.workloads import WORKLOADS

    for work, wrong in (
        ("noop2", [None]),
        ("dice", ["Win"] * 4_929 + ["Loss"] * 5_070),
        ("dice", ["Win"] * 4_929 + ["Loss"] * 5_070 + [None]),
        ("dice", ["Win"] * 6_000 + ["Loss"] * 4_000),
        ("birthday", [0.5] * 99),
        ("mandelbrot", [[100] * 240] * 240),
        ("kmeans", [260_000.0] * 20),
        ("resume", [None] * 1_000),
        ("data1MB", [122.0, 123.0]),
        ("poisson", [[[0.0, 1.0, 2.02]] * 5] * 20),
    ):
        with pytest.raises(ValueError, match=r"results|games|people|points|near|halves"):
            WORKLOADS[work].check(wrong)
    WORKLOADS["dice"].check(["Win"] * 4_929 + ["Loss"] * 5_071)
