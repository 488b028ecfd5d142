"""Logistic models as plain numbers: fitted once, then computed alike by numpy, torch and ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.missing import known_means
from validation.estimators.regression import logistic as estimators_logistic

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LogisticModel:
    """A fitted logistic model.

    Attributes:
        names: Covariates, in the order of the columns.
        coefficients: Log odds ratio per unit of each covariate.
        means: Mean of each covariate's known values in development: what replaces a missing value.
        intercept: Log odds of a patient in whom every covariate is at its mean.
        n: Patients fitted on.
        events: Cases among them.
    """

    names: tuple[str, ...]
    coefficients: tuple[float, ...]
    means: tuple[float, ...]
    intercept: float
    n: int
    events: int

    def log_odds(self, covariates: Array) -> Array:
        """Return the log odds (N,), higher = likelier, of covariates (N, P); NaN = missing."""
        centred = np.where(np.isnan(covariates), 0.0, covariates - np.array(self.means))
        return np.asarray(self.intercept + centred @ np.array(self.coefficients))

    def probability(self, covariates: Array) -> Array:
        """Return the probability (N,) of covariates (N, P)."""
        return np.asarray(expit(self.log_odds(covariates)))

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
            intercept=values["intercept"],
            n=values["n"],
            events=values["events"],
        )


def fit_logistic(names: Sequence[str], covariates: Array, case: NDArray[np.bool_]) -> LogisticModel:
    """Fit a logistic model by maximum likelihood, without penalty.

    Args:
        names: Names of the P covariates.
        covariates: (N, P), NaN = missing: replaced by the mean of the known values.
        case: (N,) class of each patient.

    Raises:
        ValueError: A covariate does not vary, one class is absent, covariates are collinear, or the likelihood has no
            finite maximum (`UndefinedEstimate`).
    """
    means = known_means(names, covariates)
    centred = np.where(np.isnan(covariates), 0.0, covariates - means)
    fit = estimators_logistic.fit_logistic(case, centred)
    return LogisticModel(
        names=tuple(names),
        coefficients=tuple(fit.coefficients[1:].tolist()),
        means=tuple(means.tolist()),
        intercept=float(fit.coefficients[0]),
        n=fit.n,
        events=fit.events,
    )
