"""Azure's and Google's stores of objects on loopback: emulators, fetched the first time by npm and by Go."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from waiting import wait_until

__all__ = ["Store", "azure", "google"]

_KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rxspark-test-stores")

# The account that Azurite has, with the key that its documentation names.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class Store:
    """A running store: the variables that lead clients to it, and the start of the URLs of a bucket."""

    variables: dict[str, str]
    url: str


@contextmanager
def azure() -> Iterator[Store]:
    """Azurite, with an empty bucket."""
    command = shutil.which("azurite-blob") or str(_KEPT / "node_modules" / ".bin" / "azurite-blob")
    if not Path(command).exists():
        _fetch("npm", "install", "--no-audit", "--no-fund", "--prefix", str(_KEPT), "azurite@3")
    port = _free_port()
    at = f"http://127.0.0.1:{port}/{_ACCOUNT}"
    options = ["--silent", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--blobPort"]
    with _running(command, *options, str(port), port=port):
        bucket = f"test-{secrets.token_hex(8)}"
        words = f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};BlobEndpoint={at};"
        yield Store({"AZURE_STORAGE_CONNECTION_STRING": words}, f"abfss://{bucket}@{_ACCOUNT}.dfs.core.windows.net")


@contextmanager
def google() -> Iterator[Store]:
    """fake-gcs-server, with an empty bucket."""
    command = shutil.which("fake-gcs-server") or str(_KEPT / "fake-gcs-server")
    if not Path(command).exists():
        _fetch("go", "install", "github.com/fsouza/fake-gcs-server@v1.56.1", GOBIN=str(_KEPT))
    port = _free_port()
    at = f"http://127.0.0.1:{port}"
    options = ["-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-external-url", at, "-port", str(port)]
    with _running(command, *options, "-public-host", f"127.0.0.1:{port}", port=port):
        variables = {
            "STORAGE_EMULATOR_HOST": at,
            "GOOGLE_CLOUD_PROJECT": "test",
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # asks by gRPC, which the emulator does not speak
        }
        yield Store(variables, f"gs://test-{secrets.token_hex(8)}")


def _fetch(program: str, *arguments: str, **variables: str) -> None:
    if shutil.which(program) is None:
        raise RuntimeError(f"no {program}, which fetches the emulator: install it")
    _KEPT.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=600, env={**os.environ, **variables}
    )
    if done.returncode:
        raise RuntimeError(f"{program} could not fetch the emulator: {done.stderr[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(*command: str, port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        assert process.poll() is None, f"{command[0]} has ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(answers, f"{command[0]} answers", 60)
        yield
    finally:
        process.kill()
        process.wait()
