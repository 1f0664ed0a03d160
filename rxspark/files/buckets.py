"""Stores of objects, S3, Google's and Azure's: what their URLs name, and what their errors mean."""

from __future__ import annotations

import contextlib
import re
from typing import Any

__all__ = ["STORES", "account_in", "denial", "missing_bucket"]

STORES = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure"}
"""By the schemes of their URLs, the extras that bring their packages."""

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, or the role of the machine",
    "gcs": "GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, or the role of the machine",
    "azure": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY",
}

# What the clients say without credentials, and with those that a store does not take; S3's raises PermissionError.
_DENIED = re.compile(
    r"(?i)unable to locate credentials|anonymous caller|provide either a connection_string|failed to retrieve a token"
    r"|failed to authenticate|not authorized|^forbidden"
)


def account_in(url: str) -> str:
    """The account that a URL of Azure names behind its container, with the sign before it; empty without one."""
    found = re.match(r"[a-z]+://[^/@]+(@[^/]+)", url)
    return found[1] if found else ""


def missing_bucket(fs: Any, path: str) -> str | None:
    """Name the missing bucket of a path; None where it exists, or where we may not ask."""
    bucket = path.strip("/").partition("/")[0]
    with contextlib.suppress(Exception):
        try:
            fs.info(bucket)
        except FileNotFoundError:
            return f"there is no bucket {bucket!r}, and rxspark makes none: make it, or name another one"
    return None


def denial(store: str, error: Exception) -> str | None:
    """Explain where a kind of store takes credentials from, if an error says that they are missing."""
    text = str(error).strip().partition("\n")[0]
    if not isinstance(error, PermissionError) and not _DENIED.search(text):
        return None
    return f"permission denied: {text}. Who you are there, {_CREDENTIALS[store]} tell, on executors too"
