"""R's functions of text, element by element."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from rxspark.analysis.formula.functions.arguments import flag_argument, number_argument, text_argument
from rxspark.analysis.formula.values import Value, as_text, logical, missing
from rxspark.errors import RxArgumentError

__all__ = ["TEXT_FUNCTIONS"]


def _paste(*values: Value, sep: Value = None) -> Value:
    between = text_argument(sep, "paste(sep = )", default=" ")
    parts = [np.where(missing(value), "NA", as_text(value)) for value in values]
    found = parts[0]
    for part in parts[1:]:
        found = found + between + part
    return found.astype(object)


def _substr(x: Value, start: Value, stop: Value) -> Value:
    first, last = int(number_argument(start, "substr")), int(number_argument(stop, "substr"))
    return np.array([None if text is None else text[first - 1 : last] for text in as_text(x)], dtype=object)


def _matching(x: Value, test: Callable[[str], Any]) -> Value:
    text = as_text(x)
    return logical([one is not None and bool(test(one)) for one in text])


def _pattern(pattern: Value, ignore_case: Value, fixed: Value) -> re.Pattern[str]:
    text = text_argument(pattern, "pattern")
    is_literal = flag_argument(fixed, "fixed", default=False)
    ignores_case = flag_argument(ignore_case, "ignore.case", default=False)
    try:
        return re.compile(re.escape(text) if is_literal else text, re.IGNORECASE if ignores_case else 0)
    except re.error as error:
        raise RxArgumentError(f"pattern={text!r}: {error}") from None


def _grepl(pattern: Value, x: Value, ignore_case: Value = None, fixed: Value = None) -> Value:
    return _matching(x, _pattern(pattern, ignore_case, fixed).search)


def _substitute(count: int) -> Callable[..., Value]:
    def function(pattern: Value, replacement: Value, x: Value, ignore_case: Value = None, fixed: Value = None) -> Value:
        found, by = _pattern(pattern, ignore_case, fixed), text_argument(replacement, "replacement")
        return _texts(lambda text: found.sub(by, text, count))(x)

    return function


def _texts(of: Callable[[str], Any]) -> Callable[..., Value]:
    return lambda x: np.array([None if text is None else of(text) for text in as_text(x)], dtype=object)


def _nchar(x: Value) -> Value:
    return np.array([np.nan if text is None else len(text) for text in as_text(x)], dtype=float)


def _starts_with(x: Value, prefix: Value) -> Value:
    start = text_argument(prefix, "startsWith(prefix)")
    return _matching(x, lambda text: text.startswith(start))


def _ends_with(x: Value, suffix: Value) -> Value:
    end = text_argument(suffix, "endsWith(suffix)")
    return _matching(x, lambda text: text.endswith(end))


TEXT_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "paste": _paste,
    "paste0": lambda *values: _paste(*values, sep=np.array([""], dtype=object)),
    "substr": _substr,
    "toupper": _texts(str.upper),
    "tolower": _texts(str.lower),
    "trimws": _texts(str.strip),
    "nchar": _nchar,
    "grepl": _grepl,
    "sub": _substitute(1),
    "gsub": _substitute(0),
    "startsWith": lambda x, prefix: _matching(
        x, lambda one: one.startswith(text_argument(prefix, "startsWith(prefix)"))
    ),
    "endsWith": _ends_with,
}
