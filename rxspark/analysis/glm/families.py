"""Families of generalized linear models, by R's names: variance, deviance, likelihood, valid values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from rxspark.analysis.arrays import BoolArray, FloatArray
from rxspark.analysis.glm.links import LINKS, Link, link_by_name, power_link
from rxspark.errors import RxArgumentError, closest

__all__ = ["FAMILIES", "Family", "choose_family", "family_by_name"]


@dataclass(frozen=True)
class Family:
    """A family of distributions of the response. It pickles as its name and its parameter."""

    name: str
    links: tuple[str, ...]
    """The links that it takes; the first is the default."""
    canonical: str
    """The canonical link, with which Fisher's steps are Newton's; "" if it has no name."""
    dispersion_known: bool
    """Whether the dispersion is 1 rather than estimated."""
    accepts: str
    """The responses that it takes, in words."""
    valid_response: Callable[[FloatArray], BoolArray]
    """The values that a response may have."""
    variance: Callable[[FloatArray], FloatArray]
    unit_deviance: Callable[[FloatArray, FloatArray], FloatArray]
    """(y, mu): the deviance of one row of weight 1."""
    initial_mean: Callable[[FloatArray, FloatArray], FloatArray]
    """(y, prior weights): the means to start from, as in R."""
    row_log_likelihood: Callable[[FloatArray, FloatArray, FloatArray], FloatArray] | None
    """(y, mu, prior weights): a row's term of the log-likelihood; None if the family has no likelihood."""
    log_likelihood: Callable[[float, float, float, int], float]
    """(sum of the rows' terms, deviance, sum of the weights, observations): the log-likelihood."""
    valid_mean: Callable[[FloatArray], BoolArray]
    """The means that the family can have."""
    extra_parameters: int = 0
    """Parameters beside the coefficients that the likelihood has, for AIC."""
    parameter: Any = None
    """Theta, the power of the variance, or the name of the variance function."""

    def __reduce__(self) -> tuple[Any, ...]:
        return family_by_name, (self.name, self.parameter)

    def deviance(self, y: FloatArray, mu: FloatArray, weights: FloatArray) -> float:
        """Compute twice the difference of the log-likelihood to that of a perfect fit."""
        return float(np.sum(weights * self.unit_deviance(y, mu)))

    def aic(self, rows: float, deviance: float, weight: float, observations: int, rank: int) -> float:
        """Compute Akaike's information criterion as R does; NaN if the family has no likelihood."""
        if self.row_log_likelihood is None:
            return float("nan")
        log_likelihood = self.log_likelihood(rows, deviance, weight, observations)
        return float(-2 * log_likelihood + 2 * (rank + self.extra_parameters))

    @property
    def takes_trials(self) -> bool:
        """Tell whether responses are shares of successes."""
        return self.name in ("binomial", "quasibinomial")

    @property
    def has_theta_to_fit(self) -> bool:
        """Tell whether it is a negative binomial one whose theta is not given."""
        return self.name == "negative.binomial" and self.parameter is None

    @property
    def title(self) -> str:
        """The name that R prints."""
        return f"Negative Binomial({self.parameter:.4g})" if self.name == "negative.binomial" else self.name


def _gaussian(rows: float, deviance: float, weight: float, n: int) -> float:
    return float(rows - 0.5 * n * (np.log(2 * np.pi * deviance / n) + 1))


def _poisson_row(y: FloatArray, mu: FloatArray, prior: FloatArray) -> FloatArray:
    found: FloatArray = prior * (xlogy(y, mu) - mu - gammaln(y + 1))
    return found


def _binomial_row(y: FloatArray, mu: FloatArray, prior: FloatArray) -> FloatArray:
    """The prior weight is the number of trials, the response the share of successes, as in R."""
    trials, hits = np.round(prior), np.round(prior * y)
    ways = gammaln(trials + 1) - gammaln(hits + 1) - gammaln(trials - hits + 1)
    found: FloatArray = ways + xlogy(hits, mu) + xlog1py(trials - hits, -mu)
    return found


def _gamma(rows: float, deviance: float, weight: float, n: int) -> float:
    shape = weight / deviance
    return float(shape * (-deviance / 2 - weight) + weight * (shape * np.log(shape) - gammaln(shape)) + rows)


def _inverse_gaussian(rows: float, deviance: float, weight: float, n: int) -> float:
    return float(1.5 * rows - 0.5 * weight * (np.log(2 * np.pi * deviance / weight) + 1))


def _sum_of_rows(rows: float, deviance: float, weight: float, n: int) -> float:
    return rows


def _binomial_deviance(y: FloatArray, mu: FloatArray) -> FloatArray:
    found: FloatArray = 2 * (xlogy(y, y) - xlogy(y, mu) + xlog1py(1 - y, -y) - xlog1py(1 - y, -mu))
    return found


def _poisson_deviance(y: FloatArray, mu: FloatArray) -> FloatArray:
    found: FloatArray = 2 * (xlogy(y, y) - xlogy(y, mu) - (y - mu))
    return found


def _gamma_deviance(y: FloatArray, mu: FloatArray) -> FloatArray:
    return np.maximum(-2 * (np.log(np.where(y == 0, 1, y) / mu) - (y - mu) / mu), 0)


def _positive(values: FloatArray) -> BoolArray:
    return values > 0


def _not_negative(values: FloatArray) -> BoolArray:
    return values >= 0


_CONSTANT: dict[str, Any] = {
    "canonical": "identity",
    "accepts": "numbers",
    "valid_response": np.isfinite,
    "variance": np.ones_like,
    "unit_deviance": lambda y, mu: (y - mu) ** 2,
    "initial_mean": lambda y, prior: y,
    "valid_mean": np.isfinite,
}
_SHARES: dict[str, Any] = {
    "canonical": "logit",
    "accepts": "values from 0 to 1, True and False, a factor of two levels, or cbind(successes, failures)",
    "valid_response": lambda y: (y >= 0) & (y <= 1),
    "variance": lambda mu: mu * (1 - mu),
    "unit_deviance": _binomial_deviance,
    "initial_mean": lambda y, prior: (prior * y + 0.5) / (prior + 1),
    "valid_mean": lambda mu: (mu > 0) & (mu < 1),
}
_COUNTS: dict[str, Any] = {
    "canonical": "log",
    "accepts": "values of 0 or more",
    "valid_response": _not_negative,
    "variance": lambda mu: mu,
    "unit_deviance": _poisson_deviance,
    "initial_mean": lambda y, prior: y + 0.1,
    "valid_mean": _positive,
}
_POSITIVE: dict[str, Any] = {
    "accepts": "values above 0",
    "valid_response": _positive,
    "initial_mean": lambda y, prior: y,
    "valid_mean": _positive,
}
_SQUARE = {**_POSITIVE, "canonical": "inverse", "variance": np.square, "unit_deviance": _gamma_deviance}
_CUBE = {
    **_POSITIVE,
    "canonical": "1/mu^2",
    "variance": lambda mu: mu**3,
    "unit_deviance": lambda y, mu: (y - mu) ** 2 / (y * mu**2),
}
_NO_LIKELIHOOD: dict[str, Any] = {"dispersion_known": False, "row_log_likelihood": None, "log_likelihood": _sum_of_rows}
_LIKELIHOOD: dict[str, Any] = {"dispersion_known": True, "log_likelihood": _sum_of_rows}
_POSITIVE_LIKELIHOOD: dict[str, Any] = {
    "dispersion_known": False,
    "row_log_likelihood": lambda y, mu, prior: -prior * np.log(y),
    "extra_parameters": 1,
}
_SHARE_LINKS = ("logit", "probit", "cloglog", "cauchit", "log")
_COUNT_LINKS = ("log", "identity", "sqrt")

_FIXED = (
    Family(
        name="gaussian",
        links=("identity", "log", "inverse"),
        dispersion_known=False,
        row_log_likelihood=lambda y, mu, prior: 0.5 * np.log(prior),
        log_likelihood=_gaussian,
        extra_parameters=1,
        **_CONSTANT,
    ),
    Family(name="binomial", links=_SHARE_LINKS, row_log_likelihood=_binomial_row, **_LIKELIHOOD, **_SHARES),
    Family(name="quasibinomial", links=_SHARE_LINKS, **_NO_LIKELIHOOD, **_SHARES),
    Family(name="poisson", links=_COUNT_LINKS, row_log_likelihood=_poisson_row, **_LIKELIHOOD, **_COUNTS),
    Family(name="quasipoisson", links=_COUNT_LINKS, **_NO_LIKELIHOOD, **_COUNTS),
    Family(
        name="gamma",
        links=("inverse", "identity", "log"),
        log_likelihood=_gamma,
        **_POSITIVE_LIKELIHOOD,
        **_SQUARE,
    ),
    Family(
        name="inverse.gaussian",
        links=("1/mu^2", "inverse", "identity", "log"),
        log_likelihood=_inverse_gaussian,
        **_POSITIVE_LIKELIHOOD,
        **_CUBE,
    ),
)


_VARIANCES: dict[str, dict[str, Any]] = {
    "constant": _CONSTANT,
    "mu(1-mu)": {**_SHARES, "initial_mean": lambda y, prior: np.clip(y, 0.001, 0.999)},
    "mu": _COUNTS,
    "mu^2": {
        **_SQUARE,
        "accepts": _COUNTS["accepts"],
        "valid_response": _not_negative,
        "initial_mean": lambda y, prior: y + 0.1 * (y == 0),
    },
    "mu^3": _CUBE,
}


def _quasi(variance: Any) -> Family:
    """Make a quasi family, which has nothing but a variance function and a link."""
    name = "constant" if variance is None else variance.replace(" ", "") if isinstance(variance, str) else variance
    if name not in _VARIANCES:
        raise RxArgumentError(f"variance={variance!r}: the variance functions are {', '.join(_VARIANCES)}")
    links = ("identity", *(link for link in LINKS if link != "identity"))
    return Family(name="quasi", links=links, parameter=name, **_NO_LIKELIHOOD, **_VARIANCES[name])


def _negative_binomial(theta: Any) -> Family:
    """Make a family of counts whose variance is mu + mu^2 / theta; None: theta is to be fitted."""
    if theta is not None and not _is_number(theta, above=0):
        raise RxArgumentError(f"theta={theta!r}: theta is a number above 0; leave it out to have it fitted")
    size = math.nan if theta is None else float(theta)

    def deviance(y: FloatArray, mu: FloatArray) -> FloatArray:
        terms: FloatArray = xlogy(y, np.maximum(1, y) / mu) - (y + size) * np.log((y + size) / (mu + size))
        return 2 * terms

    def likelihood(y: FloatArray, mu: FloatArray, prior: FloatArray) -> FloatArray:
        ways = gammaln(size + y) - gammaln(size) - gammaln(y + 1)
        terms: FloatArray = ways + xlogy(y, mu / (mu + size)) - size * np.log1p(mu / size)
        return prior * terms

    return Family(
        name="negative.binomial",
        links=_COUNT_LINKS,
        dispersion_known=False,
        row_log_likelihood=likelihood,
        log_likelihood=_sum_of_rows,
        parameter=None if theta is None else size,
        **{
            **_COUNTS,
            "canonical": "",
            "variance": lambda mu: mu + mu**2 / size,
            "unit_deviance": deviance,
            "initial_mean": lambda y, prior: y + (y == 0) / 6,
        },
    )


def _tweedie(power: Any) -> Family:
    """Make a family of values whose variance is mu^power (Jorgensen 1987); from 1 to 2 there are zeros among them."""
    if power is None:
        raise RxArgumentError(
            'family="tweedie" needs varPower, the power of the mean that the variance is, such as varPower=1.5: from 1 '
            "(poisson) to 2 (gamma) for amounts with zeros among them"
        )
    if not _is_number(power) or (power != 0 and power < 1):
        raise RxArgumentError(f"varPower={power!r}: varPower is 0, or a number of at least 1; there are no others")
    p = float(power)

    def deviance(y: FloatArray, mu: FloatArray) -> FloatArray:
        some = np.where(y == 0, 1.0, y)  # where y is 0, what it gives is multiplied by 0
        at = np.log(some / mu) if p == 1 else (some ** (1 - p) - mu ** (1 - p)) / (1 - p)
        whole = np.log(some / mu) if p == 2 else (y ** (2 - p) - mu ** (2 - p)) / (2 - p)
        return 2 * (y * at - whole)

    kind = _CONSTANT if p == 0 else _COUNTS if p < 2 else _POSITIVE
    canonical = power_link(1 - p).name
    own: dict[str, Any] = {
        "canonical": canonical,
        "variance": lambda mu: mu**p,
        "unit_deviance": deviance,
        "initial_mean": lambda y, prior: y + 0.1 * (y == 0),
    }
    return Family(name="tweedie", links=(canonical, *LINKS), parameter=p, **_NO_LIKELIHOOD, **{**kind, **own})


def _is_number(value: Any, above: float = -math.inf) -> bool:
    is_real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return is_real and above < value < math.inf


_BY_PARAMETER: dict[str, tuple[str, Callable[[Any], Family]]] = {
    "quasi": ("variance", _quasi),
    "negative.binomial": ("theta", _negative_binomial),
    "tweedie": ("varPower", _tweedie),
}
"""Families with a parameter: the argument of rxGlm that it is, and the function that makes the family."""

FAMILIES = {family.name: family for family in _FIXED}
"""Families without a parameter."""


def family_by_name(name: str, parameter: Any) -> Family:
    """Find a family by the name and the parameter that it has."""
    return FAMILIES[name] if name in FAMILIES else _BY_PARAMETER[name][1](parameter)


def choose_family(family: Any, link: Any, link_power: Any = None, **parameters: Any) -> tuple[Family, Link]:
    """Choose a family and its link; RxArgumentError if there is no such one, or the family has no such parameter.

    >>> family, link = choose_family("Gamma", None)
    >>> family.name, link.name
    ('gamma', 'inverse')
    >>> choose_family("tweedie", None, varPower=1.5)[1].name
    'mu^-0.5'
    """
    name = _family_name(family)
    own = _BY_PARAMETER[name][0] if name in _BY_PARAMETER else None
    for argument, value in parameters.items():
        if value is not None and argument != own:
            owner = next(one for one, (parameter, _) in _BY_PARAMETER.items() if parameter == argument)
            raise RxArgumentError(f"{argument}={value!r}: it belongs to the family {owner}; the family is {name}")
    found = family_by_name(name, parameters.get(own) if own else None)
    return found, _link_of(found, link, link_power)


def _family_name(family: Any) -> str:
    names = (*FAMILIES, *_BY_PARAMETER)
    name = family.lower().replace("_", ".") if isinstance(family, str) else family
    if name in names:
        return str(name)
    call, bracket, _ = family.partition("(") if isinstance(family, str) else ("", "", "")
    guess = closest(call, names) if call else None
    hint = f"did you mean {guess!r}?" if guess else f"the families are {', '.join(names)}"
    if bracket:
        hint = f"{hint} Its link and parameters are arguments of rxGlm: link, linkPower, theta, varPower, variance"
    raise RxArgumentError(f"family={family!r}: {hint}")


def _link_of(family: Family, link: Any, power: Any) -> Link:
    if power is not None:
        if link is not None:
            raise RxArgumentError(f"link={link!r}, linkPower={power!r}: give one of the two")
        if not _is_number(power):
            raise RxArgumentError(f"linkPower={power!r}: linkPower is a number; at 0 the link is the logarithm")
        return power_link(float(power))
    if link is not None and link not in family.links:
        raise RxArgumentError(f"link={link!r}: the family {family.name} takes {', '.join(family.links)}")
    return link_by_name(family.links[0] if link is None else link)
