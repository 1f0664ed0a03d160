"""The files in HADOOP_CONF_DIR mean what they mean to Hadoop."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from rxspark import RxContextError
from rxspark.files.hadoop_conf import hadoop_settings
from rxspark.files.paths import default_file_system


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HADOOP_CONF_DIR."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path / "conf"))
    (tmp_path / "conf").mkdir()
    return tmp_path / "conf"


def write(file: Path, inside: str) -> None:
    """Write a file of settings."""
    file.write_text(f'<configuration xmlns:xi="http://www.w3.org/2001/XInclude">{inside}</configuration>')


def setting(name: str, value: str, more: str = "") -> str:
    """A setting as such files write it."""
    return f"<property><name>{name}</name><value>{value}</value>{more}</property>"


def test_included_files_and_variables_make_the_default_file_system(conf: Path) -> None:
    """The host in a file of its own, which is looked for from the folder of the one that includes it."""
    (conf / "site").mkdir()
    write(conf / "site" / "hosts.xml", setting("nn.host", "node1") + '<xi:include href="ports.xml"/>')
    write(conf / "site" / "ports.xml", setting("nn.port", "8020"))
    write(
        conf / "core-site.xml",
        '<xi:include href="site/hosts.xml"/>' + setting("fs.defaultFS", "hdfs://${nn.host}:${nn.port}"),
    )
    assert default_file_system() == "hdfs://node1:8020"


def test_variables_stand_for_settings_the_environment_and_java_s_system(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Innermost first, with defaults for what the environment lacks; what nobody knows stays as it is."""
    monkeypatch.setenv("ZONE", "eu")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("LACKING", raising=False)
    values = {
        "a": "${b}/x",
        "b": "${user.name}",
        "zone": "${env.ZONE}-${env.LACKING-none}-${env.EMPTY-there}-${env.EMPTY:-empty}",
        "eu.host": "node9",
        "nested": "${${env.ZONE}.host}",
        "unknown": "${nobody.knows}",
        "circle": "${circle}",
    }
    write(conf / "core-site.xml", "".join(setting(name, value) for name, value in values.items()))
    found = hadoop_settings("core-site.xml")
    assert found is not None
    assert found["a"] == f"{getpass.getuser()}/x"
    assert found["zone"] == "eu-none--empty"
    assert (found["nested"], found["unknown"], found["circle"]) == ("node9", "${nobody.knows}", "${circle}")


def test_what_is_final_stays_and_else_the_later_one_counts(conf: Path) -> None:
    """Within a file and over files; attributes are read as elements are."""
    write(
        conf / "core-site.xml",
        setting("kept", "1", "<final>true</final>")
        + setting("kept", "2")
        + setting("twice", "1")
        + setting("twice", "2")
        + '<property name="short" value="s"/>',
    )
    write(conf / "hdfs-site.xml", setting("kept", "3") + setting("twice", "3"))
    assert hadoop_settings("core-site.xml", "hdfs-site.xml") == {"kept": "1", "twice": "3", "short": "s"}


def test_a_fallback_takes_the_place_of_a_file_that_is_not_there(conf: Path) -> None:
    """Without one the error names both files; so does a file that includes itself."""
    instead = f"<xi:fallback>{setting('x', 'fallback')}</xi:fallback>"
    write(conf / "core-site.xml", f'<xi:include href="none.xml">{instead}</xi:include>')
    assert hadoop_settings("core-site.xml") == {"x": "fallback"}
    write(conf / "core-site.xml", '<xi:include href="none.xml"/>')
    with pytest.raises(RxContextError, match=r"core-site\.xml cannot be read: .*none\.xml, which .*core-site\.xml"):
        hadoop_settings("core-site.xml")
    write(conf / "core-site.xml", '<xi:include href="core-site.xml"/>')
    with pytest.raises(RxContextError, match="includes itself"):
        hadoop_settings("core-site.xml")
    assert hadoop_settings("yarn-site.xml") is None
