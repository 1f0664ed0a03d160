"""The links of generalized linear models are what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from rxspark.analysis.glm.links import LINKS, link_by_name

ETA = np.linspace(0.3, 2.5, 12)  # where every inverse is defined, and no link of a probability is at its end
STEP = 1e-5


@pytest.mark.parametrize("name", [*LINKS, "mu^0.25", "mu^-3.0"])
def test_a_link_and_its_inverse_undo_each_other(name: str) -> None:
    """link(inverse(eta)) is eta."""
    link = link_by_name(name)
    np.testing.assert_allclose(link.link(link.inverse(ETA)), ETA, rtol=1e-9)


@pytest.mark.parametrize("name", [*LINKS, "mu^0.25", "mu^-3.0"])
def test_the_slope_is_the_derivative_of_the_inverse(name: str) -> None:
    """It agrees with the central difference."""
    link = link_by_name(name)
    difference = (link.inverse(ETA + STEP) - link.inverse(ETA - STEP)) / (2 * STEP)
    np.testing.assert_allclose(link.inverse_deriv(ETA), difference, rtol=1e-7, atol=1e-9)
