"""Hadoop's tokens for the Python of executors.

With principal and keytab Spark gets new tokens long before the old ones end, for its JVMs alone. Python reads the file
of its container, in which YARN has put those of the start. So each job of Spark brings those that are there by then.
"""

from __future__ import annotations

import base64
import contextlib
import os
import time
from pathlib import Path
from typing import Any

from rxspark.files.io import private
from rxspark.files.kerberos import TOKENS

__all__ = ["PROPERTY", "present_tokens", "take_tokens"]

PROPERTY = "rxspark.hadoop.tokens"
"""The local property of a job in which they are sent; Spark redacts what has "token" in its name wherever it logs."""

# By which a driver that runs in a container asks for more containers, which is not for executors.
_MASTERS_OWN = "YARN_AM_RM_TOKEN"


def present_tokens(jvm: Any) -> str:
    """Return the tokens that the driver's JVM has now, and the time."""
    security = jvm.org.apache.hadoop.security
    tokens = security.Credentials()
    found = security.UserGroupInformation.getCurrentUser().getCredentials().getAllTokens()
    for token in jvm.java.util.ArrayList(found):
        if str(token.getKind()) != _MASTERS_OWN:
            tokens.addToken(token.getService(), token)
    written = jvm.java.io.ByteArrayOutputStream()
    tokens.writeTokenStorageToStream(jvm.java.io.DataOutputStream(written))
    return f"{time.time()} {base64.b64encode(written.toByteArray()).decode()}"


def take_tokens(sent: str | None) -> None:
    """Put tokens that were sent into the file of this container, unless newer ones are there."""
    place = os.environ.get(TOKENS)
    if not sent or not place:
        return
    moment, _, text = sent.partition(" ")
    tokens = base64.b64decode(text)
    with contextlib.suppress(OSError):  # then those of the start serve as long as they last
        if Path(place).read_bytes() == tokens or os.stat(place).st_mtime > float(moment):
            return
        draft = f"{place}.{os.getpid()}"
        with open(draft, "wb", opener=private) as file:
            file.write(tokens)
        os.utime(draft, (float(moment), float(moment)))
        os.replace(draft, place)
