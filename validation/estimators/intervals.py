"""Confidence intervals that are symmetric on the scale where the estimate is nearly normal."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scipy.special import expit, logit, ndtri

from validation.estimators.estimate import Scale, UndefinedEstimate
from validation.estimators.samples import require_between

Interval = Literal["logit", "wald"]
"""How to build the interval of a quantity between 0 and 1: on the logit scale, or as value ± z SE, which R gives."""

SCALE_OF: dict[Interval, Scale] = {"logit": "logit", "wald": "identity"}


@dataclass(frozen=True)
class _Transform:
    forward: Callable[[float], float]
    inverse: Callable[[float], float]
    derivative: Callable[[float], float]


_TRANSFORMS: dict[Scale, _Transform] = {
    "identity": _Transform(lambda x: x, lambda y: y, lambda x: 1.0),
    "logit": _Transform(lambda x: float(logit(x)), lambda y: float(expit(y)), lambda x: 1 / (x * (1 - x))),
    "log": _Transform(math.log, math.exp, lambda x: 1 / x),
    "log_log": _Transform(
        lambda x: math.log(-math.log(x)), lambda y: math.exp(-math.exp(y)), lambda x: 1 / (x * math.log(x))
    ),
}
_RANGES: dict[Scale, tuple[float, float]] = {
    "identity": (-math.inf, math.inf),
    "logit": (0.0, 1.0),
    "log": (0.0, math.inf),
    "log_log": (0.0, 1.0),
}


def inside(value: float, scale: Scale) -> bool:
    """Whether the scale can represent the value: strictly inside (0, 1) for logit and log_log, positive for log."""
    low, high = _RANGES[scale]
    return low < value < high


def on_scale(value: float, scale: Scale) -> float:
    """Return the value on the scale: logit(x), log(x), log(-log(x)) or x itself."""
    return _TRANSFORMS[scale].forward(value)


def from_scale(value: float, scale: Scale) -> float:
    """Return what `on_scale` makes `value` of."""
    return _TRANSFORMS[scale].inverse(value)


def derivative(value: float, scale: Scale) -> float:
    """Return the derivative of `on_scale` at the value, by which the delta method moves a standard error."""
    return _TRANSFORMS[scale].derivative(value)


def quantile(level: float) -> float:
    """Return the standard normal quantile of a two-sided interval: 1.96 for level 0.95.

    Raises:
        UndefinedEstimate: The level is not strictly between 0 and 1.
    """
    require_between("confidence level", level, 0, 1)
    return float(ndtri((1 + level) / 2))


def confidence_limits(value: float, standard_error: float, scale: Scale, level: float) -> tuple[float, float]:
    """Return the Wald interval on `scale`, mapped back; the standard error moves by the delta method.

    Args:
        value: Point estimate.
        standard_error: Of `value` on its own scale.
        scale: Where the interval is symmetric.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: The value lies on the edge of the scale (an AUC of 1 has no logit), or the standard error is
            zero, not finite, or so large that a limit is: the sample says too little of how uncertain the value is.
    """
    if not inside(value, scale):
        raise UndefinedEstimate(f"the estimate is {value:g}, at the edge of its range: no interval", too_few=True)
    if not math.isfinite(standard_error) or standard_error <= 0:
        raise UndefinedEstimate(
            f"the estimate {value:g} has standard error {standard_error:g}: no interval", too_few=True
        )
    centre = on_scale(value, scale)
    half_width = quantile(level) * standard_error * abs(derivative(value, scale))
    try:
        limits = from_scale(centre - half_width, scale), from_scale(centre + half_width, scale)
    except OverflowError:
        found = f"the estimate {value:g} has standard error {standard_error:g}: the interval has no end"
        raise UndefinedEstimate(found, too_few=True) from None
    return min(limits), max(limits)
