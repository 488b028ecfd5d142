"""The spatial organisation score, its risk models, and the out-of-fold scores that these are fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.cox import CoxModel, fit_cox
from models.histology_spatial_survival import (
    CRS_CUTOFF,
    FEATURES,
    FOLLOW_UP_MONTHS,
    HORIZONS_MONTHS,
    RISK_MODELS,
    TISSUES,
)
from models.histology_spatial_survival.clinical import combined_grade, expected_score, prevalences
from models.histology_spatial_survival.mixture import DistanceCut, distance_cuts
from models.histology_spatial_survival.organisation import features
from models.histology_spatial_survival.selection import Selection, select_features
from models.risk_models import RiskModels
from models.system import FollowUp
from validation.estimators.cutoffs.maximally_selected import maximally_selected_log_rank

Array = NDArray[np.float64]
Inputs = Mapping[str, NDArray[np.floating[Any]]]

SMALLEST_LOW_SHARE, LARGEST_LOW_SHARE = 0.2, 0.8  # of the patients below the cut-off of the score
METHOD = (
    "Cox models of death (Efron ties, Breslow baseline hazard read as a step function, follow-up censored at "
    f"{FOLLOW_UP_MONTHS} months) on out-of-fold scores: distance cuts, cut-offs, screen, stepwise selection and "
    "coefficients are repeated without the fold; cut-off of lp_sof by the largest log-rank statistic with "
    f"{SMALLEST_LOW_SHARE:.0%} to {LARGEST_LOW_SHARE:.0%} of the patients low; of crs between 2 and 3"
)


@dataclass(frozen=True)
class SofModel:
    """The spatial organisation score as plain numbers, computed alike by numpy, torch and ONNX.

    Attributes:
        cut_tiles: For each of `ORGANISED`, the distance up to which a tile is infiltrating.
        cutoffs: Of each feature of the score; high is at or above it.
        cox: Cox model of the dichotomised features; its linear predictor is the score, 0 at the development means,
            unlike R's, which does not centre features of 0 and 1.
        crs_prevalence: Share of the development patients with each of `CRS_FACTORS`: what replaces a missing factor.
    """

    cut_tiles: tuple[float, ...]
    cutoffs: tuple[float, ...]
    cox: CoxModel
    crs_prevalence: tuple[float, ...]

    def features(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return the features (N, 20) of N patients' ONNX inputs."""
        return features(inputs["tiles_by_tissue"], inputs["tiles_by_distance"], inputs["interaction"], self.cut_tiles)

    def score(self, found: NDArray[np.float32]) -> Array:
        """Return the score (N,), higher = earlier death, of features (N, 20)."""
        chosen = found[:, [FEATURES.index(name) for name in self.cox.names]].astype(np.float64)
        return self.cox.linear_predictor((chosen >= np.array(self.cutoffs)).astype(np.float64))

    def table(self, inputs: Inputs) -> pd.DataFrame:
        """Return `feature_...`, `share_...`, `sof` and `crs` of N patients."""
        found, tissue = self.features(inputs), np.asarray(inputs["tiles_by_tissue"], dtype=np.float64)
        columns = dict(zip([f"feature_{name}" for name in FEATURES], found.astype(np.float64).T, strict=True))
        shares = tissue / tissue.sum(axis=1, keepdims=True)
        columns |= dict(zip([f"share_{tissue.lower()}" for tissue in TISSUES], shares.T, strict=True))
        crs = expected_score(inputs["covariates"], np.array(self.crs_prevalence))
        return pd.DataFrame({**columns, "sof": self.score(found), "crs": crs})

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from what `to_dict` returned, also after a round trip through JSON."""
        return cls(
            cut_tiles=tuple(values["cut_tiles"]),
            cutoffs=tuple(values["cutoffs"]),
            cox=CoxModel.from_dict(values["cox"]),
            crs_prevalence=tuple(values["crs_prevalence"]),
        )


@dataclass(frozen=True, eq=False)
class FittedSof:
    """A score and the way to it.

    Attributes:
        model: What ships.
        distances: Mixture and cut of each of `ORGANISED`.
        selection: From the features to those of the score.
    """

    model: SofModel
    distances: tuple[DistanceCut, ...]
    selection: Selection

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "model": self.model.to_dict(),
            "distances": [cut.to_dict() for cut in self.distances],
            "selection": self.selection.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class FittedRisk:
    """All that is fitted on tile maps and outcomes.

    Attributes:
        sof: On every development patient.
        folds: Without the patients of each fold.
        risk_models: Cox models `RISK_MODELS` on the out-of-fold scores, and the cut-offs.
        scores: Out-of-fold, one row per development patient: fold from 1, the columns of `SofModel.table`, grade.
    """

    sof: FittedSof
    folds: tuple[FittedSof, ...]
    risk_models: RiskModels
    scores: pd.DataFrame


def fit_risk(inputs: Inputs, outcome: FollowUp, fold: NDArray[np.intp]) -> FittedRisk:
    """Fit score and risk models.

    Args:
        inputs: ONNX inputs of N development patients, batch axis first.
        outcome: Their overall survival.
        fold: (N,) fold of each patient, from 0.

    Raises:
        ValueError: Score, Cox model or cut-off is undefined in these data, or without one of the folds; says which.
    """
    outcome = censored(outcome)
    sof = fit_sof(inputs, outcome)
    folds, scored, order = [], [], []
    for k in range(int(fold.max()) + 1):
        folds.append(_without_fold(inputs, outcome, fold, k))
        order.append(np.flatnonzero(fold == k))
        scored.append(folds[-1].model.table(_rows(inputs, order[-1])))
    scores = pd.concat(scored).iloc[np.argsort(np.concatenate(order))].reset_index(drop=True)
    risk_models = _fit_risk_models(scores, outcome)
    lp_sof = risk_models.predictions(scores)["lp_sof"].to_numpy()
    grade = combined_grade(lp_sof >= risk_models.cutoffs["lp_sof"], scores["crs"].to_numpy())
    return FittedRisk(sof, tuple(folds), risk_models, scores.assign(fold=fold + 1, grade=grade))


def fit_sof(inputs: Inputs, outcome: FollowUp) -> FittedSof:
    """Fit the score: distance cuts, feature cut-offs, selection, coefficients and centring.

    Args:
        inputs: ONNX inputs of N patients.
        outcome: Their overall survival.

    Raises:
        ValueError: No feature is left, or the data cannot define the model.
    """
    distances = distance_cuts(inputs["tiles_by_distance"])
    cut_tiles = tuple(cut.cut_tiles for cut in distances)
    found = features(inputs["tiles_by_tissue"], inputs["tiles_by_distance"], inputs["interaction"], cut_tiles)
    values = found.astype(np.float64)
    selection = select_features(FEATURES, values, outcome.event, outcome.time_months)
    chosen, cutoffs = tuple(selection.cutoffs), tuple(selection.cutoffs.values())
    high = (values[:, [FEATURES.index(name) for name in chosen]] >= np.array(cutoffs)).astype(np.float64)
    cox = fit_cox(chosen, high, outcome.event, outcome.time_months, HORIZONS_MONTHS)
    prevalence = tuple(prevalences(inputs["covariates"]).tolist())
    return FittedSof(SofModel(cut_tiles, cutoffs, cox, prevalence), distances, selection)


def censored(outcome: FollowUp) -> FollowUp:
    """End follow-up at 120 months: later deaths become censorings. The authors' vignette drops these patients."""
    late = outcome.time_months > FOLLOW_UP_MONTHS
    return FollowUp(outcome.event & ~late, np.minimum(outcome.time_months, FOLLOW_UP_MONTHS))


def _without_fold(inputs: Inputs, outcome: FollowUp, fold: NDArray[np.intp], k: int) -> FittedSof:
    rows = np.flatnonzero(fold != k)
    try:
        return fit_sof(_rows(inputs, rows), FollowUp(outcome.event[rows], outcome.time_months[rows]))
    except ValueError as error:
        raise ValueError(f"without fold {k + 1}: {error}") from error


def _rows(inputs: Inputs, rows: NDArray[np.intp]) -> Inputs:
    return {name: array[rows] for name, array in inputs.items()}


def _fit_risk_models(scores: pd.DataFrame, outcome: FollowUp) -> RiskModels:
    models = {}
    for name, covariates in RISK_MODELS.items():
        columns = scores[list(covariates)].to_numpy(dtype=np.float64)
        models[name] = fit_cox(covariates, columns, outcome.event, outcome.time_months, HORIZONS_MONTHS)
    linear_predictor = models["sof"].linear_predictor(scores[["sof"]].to_numpy(dtype=np.float64))
    selected = maximally_selected_log_rank(
        outcome.time_months,
        outcome.event,
        linear_predictor,
        smallest_share=SMALLEST_LOW_SHARE,
        largest_share=LARGEST_LOW_SHARE,
    )
    return RiskModels(models, {"lp_sof": selected.value, "crs": CRS_CUTOFF}, METHOD)
