"""The precision that a cohort has reached, and how many patients a target would need."""

from __future__ import annotations

import math

from scipy.optimize import brentq

from validation.estimators.estimate import Estimate
from validation.estimators.intervals import confidence_limits
from validation.estimators.sample_size.required import RequiredSize, required_size
from validation.estimators.samples import require_between


def achieved_width(estimate: Estimate) -> float:
    """Return the width of the interval, in the unit of the value."""
    return estimate.upper - estimate.lower


def size_for_width(estimate: Estimate, width: float) -> RequiredSize:
    """Return how large a cohort of the same kind gives an interval of a given width, if the value stays.

    The standard error falls with 1 / sqrt(n), and the interval is built on the estimate's own scale. An exact or
    percentile interval has no standard error; there the width itself is taken to fall with 1 / sqrt(n).

    Args:
        estimate: Of the cohort at hand.
        width: Target, in the unit of the value.

    Raises:
        UndefinedEstimate: The width is not positive, or the interval at hand has none.
    """
    require_between("width", width, 0, math.inf)
    require_between("width at hand", achieved_width(estimate), 0, math.inf)
    smallest = math.sqrt(2 / estimate.n)  # square root of the share of patients kept

    def excess(root: float) -> float:
        if estimate.standard_error is None:
            return achieved_width(estimate) / root - width
        lower, upper = confidence_limits(estimate.value, estimate.standard_error / root, estimate.scale, estimate.level)
        return upper - lower - width

    if excess(smallest) <= 0:
        root = smallest
    else:
        high = 1.0
        while excess(high) > 0:
            high *= 2
        root = brentq(excess, smallest, high, xtol=1e-12)
    method = f"from {estimate.n} patients with width {achieved_width(estimate):.3g}: {estimate.method}"
    n = estimate.n * root**2 * (1 - 1e-9)  # so that an exact root is not rounded up
    return required_size(
        "estimate" if estimate.group is None else f"estimate at {estimate.group}",
        width,
        estimate.level,
        n,
        estimate.events / estimate.n,
        method,
    )
