"""Where the files of the project are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
GOLDEN = ROOT / "tests" / "golden"
HADOOP = ROOT / "scripts" / "hadoop"
LAB = ROOT / "scripts" / "lab"
LEFT_BEHIND = ROOT / "scripts" / "left_behind"
