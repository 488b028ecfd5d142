"""Estimators that a protocol can name: one literal table. Adding one = one line here, its file, its tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from validation.estimators.auc import auc_at_horizon
from validation.estimators.calibration import cox_calibration_slope, observed_expected_ratio
from validation.estimators.concordance import harrell_c
from validation.estimators.estimate import Estimate
from validation.estimators.kaplan_meier import kaplan_meier_by_cutoff, risk_difference_by_cutoff
from validation.estimators.samples import Bools, Floats


@dataclass(frozen=True, eq=False)
class Sample:
    """What an estimator may look at: one cohort, one prediction.

    Attributes:
        time_months: Follow-up, shape (n,).
        event: Shape (n,).
        prediction: Shape (n,), higher means earlier event.
        level: Two-sided confidence level.
        horizon: Months, if the protocol names a horizon.
        cutoff: Cut-off of the prediction that ships with the model, if it has one.
    """

    time_months: Floats
    event: Bools
    prediction: Floats
    level: float
    horizon: float | None = None
    cutoff: float | None = None

    @property
    def horizon_months(self) -> float:
        """The horizon of an estimator that cannot do without; the protocol reader has made sure."""
        if self.horizon is None:
            raise TypeError("this estimator needs a horizon")
        return self.horizon

    @property
    def fixed_cutoff(self) -> float:
        """The cut-off of an estimator that cannot do without; `assess` has made sure."""
        if self.cutoff is None:
            raise TypeError("this estimator needs a cut-off")
        return self.cutoff


@dataclass(frozen=True)
class Estimator:
    """An estimator as a protocol sees it.

    Attributes:
        measures: What it measures; a gate accepts the estimates of its own kind.
        estimate: The estimate.
        horizon: Whether the protocol must, may or must not name a horizon.
        bounds: Open range of the quantity; a limit outside it can never be met or missed.
        curve: Plain JSON values that go with the estimate, if any.
        needs_cutoff: Whether it takes the cut-off that ships with the model.
    """

    measures: Literal["discrimination", "calibration", "separation"]
    estimate: Callable[[Sample], Estimate]
    horizon: Literal["required", "optional"]
    bounds: tuple[float, float]
    curve: Callable[[Sample], dict[str, Any]] | None = None
    needs_cutoff: bool = False


ESTIMATORS: dict[str, Estimator] = {
    "harrell_c": Estimator(
        measures="discrimination",
        estimate=lambda s: harrell_c(s.time_months, s.event, s.prediction, horizon_months=s.horizon, level=s.level),
        horizon="optional",
        bounds=(0, 1),
    ),
    "auc_delong": Estimator(
        measures="discrimination",
        estimate=lambda s: auc_at_horizon(s.time_months, s.event, s.prediction, s.horizon_months, level=s.level),
        horizon="required",
        bounds=(0, 1),
    ),
    "cox_calibration_slope": Estimator(
        measures="calibration",
        estimate=lambda s: cox_calibration_slope(
            s.time_months, s.event, s.prediction, horizon_months=s.horizon, level=s.level
        ),
        horizon="optional",
        bounds=(-math.inf, math.inf),
    ),
    "observed_expected_ratio": Estimator(
        measures="calibration",
        estimate=lambda s: observed_expected_ratio(
            s.time_months, s.event, s.prediction, s.horizon_months, level=s.level
        ),
        horizon="required",
        bounds=(0, math.inf),
    ),
    "kaplan_meier_by_cutoff": Estimator(
        measures="separation",
        estimate=lambda s: risk_difference_by_cutoff(
            s.time_months,
            s.event,
            s.prediction,
            cutoff=s.fixed_cutoff,
            horizon_months=s.horizon_months,
            level=s.level,
        ),
        horizon="required",
        bounds=(-1, 1),
        curve=lambda s: kaplan_meier_by_cutoff(
            s.time_months,
            s.event,
            s.prediction,
            cutoff=s.fixed_cutoff,
            horizon_months=s.horizon_months,
            level=s.level,
        ),
        needs_cutoff=True,
    ),
}
