"""Code blocks of the guides, and a program that runs those of one guide in order, as a reader does who pastes them.

After three backquotes and the language stands what a block needs: nothing, `spark` (a Spark on this machine), or
`cluster` (which no test has: such a block is not run). A block of text right behind one of Python is what that prints.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

from project import ROOT

GUIDES = sorted(
    path for pattern in ("*.md", "conf/*.md", "examples/*.md", "scripts/**/*.md") for path in ROOT.glob(pattern)
)

_BLOCK = re.compile(r"^```(\w+) ?(\w*)\n(.*?)^```\n(?:```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of code."""

    language: str
    needs: str
    code: str
    line: int
    prints: str
    """The text that it prints, where the guide shows that."""


def blocks(guide: Path) -> list[Block]:
    """All blocks of a guide, in order."""
    text = guide.read_text()
    return [
        Block(found[1], found[2], found[3], text.count("\n", 0, found.start()) + 2, found[4] or "")
        for found in _BLOCK.finditer(text)
    ]


def _run(guide: Path) -> None:
    """Run the blocks of Python that need no cluster, and print a list of what each has printed."""
    import __main__

    printed = []
    for block in blocks(guide):
        if block.language == "python" and block.needs != "cluster":
            code = compile("\n" * (block.line - 1) + block.code, str(guide), "exec")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, vars(__main__))
            printed.append(out.getvalue())
    print(json.dumps(printed))


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
