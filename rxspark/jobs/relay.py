"""Show the console output of tasks in the program that called them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from rxspark.worker.combining import AnyPartitionResult

__all__ = ["output_lines", "relay"]


def relay(part: AnyPartitionResult) -> None:
    """Show the console output of a partition's tasks."""
    for line in output_lines(part.output):
        sys.stdout.write(f"{line}\n")
    if part.output:
        sys.stdout.flush()


def output_lines(output: Mapping[int, str]) -> Iterator[str]:
    """The lines of console output, each behind the number of its task."""
    for number, text in output.items():
        yield from (f"[task {number}] {line}" for line in text.splitlines())
