"""Numbers and tables as R prints them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["RxText", "coefficient_table", "formatted", "matrix", "vector_lines"]

_WIDTH = 80  # of a line of R's
_EPS = 2.220446049250313e-16  # R tells no p value that is smaller


class RxText(str):
    """Text that a Python shell and a notebook show as it is."""

    def __repr__(self) -> str:
        return str(self)


def formatted(values: Iterable[float], digits: int = 7) -> list[str]:
    """Write numbers as R's format() does: all alike, with as many digits as the one that needs most.

    >>> formatted([3.04452, -0.454255, 1.2e-15], 4)
    ['3.045e+00', '-4.543e-01', '1.200e-15']
    >>> formatted([10.58144, 5.12914], 5)
    ['10.5814', '5.1291']
    """
    numbers = [float(value) for value in values]
    finite = [value for value in numbers if math.isfinite(value)]
    parts = [_scientific(value, digits) for value in finite]
    decimals = max((max(0, len(mantissa) - 1 - power) for mantissa, power in parts), default=0)
    longest = max((len(mantissa) for mantissa, _ in parts), default=1)
    left = max((max(1, power + 1) for _, power in parts), default=1)
    fixed_width = left + (decimals + 1 if decimals else 0)
    scientific_width = (longest + 1 if longest > 1 else 1) + 4
    style = f".{decimals}f" if fixed_width <= scientific_width else f".{longest - 1}e"
    return [format(value, style) if math.isfinite(value) else _special(value) for value in numbers]


def vector_lines(cells: Sequence[str]) -> list[str]:
    """Write a vector of formatted values as lines; each begins with the number of its first.

    >>> vector_lines(["1"] * 40 + ["NA"])[1:]
    ['[26]  1  1  1  1  1  1  1  1  1  1  1  1  1  1  1 NA']
    """
    first, width = len(f"[{len(cells)}]"), max(map(len, cells), default=0) + 1
    each = max(1, (_WIDTH - first) // width)
    return [
        f"{f'[{start + 1}]':>{first}}" + "".join(f"{cell:>{width}}" for cell in cells[start : start + each])
        for start in range(0, len(cells), each)
    ]


def matrix(names: Sequence[str], rows: Any) -> str:
    """Write a matrix as R does, its rows numbered 1, 2, ...; columns that do not fit come below.

    >>> print(matrix(["x", "log(y)"], [[1.0, 0.5], [20.0, 1.25]]))
       x log(y)
    1  1   0.50
    2 20   1.25
    """
    first = len(str(len(rows)))
    blocks: list[list[str]] = []
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        cells = [name, *formatted(column)]
        width = max(map(len, cells)) + 1
        if not blocks or len(blocks[-1][0]) + width > _WIDTH:
            blocks.append([f"{number or '':<{first}}" for number in range(len(rows) + 1)])
        blocks[-1] = [f"{line}{cell:>{width}}" for line, cell in zip(blocks[-1], cells, strict=True)]
    return "\n".join(line for block in blocks for line in block)


def _scientific(value: float, digits: int) -> tuple[str, int]:
    """Round a number to so many digits; give them without zeros at the end, and the power of ten."""
    mantissa, _, power = f"{abs(value):.{digits - 1}e}".partition("e")
    return mantissa.replace(".", "").rstrip("0") or "0", int(power)


def _special(value: float) -> str:
    return "NA" if math.isnan(value) else "Inf" if value > 0 else "-Inf"


def coefficient_table(names: Sequence[str], columns: Sequence[str], rows: Any) -> str:
    """Write R's table of coefficients: estimates, standard errors, statistics, p values and their stars."""
    estimates, errors, statistics, p_values = (list(map(float, column)) for column in rows)
    sizes = [abs(v) for v in (*estimates, *errors) if v and math.isfinite(v)]
    decimals = max(1, 3 - math.floor(math.log10(min(sizes)))) if sizes else 1
    both = formatted(_rounded([*estimates, *errors], decimals), 4)
    cells = [
        both[: len(names)],
        both[len(names) :],
        formatted(_rounded(statistics, 3), 4),
        _p_value_texts(p_values),
    ]
    stars = [_stars(p) for p in p_values]
    widths = [max(map(len, (column, *cell))) for column, cell in zip(columns, cells, strict=True)]
    first = max(map(len, names), default=0)
    lines = [" " * first + "".join(f" {title:>{width}}" for title, width in zip(columns, widths, strict=True)) + "    "]
    for number, name in enumerate(names):
        cells_of_row = "".join(f" {cell[number]:>{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{name:<{first}}{cells_of_row} {stars[number]:<3}")
    if any(stars):
        lines += ["---", "Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1"]
    return "\n".join(lines)


def _rounded(values: list[float], decimals: int) -> list[float]:
    return [round(v, decimals) + 0.0 if math.isfinite(v) else v for v in values]  # + 0.0: no minus before a 0


def _p_value_texts(values: list[float]) -> list[str]:
    """Write p values as R's format.pval does."""
    plain = [v for v in values if v >= 1e-3]
    small = [v for v in values if _EPS <= v < 1e-3]
    texts = dict(zip(plain, formatted(plain, 3), strict=True)) | dict(zip(small, formatted(small, 3), strict=True))
    least = "< 2e-16" if max(map(len, texts.values()), default=0) > 6 else "<2e-16"
    return ["NA" if math.isnan(v) else least if v < _EPS else texts[v] for v in values]


def _stars(p: float) -> str:
    for limit, stars in ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, ".")):
        if p <= limit:
            return stars
    return ""
