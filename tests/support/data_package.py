"""A package of the user's own that reads files of its folder."""

from __future__ import annotations

import textwrap
from pathlib import Path

FILES = {
    "__init__.py": "",
    "table.csv": "a,b",
    "deep/er/text.txt": "deep",
    "inner/__init__.py": "",
    "inner/own.txt": "inner",
    "reads.py": """
        import importlib.resources, os, pkgutil

        def run():
            files = importlib.resources.files(__package__)
            with open(os.path.join(os.path.dirname(__file__), "table.csv")) as file:
                plain = file.read()
            return (
                pkgutil.get_data(__package__, "table.csv").decode(),
                files.joinpath("deep", "er", "text.txt").read_text(),
                importlib.resources.files("rx_data.inner").joinpath("own.txt").read_text(),
                plain,
            )
    """,
}


def write_package(folder: Path) -> None:
    """Write it to a folder, by whose name it is imported."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
