"""The look for Java before Spark starts: what is accepted, and what the message tells the user to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rxspark.backends.spark.java import java_problem

# Output of `java -version` of several vendors, on standard error.
CORRETTO_8 = 'openjdk version "1.8.0_392"\nOpenJDK Runtime Environment Corretto-8.392.08.1 (build 1.8.0_392-b08)'
ORACLE_11 = 'java version "11.0.2" 2019-01-15 LTS\nJava(TM) SE Runtime Environment 18.9 (build 11.0.2+9-LTS)'
DEBIAN_17 = 'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)'
TEMURIN_21 = 'openjdk version "21" 2023-09-19\nOpenJDK Runtime Environment Temurin-21+35 (build 21+35)'
EARLY_23 = 'openjdk version "23-ea" 2024-09-17\nOpenJDK Runtime Environment (build 23-ea+5-269)'
ZULU_25 = 'openjdk version "25.0.3" 2026-04-21 LTS\nOpenJDK Runtime Environment Zulu25.34+15-CA (build 25.0.3+9-LTS)'
NEXT_26 = 'openjdk version "26.0.1" 2026-04-21\nOpenJDK Runtime Environment (build 26.0.1+8)'


def fake_java(folder: Path, script: str) -> Path:
    """Put a `java` with the lines `script` into `folder`/bin; gives its path."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\n{script}\n")
    java.chmod(0o755)
    return java


def says(text: str) -> str:
    """The lines of a `java` that prints `text` as its version."""
    return f"cat >&2 <<'END'\n{text}\nEND"


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Java, no Spark settings, and a PATH on which the fakes' own shell tools still are."""
    for name in ("JAVA_HOME", "SPARK_HOME", "SPARK_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/nowhere")


def put_on_path(monkeypatch: pytest.MonkeyPatch, java: Path) -> None:
    """Make `java` the first one on PATH, before the folder of `cat` and `bash`."""
    monkeypatch.setenv("PATH", f"{java.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")


@pytest.mark.parametrize(
    ("pyspark", "java"),
    [
        ("3.5.0", CORRETTO_8),
        ("3.5.1", ORACLE_11),
        ("3.5.6", DEBIAN_17),
        ("3.5.6", TEMURIN_21),
        ("4.0.1", DEBIAN_17),
        ("4.1.0.dev2", TEMURIN_21),
        ("4.2.0", ZULU_25),
        ("4.3.0", DEBIAN_17),
        ("4.3.0", EARLY_23),
        ("5.0.0", NEXT_26),
    ],
)
def test_a_java_that_this_pyspark_runs_on_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pyspark: str, java: str
) -> None:
    """Versions of all vendors are read, and pairs that work are let through."""
    put_on_path(monkeypatch, fake_java(tmp_path, says(java)))
    assert java_problem(pyspark) is None


@pytest.mark.parametrize(
    ("pyspark", "java", "needed", "fault"),
    [
        ("4.0.1", CORRETTO_8, "17 or 21", "is Java 1.8.0_392, which is too old"),
        ("4.3.0", ORACLE_11, "17, 21 or 25", "is Java 11.0.2, which is too old"),
        ("3.5.6", EARLY_23, "8, 11 or 17", "is Java 23-ea, on which its Hadoop client fails (Subject.getSubject"),
        ("4.1.1", ZULU_25, "17 or 21", "is Java 25.0.3, on which its Hadoop client fails (Subject.getSubject"),
        ("4.3.0", NEXT_26, "17, 21 or 25", "is Java 26.0.1, which is newer than it supports"),
    ],
)
def test_a_java_of_the_wrong_version_is_named_with_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pyspark: str, java: str, needed: str, fault: str
) -> None:
    """The first line says which PySpark needs which Java, which one was found, where, and what is wrong with it."""
    path = fake_java(tmp_path, says(java))
    put_on_path(monkeypatch, path)
    first = str(java_problem(pyspark)).splitlines()[0]
    assert first.startswith(f"PySpark {pyspark} needs Java {needed}, but {path} (first on PATH) {fault}")


def test_no_java_at_all_says_how_to_get_one() -> None:
    """The message gives a line for apt, conda and pip, the JAVA_HOME line, and the contexts that need no Java."""
    assert str(java_problem("4.3.0")).splitlines() == [
        "PySpark 4.3.0 needs Java 17, 21 or 25, but JAVA_HOME is not set and no java is on PATH.",
        "  Debian, Ubuntu:  sudo apt-get install openjdk-17-jre-headless",
        "  conda:           conda install -c conda-forge openjdk=17",
        "  pip:             pip install install-jdk && python -c \"import jdk; print(jdk.install('17'))\"",
        "  then name it:    export JAVA_HOME=/path/to/java  (the folder that holds bin/java)",
        "RxLocalSeq, RxLocalParallel and RxForeachDoPar need no Java.",
    ]


def test_java_home_comes_before_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Spark's launcher, JAVA_HOME wins; a folder with spaces in its name is as good as any."""
    put_on_path(monkeypatch, fake_java(tmp_path / "old", says(CORRETTO_8)))
    good = fake_java(tmp_path / "Program Files" / "jdk 17", says(DEBIAN_17))
    monkeypatch.setenv("JAVA_HOME", str(good.parent.parent))
    assert java_problem("4.3.0") is None


def test_a_bad_java_home_is_a_problem_though_path_has_a_good_java(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark would take JAVA_HOME and fail: the message says so, and that unsetting it is enough."""
    good = fake_java(tmp_path / "good", says(DEBIAN_17))
    put_on_path(monkeypatch, good)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    problem = str(java_problem("4.3.0"))
    assert f"but JAVA_HOME={tmp_path / 'gone'} holds no bin/java.\n" in problem
    assert f"or leave it to PATH, where {good} is:  unset JAVA_HOME\n" in problem


def test_an_empty_java_home_counts_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`JAVA_HOME=` in a profile is what Spark's launcher takes for no JAVA_HOME."""
    put_on_path(monkeypatch, fake_java(tmp_path, says(DEBIAN_17)))
    monkeypatch.setenv("JAVA_HOME", "")
    assert java_problem("4.3.0") is None


def test_spark_env_sh_has_the_last_word_on_java_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On EMR and the like spark-env.sh names the Java: an old one on PATH is no problem then."""
    put_on_path(monkeypatch, fake_java(tmp_path / "old", says(CORRETTO_8)))
    good = fake_java(tmp_path / "jdk17", says(DEBIAN_17))
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "spark-env.sh").write_text(f"export JAVA_HOME={good.parent.parent}\necho chatter\n")
    assert "too old" in str(java_problem("4.3.0"))
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    assert java_problem("4.3.0") is None


def test_a_java_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends at the time-out, and the message says for what was waited."""
    path = fake_java(tmp_path, "exec sleep 60")
    put_on_path(monkeypatch, path)
    start = time.monotonic()
    problem = str(java_problem("4.3.0", timeout=0.2))
    assert time.monotonic() - start < 10
    assert f"but {path} (first on PATH) did not answer `java -version` within 0.2 seconds.\n" in problem


def test_a_java_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of the program itself, such as macOS's stub, is in the message."""
    put_on_path(monkeypatch, fake_java(tmp_path, "echo 'Unable to locate a Java Runtime.' >&2; exit 1"))
    assert "failed (status 1): Unable to locate a Java Runtime." in str(java_problem("4.3.0"))


def test_a_java_that_cannot_be_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no program for this machine is a message, not a traceback."""
    path = fake_java(tmp_path, "")
    path.write_bytes(b"\x7fELF of another machine")
    put_on_path(monkeypatch, path)
    assert f"but {path} (first on PATH) cannot be run: " in str(java_problem("4.3.0"))


def test_lines_before_the_version_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAVA_TOOL_OPTIONS makes every Java say so first."""
    put_on_path(monkeypatch, fake_java(tmp_path, says(f"Picked up JAVA_TOOL_OPTIONS: -Xmx1g\n{DEBIAN_17}")))
    assert java_problem("4.3.0") is None


def test_the_file_alone_is_a_program() -> None:
    """scripts/demo runs it by path, before rxspark is installed: the message on standard error and status 1."""
    file = sys.modules[java_problem.__module__].__file__
    told = subprocess.run([sys.executable, "-P", "-S", str(file)], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "no java is on PATH" in told.stderr
