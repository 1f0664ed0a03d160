"""Tables of the guides that the code knows are as the code has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from project import ROOT

from rxspark.analysis.glm.families import FAMILIES, choose_family
from rxspark.backends.spark.capabilities import CAPABILITIES
from rxspark.contexts import ARGUMENTS
from rxspark.options import OPTIONS
from rxspark.rng.kinds import KINDS


def table(rows: Iterable[Iterable[str]]) -> str:
    """Rows of Markdown."""
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def capacity(count: int) -> str:
    """Write a number as people read it: large ones by powers of two."""
    if count & (count - 1) == 0:
        return f"2**{count.bit_length() - 1}"
    return f"{count // 2**32:,} x 2**32" if count % 2**32 == 0 else f"{count:,}"


def kinds() -> str:
    """Kinds of random number generators."""
    return table(
        (
            f"`{name}`",
            kind.family,
            "NumPy" if kind.library == "NumPy" else "MKL",
            capacity(kind.streams),
            capacity(kind.draws) + (" points" if kind.quasi else ""),
        )
        for name, kind in KINDS.items()
    )


def options() -> str:
    """Options of rxOptions."""
    return table(
        (f"`{name}`", f"`{option.default!r}`", option.accepts, option.about) for name, option in OPTIONS.items()
    )


def capabilities() -> str:
    """Abilities of each kind of Spark session."""
    return table((name, how.classic, how.connect) for name, how in CAPABILITIES.items())


def spark_arguments() -> str:
    """Arguments of RxSpark and the settings that they are."""
    return table((f"`{argument}`", f"`{setting}`") for argument, setting in ARGUMENTS.items())


def families() -> str:
    """Families of generalized linear models."""
    others: dict[str, dict[str, Any]]
    others = {"quasi": {"variance": "constant"}, "negative.binomial": {"theta": 1}, "tweedie": {"varPower": 1.5}}
    rows = [(family, "") for family in FAMILIES.values()]
    rows += [
        (
            choose_family(name, None, **given)[0],
            ", ".join(f"`{argument}={value!r}`" for argument, value in given.items()),
        )
        for name, given in others.items()
    ]
    return table((f"`{family.name}`", family.accepts, ", ".join(family.links), given) for family, given in rows)


@pytest.mark.parametrize(
    ("guide", "made"),
    [
        ("examples/guide.md", kinds),
        ("examples/guide.md", options),
        ("conf/README.md", capabilities),
        ("conf/README.md", spark_arguments),
        ("examples/README.md", families),
    ],
)
def test_the_guide_has_the_table_of_the_code(guide: str, made: Callable[[], str]) -> None:
    """Row by row, so that a change of the code changes the guide too."""
    rows = made()
    assert f"|\n{rows}\n" in (ROOT / guide).read_text() + "\n", f"{guide} is to have these rows:\n{rows}"
