"""S3 on loopback: moto's server in this process, which can be told to fail as S3 and the way to it do.

A fault looks at each request before the store does, and answers in its place, or gives None. `lag` makes listings old.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from xml.sax.saxutils import escape

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

__all__ = ["ENVIRONMENT", "Bucket", "Fault", "S3Server", "broken", "refused"]

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Variables that clients read, beside AWS_ENDPOINT_URL."""

Fault = Callable[[Request], Response | None]


# Writes no line for each request.
_QUIET = type("_Quiet", (WSGIRequestHandler,), {"log": lambda self, *_: None})


class S3Server:
    """A running server.

    Attributes
    ----------
    url : str
        Where it is.
    faults : list of functions
        Those that are on.
    lag : float
        Seconds for which a listing does not show what has been written.
    requests : list of str
        Method and path of all that was asked.
    """

    def __init__(self) -> None:
        self._store = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=_QUIET)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.faults: list[Fault] = []
        self.lag = 0.0
        self.requests: list[str] = []
        self._one_step = threading.Lock()
        self._written: dict[str, float] = {}
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ, populate_request=False)
        self.requests.append(f"{request.method} {request.path}")
        for fault in list(self.faults):
            answer = fault(request)
            if answer is not None:
                return _body(answer, environ, start_response)
        if request.method == "PUT":
            self._written[request.path.split("/", 2)[-1]] = time.monotonic()
        if self.lag and "list-type" in request.args:
            listing = self.stored(request)
            listing.set_data(self._old(listing.get_data(as_text=True)))
            return _body(listing, environ, start_response)
        return _body(self.stored(request), environ, start_response)

    def stored(self, request: Request) -> Response:
        """Let the store answer; whether there is an object and putting one are one step there, but not in moto."""
        with self._one_step if request.method == "PUT" else nullcontext():
            answer: Response = Response.from_app(self._store, request.environ, buffered=True)
            return answer

    def _old(self, listing: str) -> str:
        now = time.monotonic()
        for key, written in self._written.items():
            if now - written < self.lag:
                listing = re.sub(
                    rf"<Contents>\s*<Key>{re.escape(escape(key))}</Key>.*?</Contents>", "", listing, flags=re.S
                )
        return listing

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Fail so meanwhile."""
        self.faults.append(fault)
        try:
            yield
        finally:
            self.faults.remove(fault)

    def bucket(self, name: str) -> Bucket:
        """Make a bucket."""
        client = boto3.client("s3", endpoint_url=self.url, aws_access_key_id="test", aws_secret_access_key="test")
        client.create_bucket(Bucket=name)
        return Bucket(self, name, client)

    def close(self) -> None:
        """End it, with all that is in it."""
        self._server.shutdown()
        self._server.server_close()


def _body(answer: Response, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body: Iterable[bytes] = answer(environ, start_response)
    return body


class Bucket:
    """A bucket, as another client sees it."""

    def __init__(self, server: S3Server, name: str, client: Any) -> None:
        self.server = server
        self.url = f"s3://{name}"
        self._name = name
        self._client = client

    def objects(self) -> list[str]:
        """The names of all objects, in order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def uploads(self) -> list[str]:
        """The names of objects of which parts have been sent, and no end: they cost as much as objects."""
        return [one["Key"] for one in self._client.list_multipart_uploads(Bucket=self._name).get("Uploads", [])]


def refused(
    status: int, code: str, times: float = float("inf"), methods: str = "GET PUT POST HEAD DELETE", where: str = ""
) -> Fault:
    """Refuse requests by these methods whose path has `where` in it, so many times, with an error of S3."""
    left = [times]

    def fault(request: Request) -> Response | None:
        if request.method not in methods.split() or where not in request.path or left[0] <= 0:
            return None
        left[0] -= 1
        request.get_data()
        text = f"<Error><Code>{code}</Code><Message>said by the test</Message></Error>"
        return Response("" if request.method == "HEAD" else text, status, content_type="application/xml")

    return fault


def broken(times: float, where: str) -> Fault:
    """Break so many connections in the middle of what is being written to a path that has `where` in it."""
    left = [times]

    def fault(request: Request) -> Response | None:
        if request.method != "PUT" or where not in request.path or left[0] <= 0:
            return None
        left[0] -= 1
        request.stream.read((request.content_length or 0) // 2)
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return Response("", 500)

    return fault
