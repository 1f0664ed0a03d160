"""Compute contexts as values, and which one is in force."""

from __future__ import annotations

import dataclasses
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from rxspark import (
    RxArgumentError,
    RxForeachDoPar,
    RxLocalParallel,
    RxLocalSeq,
    RxSpark,
    rxExec,
    rxGetComputeContext,
    rxHadoopFileExists,
    rxOptions,
    rxSetComputeContext,
)
from rxspark.backends.local import LocalBackend
from rxspark.backends.spark.settings import without_effect
from rxspark.user_paths import share_folder

OF_OTHER_TYPES: Any = {"spark.task.cpus": 2, "spark.x": True}
CONTEXTS = [
    RxLocalSeq(),
    RxLocalParallel(consoleOutput=True, packagesToLoad=("math", "os.path")),
    RxForeachDoPar(autoCleanup=False, shareDir="/tmp"),
    RxSpark(),
    RxSpark(master="yarn", numExecutors=3, executorMem="4g", extraSparkConfig=OF_OTHER_TYPES),
]


@pytest.mark.parametrize("context", CONTEXTS, ids=repr)
def test_a_context_is_a_value(context):
    """Its repr can be pasted back; it pickles, compares, hashes, and cannot be changed."""
    assert eval(repr(context)) == context
    assert pickle.loads(pickle.dumps(context)) == context
    assert hash(dataclasses.replace(context)) == hash(context)
    assert context != dataclasses.replace(context, consoleOutput=not context.consoleOutput)
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.consoleOutput = False


def test_what_a_context_was_made_from_does_not_matter_any_more():
    """A dict or list that is changed later leaves the context alone, and its settings are read-only."""
    config = {"spark.a": "1"}
    packages: Any = ["math"]
    context = RxSpark(extraSparkConfig=config, packagesToLoad=packages)
    config["spark.a"] = "2"
    packages.append("os")
    assert (context.settings()["spark.a"], context.packagesToLoad) == ("1", ("math",))
    with pytest.raises(TypeError):
        context.extraSparkConfig["spark.a"] = "3"  # type: ignore[index]


def test_settings_of_spark():
    """Named arguments are Spark settings, which extraSparkConfig may overrule; True is "true"."""
    context = RxSpark(
        numExecutors=2,
        executorCores=3,
        executorMem="1g",
        driverMem="2g",
        executorOverheadMem="512m",
        queue="research",
        pythonEnv="hdfs:///share/env.tar.gz",
        extraSparkConfig={"a": True},  # type: ignore[dict-item]
    )
    assert context.settings() == {
        "spark.executor.instances": "2",
        "spark.executor.cores": "3",
        "spark.executor.memory": "1g",
        "spark.driver.memory": "2g",
        "spark.executor.memoryOverhead": "512m",
        "spark.yarn.queue": "research",
        "spark.archives": "hdfs:///share/env.tar.gz#environment",
        "a": "true",
    }


def test_settings_that_a_session_has_are_not_told_as_without_effect() -> None:
    """Spark puts options of its own before those of Java, which have their effect all the same."""
    context = RxSpark(executorCores=2, extraSparkConfig={"spark.executor.extraJavaOptions": "-Xss2m"})
    there = {"spark.executor.cores": "2", "spark.executor.extraJavaOptions": "--add-opens=java.base/a=b -Xss2m"}
    assert without_effect(context, lambda name, default: there.get(name, default)) == ""
    there = {"spark.executor.cores": "4", "spark.executor.extraJavaOptions": "-Xss2m -Xmn1m"}
    told = without_effect(context, lambda name, default: there.get(name, default))
    assert told == ("executorCores=2 (there: 4), spark.executor.extraJavaOptions=-Xss2m (there: -Xss2m -Xmn1m)")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: RxLocalSeq(consoleOutput=1), "consoleOutput=1"),  # type: ignore[arg-type]
        (lambda: RxLocalSeq(packagesToLoad=("a b",)), "'a b'"),
        (lambda: RxSpark(numExecutors=0), "numExecutors=0"),
        (lambda: RxSpark(executorCores=True), "executorCores=True"),
        (lambda: RxSpark(executorMem="4 g"), "executorMem='4 g'"),
        (lambda: RxSpark(driverMem=4), "driverMem=4"),  # type: ignore[arg-type]
        (lambda: RxSpark(executorOverheadMem="1024"), "executorOverheadMem='1024'"),
        (lambda: RxSpark(queue=""), "queue=''"),
        (lambda: RxSpark(pythonEnv="/opt/venv"), "pythonEnv='/opt/venv'"),
        (lambda: RxSpark(extraSparkConfig=[1]), "extraSparkConfig="),  # type: ignore[arg-type]
        (lambda: rxSetComputeContext("sparc"), "did you mean 'spark'"),
        (lambda: rxSetComputeContext("hadoop"), "one of local"),
        (lambda: rxSetComputeContext(3), "context=3"),  # type: ignore[arg-type]
        (lambda: rxSetComputeContext("spark", mastre="yarn"), "did you mean master"),
        (lambda: rxSetComputeContext("local", master="yarn"), "RxLocalSeq has no argument 'master'"),
        (
            lambda: RxLocalSeq(shareDir="s3://bucket/x"),
            "shareDir='s3://bucket/x'): shareDir is a folder on this machine",
        ),
        (lambda: RxLocalSeq(shareDir=3), "RxLocalSeq(shareDir=3): shareDir is"),  # type: ignore[arg-type]
        (lambda: RxSpark(hdfsShareDir=" "), "RxSpark(hdfsShareDir=' '): hdfsShareDir is the name of a folder"),
    ],
)
def test_mistakes_are_named(make, told):
    """A wrong value or name is an error that tells it and what would do; the context stays."""
    before = rxGetComputeContext()
    with pytest.raises(RxArgumentError) as caught:
        make()
    assert told in str(caught.value)
    assert rxGetComputeContext() == before


@pytest.mark.parametrize(
    ("name", "kind"),
    [("local", RxLocalSeq), ("localpar", RxLocalParallel), ("dopar", RxForeachDoPar), ("RxSpark", RxSpark)],
)
def test_a_context_by_its_name(name, kind):
    """Short and full names stand for a context with its defaults, and changes apply."""
    rxSetComputeContext(name, consoleOutput=True)
    assert rxGetComputeContext() == kind(consoleOutput=True)


def test_setting_gives_the_previous_one():
    """The context that rxSetComputeContext returns can be set again."""
    first = rxSetComputeContext("localpar")
    assert rxSetComputeContext(first) == RxLocalParallel()
    assert rxGetComputeContext() == first


def test_a_block_has_its_own_context():
    """A context entered by `with` is in force up to the end of the block, also when the block raises."""
    before = rxGetComputeContext()
    with RxLocalParallel() as outer:
        with RxForeachDoPar():
            assert rxGetComputeContext() == RxForeachDoPar()
        assert rxGetComputeContext() == outer
        rxSetComputeContext(RxSpark())
        assert rxGetComputeContext() == RxSpark()
    assert rxGetComputeContext() == before
    with pytest.raises(ZeroDivisionError), RxLocalParallel():
        _ = 1 / 0
    assert rxGetComputeContext() == before


def test_a_block_is_not_seen_by_other_threads():
    """Only what rxSetComputeContext sets counts for the whole process."""
    rxSetComputeContext(RxForeachDoPar())
    seen = []
    with RxLocalParallel():
        thread = threading.Thread(target=lambda: seen.append(rxGetComputeContext()))
        thread.start()
        thread.join()
    assert seen == [RxForeachDoPar()]


@pytest.mark.parametrize("limit", [0, -1, True, "5", float("inf"), float("nan")], ids=str)
def test_a_limit_is_a_length_of_time(limit):
    """A limit is a number of seconds above 0, in each context and in the options."""
    with pytest.raises(RxArgumentError, match="taskTimeLimit"):
        RxLocalSeq(taskTimeLimit=limit)
    with pytest.raises(RxArgumentError, match="taskTimeLimit"):
        rxOptions(taskTimeLimit=limit)


def test_threads_and_slots_go_together():
    """With two threads a task half as many tasks run at once: in worker processes, and in sessions of our own."""
    assert RxSpark(threadsPerTask=2).settings() == {"spark.task.cpus": "2"}
    assert RxSpark().settings() == {}
    cores = LocalBackend(None, threads=1).slots(1000, {})
    assert LocalBackend(None, threads=2).slots(1000, {}) == max(1, cores // 2)
    with pytest.raises(RxArgumentError, match=r"threadsPerTask=0.*at least 1"):
        RxLocalParallel(threadsPerTask=0)


@pytest.mark.parametrize(
    "name",
    ["spark.ssl.keyPassword", "spark.authenticate.secret", "spark.hadoop.fs.s3a.access.key", "spark.my.token"],
)
def test_secrets_are_not_shown(name):
    """The repr of a context, which gets into logs and errors, holds no secret; Spark and pickles get it."""
    context = RxSpark(extraSparkConfig={name: "hunter2", "spark.ui.enabled": "false"})
    assert "hunter2" not in repr(context)
    assert "spark.ui.enabled" in repr(context)
    assert context.settings()[name] == "hunter2"
    assert pickle.loads(pickle.dumps(context)) == context != RxSpark(extraSparkConfig={name: "other"})


@pytest.mark.parametrize(
    "context",
    [
        RxSpark(hdfsShareDir="sftp://ann:hunter2@host/share"),
        RxSpark(extraSparkConfig={"spark.driver.extraJavaOptions": "-Djavax.net.ssl.trustStorePassword=hunter2"}),
        RxSpark(extraSparkConfig={"spark.yarn.dist.files": "ftp://ann:hunter2@host/table"}),
    ],
)
def test_secrets_inside_of_values_are_not_shown(context):
    """The password in a URL; a setting's value that, as Spark sees it, tells of one."""
    assert "hunter2" not in repr(context)
    assert "not shown" in repr(context)


def test_an_argument_that_a_context_has_not_is_named_with_the_right_one() -> None:
    """Misspelt, or without a name: an error of ours, by the constructor as by rxSetComputeContext."""
    with pytest.raises(RxArgumentError, match="RxSpark has no argument 'numexecutors': did you mean numExecutors"):
        RxSpark(numexecutors=4)  # type: ignore[call-arg]
    with pytest.raises(RxArgumentError, match="RxLocalSeq has no argument 'master': it has wait, consoleOutput"):
        RxLocalSeq(master="yarn")  # type: ignore[call-arg]
    with pytest.raises(RxArgumentError, match=r"RxSpark\('yarn'\): arguments are given by name, .*master="):
        RxSpark("yarn")  # type: ignore[call-arg, arg-type]


def test_paths_may_be_path_objects_and_begin_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """shareDir, hdfsShareDir and pythonEnv take what open() takes, and "~" besides."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    (tmp_path / "share").mkdir()
    with RxLocalSeq(shareDir=Path("~/share"), autoCleanup=False):
        rxExec(abs, -1)
    assert list((tmp_path / "share").iterdir())
    context = RxSpark(hdfsShareDir=Path("~/all"), pythonEnv=Path("~/env.tar.gz"))
    assert context == RxSpark(hdfsShareDir="~/all", pythonEnv="~/env.tar.gz")
    assert str(share_folder(context)) == str(tmp_path / "all")
    assert context.settings()["spark.archives"] == f"{tmp_path}/env.tar.gz#environment"
    assert rxHadoopFileExists("~/share")
    assert rxHadoopFileExists(Path("~/share"))
    assert not rxHadoopFileExists("~/none")


def test_the_home_folder_is_that_of_the_default_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where paths belong to HDFS, "~" is the user's folder there."""
    (tmp_path / "core-site.xml").write_text(
        "<configuration><property><name>fs.defaultFS</name><value>hdfs://node:1</value></property></configuration>"
    )
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    monkeypatch.setenv("HADOOP_USER_NAME", "ada")
    assert str(share_folder(RxSpark(hdfsShareDir="~/share"))) == "hdfs://node:1/user/ada/share"


@pytest.mark.parametrize(
    ("wrong", "accepts"),
    [
        ({"taskRetries": -1}, "a whole number, at least 0"),
        ({"taskRetries": 1.5}, "a whole number, at least 0"),
        ({"taskRetries": True}, "a whole number, at least 0"),
        ({"retryOn": "OSError"}, "a class of exceptions or several"),
        ({"retryOn": [OSError, int]}, "a class of exceptions or several"),
        ({"retryOn": OSError("busy")}, "a class of exceptions or several"),
        ({"retryOn": ()}, "a class of exceptions or several"),
        ({"retryDelay": -0.1}, "a number of seconds, at least 0"),
        ({"retryDelay": float("nan")}, "a number of seconds, at least 0"),
    ],
    ids=str,
)
def test_what_retries_cannot_be_is_refused_by_name(wrong, accepts):
    """By a context and by rxOptions alike."""
    ((name, value),) = wrong.items()
    for refuse in (RxLocalSeq, rxOptions):
        with pytest.raises(RxArgumentError) as raised:
            refuse(**wrong)
        assert f"{name}={value!r}" in str(raised.value)
        assert accepts in str(raised.value)


def test_a_context_shows_the_errors_that_are_tried_again_by_their_names():
    """As they are written in the call that makes it."""
    assert repr(RxLocalSeq(taskRetries=1, retryOn=OSError)) == "RxLocalSeq(taskRetries=1, retryOn=(OSError,))"
    assert repr(RxLocalSeq(retryOn=[KeyError, OSError])) == "RxLocalSeq(retryOn=(KeyError, OSError))"
