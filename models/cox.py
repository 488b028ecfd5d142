"""Cox models as plain numbers: fitted once, then computed alike by numpy, torch and ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.missing import known_means
from validation.estimators.survival import cox as estimators_cox

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CoxModel:
    """A fitted Cox model.

    Attributes:
        names: Covariates, in the order of the columns.
        coefficients: Log hazard ratio per unit of each covariate.
        means: Mean of each covariate's known values in development: the zero of the linear predictor, and what replaces
            a missing value.
        horizons_months: Horizons of the risks, months.
        baseline_cumulative_hazard: Cumulative hazard at each horizon of a patient whose linear predictor is 0.
        n: Patients fitted on.
        events: Events among them.
    """

    names: tuple[str, ...]
    coefficients: tuple[float, ...]
    means: tuple[float, ...]
    horizons_months: tuple[float, ...]
    baseline_cumulative_hazard: tuple[float, ...]
    n: int
    events: int

    def linear_predictor(self, covariates: Array) -> Array:
        """Return the log relative hazard (N,), higher = earlier event, of covariates (N, P); NaN = missing."""
        centred = np.where(np.isnan(covariates), 0.0, covariates - np.array(self.means))
        return np.asarray(centred @ np.array(self.coefficients))

    def risk(self, covariates: Array) -> Array:
        """Return the probability of the event by each horizon (N, H) of covariates (N, P): 1 - exp(-H0(t) exp(lp))."""
        relative_hazard = np.exp(self.linear_predictor(covariates))[:, None]
        return np.asarray(-np.expm1(-np.array(self.baseline_cumulative_hazard) * relative_hazard))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from what `to_dict` returned, also after a round trip through JSON."""
        return cls(
            names=tuple(values["names"]),
            coefficients=tuple(values["coefficients"]),
            means=tuple(values["means"]),
            horizons_months=tuple(values["horizons_months"]),
            baseline_cumulative_hazard=tuple(values["baseline_cumulative_hazard"]),
            n=values["n"],
            events=values["events"],
        )


def fit_cox(
    names: Sequence[str],
    covariates: Array,
    event: NDArray[np.bool_],
    time_months: Array,
    horizons_months: Sequence[float],
) -> CoxModel:
    """Fit a Cox model (ties: Efron); baseline hazard by Breslow, a step function read without interpolation.

    Args:
        names: Names of the P covariates.
        covariates: (N, P), NaN = missing: replaced by the mean of the known values.
        event: (N,) whether the event was observed.
        time_months: (N,) months to event or censoring.
        horizons_months: Horizons at which the cumulative hazard is kept.

    Raises:
        ValueError: A covariate does not vary, a horizon lies beyond follow-up, or the likelihood has no finite maximum
            (`UndefinedEstimate`).
    """
    means = known_means(names, covariates)
    if max(horizons_months) > time_months.max():
        raise ValueError(
            f"horizon of {max(horizons_months):g} months: follow-up ends at {time_months.max():.1f} months"
        )
    filled = np.where(np.isnan(covariates), means, covariates)
    coefficients = estimators_cox.fit_cox(time_months, event, filled).coefficients
    hazard = _breslow((filled - means) @ coefficients, event, time_months, horizons_months)
    return CoxModel(
        names=tuple(names),
        coefficients=tuple(coefficients.tolist()),
        means=tuple(means.tolist()),
        horizons_months=tuple(horizons_months),
        baseline_cumulative_hazard=tuple(hazard.tolist()),
        n=len(event),
        events=int(event.sum()),
    )


def _breslow(
    linear_predictor: Array, event: NDArray[np.bool_], time_months: Array, horizons_months: Sequence[float]
) -> Array:
    """Return the cumulative hazard at linear predictor 0: sum over event times up to t of 1 / (hazards at risk)."""
    hazard = np.exp(linear_predictor)
    steps = np.array([1 / hazard[time_months >= moment].sum() for moment in time_months[event]])
    return np.array([steps[time_months[event] <= horizon].sum() for horizon in horizons_months])
