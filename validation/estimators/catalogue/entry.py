"""An entry of the catalogue, and the samples that entries look at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import Estimate, Scale, UndefinedEstimate
from validation.estimators.influence import Influence
from validation.estimators.samples import Bools, Floats

UNIT, ANY, POSITIVE, SIGNED_UNIT = (0.0, 1.0), (-math.inf, math.inf), (0.0, math.inf), (-1.0, 1.0)
Measures = Literal[
    "discrimination", "overall", "calibration", "classification", "utility", "reclassification", "separation"
]


@dataclass(frozen=True)
class Settings:
    """What an estimator is told besides the data; whoever asks for an estimate gives what its entry needs.

    Attributes:
        level: Two-sided confidence level.
        horizon: Prediction horizon.
        threshold: Risk from which on patients are treated.
        cutoff: Cut-off of the prediction that ships with the model.
        replicates: Bootstrap samples.
        seed: Of the bootstrap.
    """

    level: float = 0.95
    horizon: float | None = None
    threshold: float | None = None
    cutoff: float | None = None
    replicates: int = 0
    seed: int = 0

    def need(self, name: Literal["horizon", "threshold", "cutoff"]) -> float:
        """Return a setting that the estimator cannot do without."""
        value = getattr(self, name)
        if value is None:
            raise TypeError(f"this estimator needs a {name}")
        return float(value)


@dataclass(frozen=True, eq=False)
class SurvivalSample:
    """Follow-up and one prediction of a cohort or a part of it.

    Attributes:
        time: Follow-up, shape (n,).
        event: Shape (n,).
        prediction: Linear predictor or risk by the horizon, shape (n,).
        settings: What else the estimator is told.
        other: The prediction of the model to compare with, shape (n,), if there is one.
        horizons: Grid of the integrated measures, ascending, shape (k,).
        risks: Predicted risks at these, shape (n, k).
        cluster: What is independent if that is not the row, shape (n,).
    """

    time: Floats
    event: Bools
    prediction: Floats
    settings: Settings = Settings()
    other: Floats = field(default_factory=lambda: np.empty(0))
    horizons: Floats = field(default_factory=lambda: np.empty(0))
    risks: Floats = field(default_factory=lambda: np.empty((0, 0)))
    cluster: ArrayLike | None = None


@dataclass(frozen=True, eq=False)
class BinarySample:
    """Case indicator and one predicted probability of a cohort or a part of it.

    Attributes:
        event: Case indicator, shape (n,).
        prediction: Predicted probability, shape (n,).
        settings: What else the estimator is told.
        other: The prediction of the model to compare with, shape (n,), if there is one.
        cluster: What is independent if that is not the row, shape (n,).
    """

    event: Bools
    prediction: Floats
    settings: Settings = Settings()
    other: Floats = field(default_factory=lambda: np.empty(0))
    cluster: ArrayLike | None = None


S = TypeVar("S", SurvivalSample, BinarySample)
Need = Literal["threshold", "cutoff", "grid", "other", "replicates"]


@dataclass(frozen=True)
class Estimator(Generic[S]):
    """One quantity: an influence function and the scale of its interval, or the estimate itself.

    Attributes:
        measures: Aspect of performance; a gate accepts the estimates of its own kind.
        bounds: Open range of the quantity; a limit outside it can never be met or missed.
        influence: Contributions to the error; they also give paired differences and intervals for clustered rows.
        scale: Where the interval is symmetric.
        direct: The estimate, where its interval is of another kind.
        of: Which prediction it takes: any that ranks patients, the linear predictor, or the risk (at the horizon).
        horizon: Whether a horizon must be named, may be, or has no meaning.
        needs: What else it takes.
        handles_clusters: Whether `direct` heeds clusters.
        curve: Plain JSON values that go with the estimate, if any.
    """

    measures: Measures
    bounds: tuple[float, float]
    influence: Callable[[S], Influence] | None = None
    scale: Scale = "identity"
    direct: Callable[[S], Estimate] | None = None
    of: Literal["any", "linear_predictor", "risk"] = "any"
    horizon: Literal["required", "optional", "none"] = "none"
    needs: frozenset[Need] = frozenset()
    handles_clusters: bool = False
    curve: Callable[[S], dict[str, Any]] | None = None

    def estimate(self, sample: S) -> Estimate:
        """Return the estimate.

        Raises:
            UndefinedEstimate: As the estimator; clustered rows that its interval does not heed.
        """
        estimate = self._estimate(sample)
        low, high = self.bounds
        if self.scale != "identity" and not low <= estimate.lower <= estimate.upper <= high:
            raise ValueError(f"{estimate.method}: {estimate.lower} to {estimate.upper} lies outside {low} to {high}")
        return estimate

    def _estimate(self, sample: S) -> Estimate:
        if self.influence is not None:
            influence = self.influence(sample)
            return influence.estimate(scale=self.scale, level=sample.settings.level, cluster=sample.cluster)
        if self.direct is None:
            raise TypeError("the entry has neither an influence function nor an estimate")
        if sample.cluster is not None and not self.handles_clusters:
            raise UndefinedEstimate("rows of one cluster are not independent; this interval takes them as if they were")
        return self.direct(sample)
