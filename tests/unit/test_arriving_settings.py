"""Settings of libraries that one thread loads while another one looks at the settings."""

from __future__ import annotations

from typing import Any

from rxspark.worker.settings.setting import Setting
from rxspark.worker.watch import take_in_parts, taken


def test_a_library_that_another_thread_loads_meanwhile_does_no_harm() -> None:
    """Its settings come into the table of those that are just being gone through."""
    values: dict[Setting, Any] = {}

    def read() -> dict[str, int]:
        if values:  # as if another thread had loaded a library now
            values[late] = taken(late)
        return {"part": 1}

    late = Setting("of the library", dict, print, parts=True)
    for name in ("first", "second"):
        setting = Setting(name, read, print, parts=True)
        values |= {setting: taken(setting)}
    values.pop(late, None)
    take_in_parts(values)
    assert [setting.name for setting in values] == ["first", "second", "of the library"]
