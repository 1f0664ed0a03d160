"""Keep secrets out of logs, reprs and errors."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["without_secrets"]

# Settings whose values Spark, too, keeps out of its logs, and the keys of cloud storage.
_SECRET = re.compile("(?i)secret|password|passphrase|token|credential|access[.]?key|account[.]key|fs[.].*key")


# The password in a URL, behind the user's name.
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]+(?=@)")


def without_secrets(value: Any) -> Any:
    """Hide secrets in a value to show: the password of a URL, and the values of secret settings in a dict.

    >>> without_secrets({"spark.authenticate.secret": "1234", "spark.ui.enabled": "false"})
    {'spark.authenticate.secret': '(not shown)', 'spark.ui.enabled': 'false'}
    >>> without_secrets("sftp://ann:1234@host/share")
    'sftp://ann:(not shown)@host/share'
    """
    if isinstance(value, str):
        return _PASSWORD.sub(r"\1:(not shown)", value)
    if not isinstance(value, dict):
        return value
    return {
        name: "(not shown)" if _SECRET.search(name) or _SECRET.search(str(setting)) else without_secrets(setting)
        for name, setting in value.items()
    }
