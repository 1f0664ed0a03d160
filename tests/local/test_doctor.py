"""The doctor says what is wrong and how to mend it, to people and to scripts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from rxspark import doctor as checks
from rxspark.errors import RxContextError


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
    checks = {"Python", "packages", "random numbers", "hash seed", "share folder", "round trip"}
    assert {finding["check"] for finding in findings} == checks


def test_a_hash_seed_of_its_own_is_told():
    """Where this process and workers differ, the doctor gives the line that makes them agree."""
    told = doctor("--context", "local", PYTHONHASHSEED="")[1]
    assert "PYTHONHASHSEED=0 in workers, a random one here" in told
    assert "PYTHONHASHSEED=0 python" in told
    assert "PYTHONHASHSEED=7, here and in workers" in doctor("--context", "local", PYTHONHASHSEED="7")[1]


def test_the_backend_of_joblib_is_told():
    """For RxForeachDoPar: which one calls would use, and how many workers."""
    code, told = doctor("--context", "dopar")
    assert code == 0, told
    assert re.search(r"^ok +joblib: Loky, 1 of \d+ workers.*; for clusters: ", told, flags=re.MULTILINE), told


def test_a_share_folder_that_cannot_be_written_to_is_named(tmp_path):
    """Before the round trip, which needs Spark, and with what is in the way."""
    (tmp_path / "file").touch()
    code, told = doctor("--context", "spark", "--master", "local[1]", "--share", str(tmp_path / "file"), JAVA_HOME="/")
    assert code == 1
    assert re.search(rf"^WRONG +share folder: {tmp_path / 'file'}", told, flags=re.MULTILINE), told


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


class _ResourceManager(BaseHTTPRequestHandler):
    def do_GET(self):
        there = self.path == "/ws/v1/cluster/info"
        self.send_response(200 if there else 404)
        self.end_headers()
        self.wfile.write(b'{"clusterInfo": {"state": "STARTED"}}' if there else b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def manager():
    """The address of a ResourceManager that answers."""
    server = HTTPServer(("127.0.0.1", 0), _ResourceManager)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def settings(folder, **values):
    """A yarn-site.xml: "_" stands for "." in the names."""
    rows = (
        f"<property><name>yarn.{name.replace('__', '-').replace('_', '.')}</name><value>{value}</value></property>"
        for name, value in values.items()
    )
    (folder / "yarn-site.xml").write_text(f"<configuration>{''.join(rows)}</configuration>")


def test_the_resource_manager_is_asked(tmp_path, monkeypatch, manager):
    """The one that yarn-site.xml names, or of two the one that answers; its state is told."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    settings(tmp_path, resourcemanager_webapp_address=manager)
    assert checks._yarn() == f"http://{manager} answers: STARTED"
    both = {"resourcemanager_webapp_address_rm1": "127.0.0.1:1", "resourcemanager_webapp_address_rm2": manager}
    settings(tmp_path, resourcemanager_ha_rm__ids="rm1, rm2", **both)
    assert checks._yarn() == f"http://{manager} answers: STARTED"


def test_a_resource_manager_that_does_not_answer_is_named(tmp_path, monkeypatch):
    """Each address that was tried is told, with the setting and the file that name it."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    settings(tmp_path, resourcemanager_webapp_address="127.0.0.1:1")
    with pytest.raises(
        RxContextError, match=r"http://127\.0\.0\.1:1: .*refused.*yarn\.resourcemanager\.webapp\.address"
    ):
        checks._yarn()
    (tmp_path / "yarn-site.xml").unlink()
    with pytest.raises(RxContextError, match=r"no yarn-site\.xml"):
        checks._yarn()


def test_the_defaults_of_yarn_are_known():
    """Without an address, the host's name and YARN's own ports, by the policy."""
    named = {"yarn.resourcemanager.hostname": "rm.example"}
    assert checks._resource_managers(named) == ["http://rm.example:8088"]
    assert checks._resource_managers({**named, "yarn.http.policy": "HTTPS_ONLY"}) == ["https://rm.example:8090"]
