"""The archive of rxspark that executors fetch: the code alone, and as small as it can be without a loss."""

from __future__ import annotations

import marshal
import traceback
import zipfile
from types import CodeType
from typing import Any

import pytest

from rxspark import RxArgumentError, validation
from rxspark.backends.spark.package import packed_rxspark

_HEAD = 16  # bytes before the code in a .pyc file


def test_the_code_has_the_lines_of_its_source_and_neither_docstrings_nor_columns() -> None:
    """A traceback of an executor names the line that raised; all else that only tells of the source stays here."""
    with zipfile.ZipFile(packed_rxspark()) as archive:
        code: CodeType = marshal.loads(archive.read("rxspark/validation.pyc")[_HEAD:])
    there: dict[str, Any] = {}
    exec(code, there)
    with pytest.raises(RxArgumentError) as caught:
        there["whole_number"]("n", "text", 0)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    with open(validation.__file__) as source:
        assert source.readlines()[(last.lineno or 0) - 1].strip().startswith("raise RxArgumentError(")
    assert last.filename == "rxspark/validation.py"
    assert there["whole_number"].__doc__ is None
    columns = {column for _, _, *both in there["whole_number"].__code__.co_positions() for column in both}
    assert columns == {None, 0}  # the compiler's own first instruction is at 0
