"""Traces that tasks leave in their process: a line for each, by which every context is tried."""

from __future__ import annotations

from traces import of_libraries, of_python, of_registries, of_system
from traces.table import TRACES, Trace, visit

__all__ = ["TRACES", "Trace", "of_libraries", "of_python", "of_registries", "of_system", "visit"]
