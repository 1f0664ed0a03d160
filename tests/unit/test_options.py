"""rxOptions: one typed table."""

from __future__ import annotations

import pytest

from rxspark import RxArgumentError, rxGetOption, rxOptions
from rxspark.options import OPTIONS


@pytest.fixture(autouse=True)
def _kept():
    before = rxOptions()
    yield
    rxOptions(**before)


def test_setting_gives_the_previous_values():
    """The values that rxOptions returns can be given to it again; without arguments it tells all."""
    before = rxOptions()
    assert set(before) == set(OPTIONS)
    assert rxOptions(consoleLimit=5, reportProgress=0) == {
        name: before[name] for name in ("consoleLimit", "reportProgress")
    }
    assert (rxGetOption("consoleLimit"), rxGetOption("reportProgress")) == (5, 0)


@pytest.mark.parametrize(
    "values",
    [
        {"numCoresToUse": 0},
        {"numCoresToUse": True},
        {"numCoresToUse": 2.0},
        {"numCoresToUse": -2},
        {"reportProgress": 2},
        {"consoleLimit": -1},
        {"consoleLimit": "1"},
    ],
    ids=str,
)
def test_a_wrong_value_sets_nothing(values):
    """A value that an option does not accept is refused by name and value, and no option is set then."""
    before = rxOptions()
    (name, value) = next(iter(values.items()))
    with pytest.raises(RxArgumentError) as caught:
        rxOptions(**({"consoleLimit": 77} | values))
    assert f"{name}={value!r}" in str(caught.value)
    assert rxOptions() == before


@pytest.mark.parametrize("ask", [lambda: rxOptions(numcorestouse=1), lambda: rxGetOption("numcorestouse")])
def test_an_unknown_option_suggests_the_likely_one(ask):
    """A misspelt name is an error that gives the right one."""
    with pytest.raises(RxArgumentError, match="did you mean 'numCoresToUse'"):
        ask()


@pytest.mark.parametrize("name", OPTIONS)
def test_every_default_is_valid(name):
    """The table accepts its own defaults and says what each option does."""
    option = OPTIONS[name]
    assert option.valid(option.default)
    assert option.about.endswith(".")
