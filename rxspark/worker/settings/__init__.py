"""The table of process-wide settings: all that a task could leave behind in its process, a line a setting.

`SETTINGS` is in the order in which they are put back: numbers are rounded as they were before any is set, a time zone
follows from the environment, streams need their descriptors.
"""

from __future__ import annotations

from rxspark.worker.settings.interpreter import INTERPRETER
from rxspark.worker.settings.libraries import LIBRARIES
from rxspark.worker.settings.native import NATIVE
from rxspark.worker.settings.setting import Setting
from rxspark.worker.settings.standard_library import STANDARD_LIBRARY
from rxspark.worker.settings.system import SYSTEM

__all__ = ["SETTINGS"]

SETTINGS: tuple[Setting, ...] = (*NATIVE, *INTERPRETER, *STANDARD_LIBRARY, *SYSTEM, *LIBRARIES)
