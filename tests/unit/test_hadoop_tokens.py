"""Hadoop's tokens that a job of Spark brings to the file of a container."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from rxspark.backends.spark.hadoop_tokens import take_tokens


def sent(tokens: bytes, moment: float) -> str:
    """Tokens as they are sent at a moment."""
    return f"{moment} {base64.b64encode(tokens).decode()}"


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a container whose tokens are of second 1000."""
    file = tmp_path / "container_tokens"
    file.write_bytes(b"first")
    os.utime(file, (1000, 1000))
    monkeypatch.setenv("HADOOP_TOKEN_FILE_LOCATION", str(file))
    return file


def test_newer_tokens_take_the_place_of_older_ones(container: Path) -> None:
    """In a file for this user alone; a job that was submitted earlier, and runs yet, does not bring its own back."""
    take_tokens(sent(b"third", 3000.5))
    take_tokens(sent(b"second", 2000.5))
    assert container.read_bytes() == b"third"
    assert container.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in container.parent.iterdir()] == ["container_tokens"]


def test_the_same_tokens_are_not_written_again(container: Path) -> None:
    """As each job brings them, and seldom new ones."""
    before = container.stat().st_ino
    take_tokens(sent(b"first", 3000.5))
    assert container.stat().st_ino == before


@pytest.mark.parametrize("known", [True, False])
def test_outside_of_a_container_nothing_is_written(
    container: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Nor where nothing was sent, as there is no keytab, or where the file may not be replaced."""
    take_tokens(None)
    if known:
        monkeypatch.setenv("HADOOP_TOKEN_FILE_LOCATION", f"{container}/not/there")
    else:
        monkeypatch.delenv("HADOOP_TOKEN_FILE_LOCATION")
    take_tokens(sent(b"third", 3000.5))
    assert container.read_bytes() == b"first"
