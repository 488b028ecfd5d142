"""The answer of every sample-size function."""

from __future__ import annotations

import math
from dataclasses import dataclass

from validation.estimators.estimate import UndefinedEstimate


@dataclass(frozen=True)
class RequiredSize:
    """How large a cohort makes one interval narrow enough.

    Attributes:
        quantity: What is to be estimated.
        width: Width of its two-sided interval, upper less lower limit, in its own unit.
        level: Confidence level of that interval.
        n: Patients.
        events: Events expected among them.
        method: Assumptions, in words, with the source.
    """

    quantity: str
    width: float
    level: float
    n: int
    events: int
    method: str


def required_size(quantity: str, width: float, level: float, n: float, share: float, method: str) -> RequiredSize:
    """Round up to whole patients (at least 2) and events.

    Args:
        quantity: What is to be estimated.
        width: Of the interval.
        level: Two-sided confidence level.
        n: Patients, not yet rounded.
        share: Share of the patients with an event.
        method: In words.

    Raises:
        UndefinedEstimate: The number of patients is not finite.
    """
    if not math.isfinite(n):
        raise UndefinedEstimate(f"no number of patients gives a {quantity} interval of width {width:g}")
    patients = max(2, math.ceil(n))
    return RequiredSize(quantity, width, level, patients, math.ceil(patients * share), method)
