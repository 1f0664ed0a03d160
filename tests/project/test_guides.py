"""The README and the guides: their code runs and prints what they show, their links lead somewhere."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from pathlib import Path

import guides
import pytest
from _pytest.mark import ParameterSet
from guides import GUIDES, blocks
from project import ROOT


def _name(guide: Path) -> str:
    return guide.relative_to(ROOT).as_posix()


def _of(language: str) -> list[ParameterSet]:
    found = []
    for guide in GUIDES:
        needs = {block.needs for block in blocks(guide) if block.language == language} - {"cluster"}
        if needs:
            found.append(pytest.param(guide, id=_name(guide), marks=[pytest.mark.spark] if "spark" in needs else []))
    return found


@pytest.mark.parametrize("guide", _of("python"))
def test_the_code_of_the_guide_prints_what_it_says(guide: Path, tmp_path: Path) -> None:
    """Pasted in order into one program, each block runs, and prints the text that stands behind it."""
    run = subprocess.run(
        [sys.executable, guides.__file__, str(guide)], cwd=tmp_path, capture_output=True, text=True, timeout=280
    )
    assert run.returncode == 0, run.stderr
    shown = [block for block in blocks(guide) if block.language == "python" and block.needs != "cluster"]
    for block, printed in zip(shown, json.loads(run.stdout.splitlines()[-1]), strict=True):
        rules = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        same = doctest.OutputChecker().check_output(block.prints, printed, rules)
        assert same, f"{_name(guide)}:{block.line} prints\n{printed}\nand not\n{block.prints}"


@pytest.mark.parametrize("guide", GUIDES, ids=_name)
def test_code_for_a_cluster_can_be_read_by_its_language(guide: Path) -> None:
    """No test runs these blocks, but Python and bash must be able to read them."""
    for block in blocks(guide):
        if block.language == "python":
            compile(re.sub(r"^%.*", "", block.code, flags=re.MULTILINE), _name(guide), "exec")
        elif block.language == "sh":
            lines = [line for line in block.code.splitlines() if not line.startswith(">>>")]
            subprocess.run(["bash", "-n"], input="\n".join(lines), text=True, check=True)


@pytest.mark.parametrize("guide", GUIDES, ids=_name)
def test_files_that_the_guide_names_are_there(guide: Path) -> None:
    """Links, programs and scripts."""
    text = guide.read_text()
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (guide.parent / link).exists(), f"{_name(guide)} links to {link}"
    for file in re.findall(r"(?<![\w/.])(?:scripts|examples|conf|rxspark|tests)/[\w/-]+(?:\.\w+)?", text):
        assert (ROOT / file).exists() or file == "examples/output/", f"{_name(guide)} names {file}"


@pytest.mark.parametrize("guide", GUIDES, ids=_name)
def test_headings_that_are_linked_to_are_there(guide: Path) -> None:
    """A link with # leads to a heading of its file."""
    for file, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", guide.read_text()):
        target = guide.parent / file if file else guide
        lines = [line.lstrip("# ") for line in target.read_text().splitlines() if line.startswith("#")]
        assert heading in {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in lines}


def test_the_readme_is_short() -> None:
    """A stranger finds what he needs in a minute: the rest stands in the guides."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160
