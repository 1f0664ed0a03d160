"""A stand-in for Kubernetes: an API server on loopback whose pods are processes of this machine.

Each pod has an address (127.0.1.N), a host name and a /tmp of its own. Its image is this machine's file system, with
Spark in it, and this environment where it is in /tmp. Of the API there is what Spark's scheduler asks for, but for
watching: it polls. Root and Linux.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["Kubernetes", "kubernetes"]

Resource = dict[str, Any]

_BACKEND = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"

# What the entry point of Spark's image does for `executor`, behind making the pod a host.
_START = """
hostname "$SPARK_EXECUTOR_POD_NAME" && mount --bind "$IMAGE" /mnt && mount -t tmpfs tmpfs /tmp &&
  mkdir -p "$IMAGE" /tmp/work-dir && mount --bind /mnt "$IMAGE" && cd /tmp/work-dir &&
  printf '%s\n' "127.0.0.1 localhost" "$SPARK_EXECUTOR_POD_IP $SPARK_EXECUTOR_POD_NAME" >/tmp/hosts &&
  mount --bind /tmp/hosts /etc/hosts || exit 1
exec java $(env | sed -n 's/^SPARK_JAVA_OPT_[0-9]*=//p') -Xmx"$SPARK_EXECUTOR_MEMORY" -cp "$SPARK_HOME/jars/*" "$0" \
  --driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" \
  --app-id "$SPARK_APPLICATION_ID" --hostname "$SPARK_EXECUTOR_POD_IP" \
  --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" --podName "$SPARK_EXECUTOR_POD_NAME"
"""


class Pod:
    """A pod, and its process."""

    def __init__(self, asked: Resource, number: int, spark_home: str, logs: Path) -> None:
        self.asked = asked
        self.name: str = asked["metadata"]["name"]
        self.address = f"127.0.1.{number}"
        variables = {item["name"]: self._value(item) for item in asked["spec"]["containers"][0].get("env", [])}
        variables |= {"SPARK_HOME": spark_home, "SPARK_LOCAL_DIRS": "/tmp/local", "IMAGE": sys.prefix}
        kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME", "LANG") if name in os.environ}
        with (logs / f"{self.name}.log").open("wb") as log:
            command = ["unshare", "--uts", "--mount", "sh", "-c", _START, _BACKEND]
            variables.pop("SPARK_CONF_DIR", None)  # of a config map, with what the driver tells too
            self.process = subprocess.Popen(
                command, env={**kept, **variables}, stdout=log, stderr=log, start_new_session=True
            )

    def _value(self, item: Resource) -> str:
        field = item.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        return {"status.podIP": self.address, "metadata.name": self.name}.get(field, item.get("value") or "")

    def end(self) -> None:
        """End the pod with all that runs in it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def told(self) -> Resource:
        """The pod as the API shows it."""
        code = self.process.poll()
        phase = "Running" if code is None else "Failed" if code else "Succeeded"
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code, "reason": phase}}
        container = {"name": self.asked["spec"]["containers"][0]["name"], "ready": code is None, "state": state}
        status = {"phase": phase, "podIP": self.address, "containerStatuses": [container]}
        return {**self.asked, "kind": "Pod", "apiVersion": "v1", "status": status}


class Kubernetes:
    """The cluster."""

    def __init__(self, spark_home: str, logs: Path) -> None:
        self._spark_home, self._logs = spark_home, logs
        self._lock = threading.Lock()
        self._count = 0
        self.pods: dict[str, Pod] = {}
        self.made: list[Resource] = []
        """All that was ever asked for, as it was asked for."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": self}))
        self.master = f"k8s://http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def make(self, kind: str, asked: Resource) -> Resource:
        """Make a resource; a pod starts."""
        with self._lock:
            self._count += 1
            asked["metadata"] |= {"uid": f"uid-{self._count}", "resourceVersion": str(self._count)}
            asked["metadata"]["creationTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.made.append(asked)
            if kind != "pods":
                return asked
            pod = self.pods[asked["metadata"]["name"]] = Pod(asked, self._count, self._spark_home, self._logs)
            return pod.told()

    def chosen(self, selector: str) -> list[Pod]:
        """The pods whose labels a selector asks for."""
        with self._lock:
            return [pod for pod in self.pods.values() if _fits(pod.asked["metadata"].get("labels", {}), selector)]

    def remove(self, pods: list[Pod]) -> None:
        """Delete pods."""
        for pod in pods:
            with self._lock:
                self.pods.pop(pod.name, None)
            pod.end()

    def close(self) -> None:
        """End all pods, and the server."""
        self._server.shutdown()
        self._server.server_close()
        self.remove(list(self.pods.values()))


def _fits(labels: dict[str, str], selector: str) -> bool:
    for term in filter(None, re.split(r",(?![^(]*\))", selector)):
        if found := re.fullmatch(r"([^!= ]+) in \((.*)\)", term):
            fits = labels.get(found[1]) in found[2].split(",")
        elif found := re.fullmatch(r"([^!=]+)(!?)==?(.*)", term):
            fits = (labels.get(found[1]) == found[3]) == (not found[2])
        else:
            fits = (term.lstrip("!") in labels) != term.startswith("!")
        if not fits:
            return False
    return True


class _Handler(BaseHTTPRequestHandler):
    cluster: Kubernetes
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in its base class
        """Say nothing."""

    def _parts(self) -> tuple[str, str, str]:
        """Kind and name in a path, and the selector."""
        url = urlsplit(self.path)
        _, _, _, _, _, kind, *name = [*url.path.split("/"), "", ""]
        return kind, name[0] if name else "", parse_qs(url.query).get("labelSelector", [""])[0]

    def _body(self) -> Resource:
        body: Resource = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        return body

    def _answer(self, told: Resource, code: int = 200) -> None:
        text = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _answer_gone(self) -> None:
        self._answer(
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}, 404
        )

    def do_POST(self) -> None:
        asked = self._body()
        self._answer(self.cluster.make(self._parts()[0], asked), 201)

    def do_GET(self) -> None:
        kind, name, selector = self._parts()
        if kind == "pods" and name:
            pod = self.cluster.pods.get(name)
            return self._answer(pod.told()) if pod else self._answer_gone()
        items = [pod.told() for pod in self.cluster.chosen(selector)] if kind == "pods" else []
        return self._answer({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})

    def do_DELETE(self) -> None:
        self._body()
        kind, name, selector = self._parts()
        if kind == "pods":
            self.cluster.remove(
                [self.cluster.pods[name]] if name in self.cluster.pods else self.cluster.chosen(selector)
            )
        self._answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})


@contextmanager
def kubernetes(spark_home: str, logs: Path) -> Iterator[Kubernetes]:
    """A cluster that runs meanwhile."""
    cluster = Kubernetes(spark_home, logs)
    try:
        yield cluster
    finally:
        cluster.close()
