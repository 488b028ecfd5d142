"""The value every estimator returns: a number that carries its interval, sample and method."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

Scale = Literal["identity", "logit", "log", "log_log"]


class UndefinedEstimate(ValueError):  # noqa: N818 - reads as a statement: "the estimate is undefined because ..."
    """The data cannot define the quantity (no events, one class, horizon beyond follow-up, NaN ...); says why.

    Attributes:
        too_few: More patients or events of the same kind would define it. A gate may then answer INCONCLUSIVE instead
            of FAIL, provided that the events lie below the minimum that the protocol declares.
    """

    def __init__(self, reason: str, *, too_few: bool = False) -> None:
        """State the reason in words that name the offending quantity."""
        super().__init__(reason)
        self.too_few = bool(too_few)  # a comparison of arrays gives a type that JSON does not know


@dataclass(frozen=True)
class Estimate:
    """One estimated quantity with everything needed to read it.

    Attributes:
        value: Point estimate.
        lower: Lower confidence limit at `level`, in the unit of `value`.
        upper: Upper confidence limit at `level`, in the unit of `value`.
        level: Two-sided confidence level, for instance 0.95.
        n: Patients that entered the estimate.
        events: Events (or cases, for a binary outcome) among them.
        method: Estimator and interval, in words, with its source.
        scale: Scale on which the interval is symmetric; needed to say how many more events would settle a gate.
        horizon: Prediction horizon or truncation time, if the quantity has one, in the unit of the times given.
        group: Subgroup, if not the whole cohort.
        standard_error: Of `value`, on its own scale; None for an exact or percentile interval.
        p_value: Two-sided, of the hypothesis that `method` names, if it names one.
    """

    value: float
    lower: float
    upper: float
    level: float
    n: int
    events: int
    method: str
    scale: Scale = "identity"
    horizon: float | None = None
    group: str | None = None
    standard_error: float | None = None
    p_value: float | None = None

    def __post_init__(self) -> None:
        """Refuse a number that only looks fine.

        Raises:
            UndefinedEstimate: A value or limit is not finite, or the limits do not enclose the value.
        """
        if not all(math.isfinite(x) for x in (self.value, self.lower, self.upper)):
            raise UndefinedEstimate(
                f"{self.method}: value {self.value}, interval {self.lower} to {self.upper} not finite"
            )
        if not self.lower <= self.value <= self.upper:
            raise UndefinedEstimate(
                f"{self.method}: {self.value} lies outside its interval {self.lower} to {self.upper}"
            )
        if not 0 < self.level < 1 or self.n < 1 or not 0 <= self.events <= self.n:
            raise UndefinedEstimate(f"{self.method}: level {self.level}, n {self.n}, events {self.events} impossible")
        if self.p_value is not None and not 0 <= self.p_value <= 1:
            raise UndefinedEstimate(f"{self.method}: P value {self.p_value} impossible")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, every field present."""
        return asdict(self)
