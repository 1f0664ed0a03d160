"""What is kept out of logs, reprs and errors."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["without_secrets"]

# Settings whose values Spark, too, keeps out of its logs, and the keys of cloud storage.
_SECRET = re.compile("(?i)secret|password|passphrase|token|credential|access[.]?key|account[.]key|fs[.].*key")


def without_secrets(value: Any) -> Any:
    """A value to show; of a dict of settings, those that hold secrets by their names without their values.

    >>> without_secrets({"spark.authenticate.secret": "1234", "spark.ui.enabled": "false"})
    {'spark.authenticate.secret': '(not shown)', 'spark.ui.enabled': 'false'}
    """
    if not isinstance(value, dict):
        return value
    return {name: "(not shown)" if _SECRET.search(name) else setting for name, setting in value.items()}
