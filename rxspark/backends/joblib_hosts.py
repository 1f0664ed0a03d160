"""Find out whether the workers of a joblib backend are on this host, or on others, which do not see its files."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

__all__ = ["workers_are_here"]


def workers_are_here(backend: Any) -> bool:
    """Tell whether all workers of a cluster's backend, an object or a name, are on this host; no, if nobody knows."""
    name = backend if isinstance(backend, str) else type(backend).__name__
    if "dask" in name.lower():
        return _all_here(_dask_hosts(backend))
    if "ray" in name.lower():
        return sys.modules["ray"].is_initialized() and _all_here(_ray_hosts())
    return False


def _dask_hosts(backend: Any) -> Iterable[str]:
    client = getattr(backend, "client", None) or sys.modules["distributed"].get_client()
    addresses = [urlsplit(address) for address in client.nthreads()]
    return [address.hostname or "" for address in addresses if address.scheme != "inproc"]


def _ray_hosts() -> Iterable[str]:
    return [node["NodeManagerAddress"] for node in sys.modules["ray"].nodes() if node["Alive"]]


def _all_here(addresses: Iterable[str]) -> bool:
    return all(map(_is_here, set(addresses)))


def _is_here(address: str) -> bool:
    """Tell whether an address belongs to this host: only then can a socket be bound to it."""
    try:
        family = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family[0], family[1]) as probe:
            probe.bind(family[4])
    except OSError:
        return False
    return True
