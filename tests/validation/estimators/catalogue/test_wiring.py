"""Every name leads to its own estimator, with the prediction, horizon, threshold and direction that it promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.reference import from_r, gbsg
from validation.estimators.calibration.binary import calibration_intercept, calibration_slope, observed_expected_cases
from validation.estimators.calibration.curves import calibration_curve, calibration_curve_at_horizon
from validation.estimators.calibration.survival import cox_calibration_slope, observed_expected_ratio
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import BinarySample, Settings, SurvivalSample
from validation.estimators.catalogue.survival import SURVIVAL
from validation.estimators.classification.at_horizon import classification_at_horizon
from validation.estimators.classification.threshold import threshold_performance
from validation.estimators.discrimination.auc import auc, auc_at_horizon, auc_bootstrap
from validation.estimators.discrimination.average_precision import average_precision
from validation.estimators.discrimination.concordance import harrell_c, harrell_c_bootstrap, uno_c
from validation.estimators.discrimination.time_dependent import auc_t, iauc
from validation.estimators.overall.brier import brier, ipa
from validation.estimators.overall.brier_survival import brier_t, integrated_brier, ipa_t
from validation.estimators.reclassification.improvement import idi, idi_at_horizon, nri, nri_at_horizon
from validation.estimators.survival.kaplan_meier import risk_difference_by_cutoff
from validation.estimators.utility.net_benefit import net_benefit, net_benefit_at_horizon

G = gbsg()
TIME, EVENT, LP = G.time.to_numpy(), G.status.to_numpy() == 1, G.lpA.to_numpy()
RISK, OTHER = G.pA3.to_numpy(), G.pB3.to_numpy()
GRID, RISKS = np.array([1.0, 3.0, 5.0]), G[["pA1", "pA3", "pA5"]].to_numpy()
KNOWN = G.known3.to_numpy() == 1
CASE, P, Q = G.y3.to_numpy()[KNOWN] == 1, RISK[KNOWN], OTHER[KNOWN]
TOLD = Settings(0.9, 3.0, threshold=0.4, cutoff=0.3, replicates=200, seed=7)
AT, DRAWN = {"horizon": 3.0, "level": 0.9}, {"replicates": 200, "seed": 7, "level": 0.9}
NRI_T = {"horizon": 3.0, "level": 0.9}
CURVE_T = calibration_curve_at_horizon(TIME, EVENT, RISK, 3.0, **DRAWN)  # type: ignore[arg-type]
CURVE = calibration_curve(CASE, P, **DRAWN)  # type: ignore[arg-type]
TABLE = threshold_performance(CASE, P, threshold=0.4, level=0.9)

OF_SURVIVAL: dict[str, Any] = {
    "harrell_c": harrell_c(TIME, EVENT, LP, **AT),
    "harrell_c_bootstrap": harrell_c_bootstrap(TIME, EVENT, LP, **DRAWN),
    "uno_c": uno_c(TIME, EVENT, LP, **AT),
    "auc": auc_at_horizon(TIME, EVENT, LP, 3.0, level=0.9),
    "auc_t": auc_t(TIME, EVENT, LP, 3.0, level=0.9),
    "iauc": iauc(TIME, EVENT, LP, GRID, rule="events", level=0.9),
    "brier_t": brier_t(TIME, EVENT, RISK, 3.0, level=0.9),
    "ipa_t": ipa_t(TIME, EVENT, RISK, 3.0, level=0.9),
    "ibs": integrated_brier(TIME, EVENT, RISKS, GRID, rule="trapezoid", level=0.9),
    "calibration_slope": cox_calibration_slope(TIME, EVENT, LP, **AT),
    "oe_ratio": observed_expected_ratio(TIME, EVENT, RISK, 3.0, level=0.9),
    "ici": CURVE_T.integrated_calibration_index,
    "e50": CURVE_T.e50,
    "e90": CURVE_T.e90,
    **{
        name: classification_at_horizon(name, TIME, EVENT, RISK, threshold=0.4, **AT)  # type: ignore[arg-type]
        for name in ("sensitivity", "specificity", "ppv", "npv")
    },
    "net_benefit": net_benefit_at_horizon(TIME, EVENT, RISK, threshold=0.4, **AT),
    "standardized_net_benefit": net_benefit_at_horizon(TIME, EVENT, RISK, threshold=0.4, standardized=True, **AT),
    "nri": nri_at_horizon(TIME, EVENT, OTHER, RISK, **NRI_T),
    "nri_events": nri_at_horizon(TIME, EVENT, OTHER, RISK, component="events", **NRI_T),
    "nri_nonevents": nri_at_horizon(TIME, EVENT, OTHER, RISK, component="non_events", **NRI_T),
    "nri_categorical": nri_at_horizon(TIME, EVENT, OTHER, RISK, cuts=[0.4], **NRI_T),
    "idi": idi_at_horizon(TIME, EVENT, OTHER, RISK, **NRI_T),
    "kaplan_meier_by_cutoff": risk_difference_by_cutoff(TIME, EVENT, RISK, cutoff=0.3, **AT),
}
OF_BINARY: dict[str, Any] = {
    "auc": auc(CASE, P, level=0.9),
    "auc_bootstrap": auc_bootstrap(CASE, P, **DRAWN),
    "average_precision": average_precision(CASE, P, level=0.9),
    "brier": brier(CASE, P, level=0.9),
    "ipa": ipa(CASE, P, level=0.9),
    "calibration_intercept": calibration_intercept(CASE, P, level=0.9),
    "calibration_slope": calibration_slope(CASE, P, level=0.9),
    "oe_ratio": observed_expected_cases(CASE, P, level=0.9),
    "ici": CURVE.integrated_calibration_index,
    "e50": CURVE.e50,
    "e90": CURVE.e90,
    **{name: getattr(TABLE, name) for name in ("sensitivity", "specificity", "ppv", "npv", "accuracy", "youden")},
    "net_benefit": net_benefit(CASE, P, threshold=0.4, level=0.9),
    "standardized_net_benefit": net_benefit(CASE, P, threshold=0.4, standardized=True, level=0.9),
    "nri": nri(CASE, Q, P, level=0.9),
    "nri_events": nri(CASE, Q, P, component="events", level=0.9),
    "nri_nonevents": nri(CASE, Q, P, component="non_events", level=0.9),
    "nri_categorical": nri(CASE, Q, P, cuts=[0.4], level=0.9),
    "idi": idi(CASE, Q, P, level=0.9),
}


@pytest.mark.parametrize("name", SURVIVAL)
def test_survival(name: str) -> None:
    """The estimate by name is that of the function called by hand."""
    entry = SURVIVAL[name]
    prediction = RISK if entry.of == "risk" or "cutoff" in entry.needs else LP
    settings = TOLD if entry.horizon != "none" else replace(TOLD, horizon=None)
    sample = SurvivalSample(TIME, EVENT, prediction, settings, OTHER, GRID, RISKS)

    assert entry.estimate(sample) == OF_SURVIVAL[name]


@pytest.mark.parametrize("name", BINARY)
def test_binary(name: str) -> None:
    """The estimate by name is that of the function called by hand."""
    assert BINARY[name].estimate(BinarySample(CASE, P, replace(TOLD, horizon=None), Q)) == OF_BINARY[name]


def test_no_two_names_are_one_thing() -> None:
    """Names with the same value would hide a swap in this very table."""
    for table in (OF_SURVIVAL, OF_BINARY):
        values = [round(estimate.value, 9) for name, estimate in table.items() if not name.endswith("_bootstrap")]
        assert len(set(values)) == len(values)


def test_directions_are_those_of_r() -> None:
    """Model A is better than B: NRI, its parts and IDI are positive, and equal R's by name."""
    expected = from_r()["bin"]

    assert OF_BINARY["nri"].value == pytest.approx(expected["NRI_cont"]["NRI"], abs=1e-12)
    assert OF_BINARY["nri_events"].value == pytest.approx(expected["NRI_cont"]["NRI+"], abs=1e-12)
    assert OF_BINARY["nri_nonevents"].value == pytest.approx(expected["NRI_cont"]["NRI-"], abs=1e-12)
    assert OF_BINARY["idi"].value == pytest.approx(expected["improveProb"]["idi"], abs=1e-12)
    assert OF_SURVIVAL["idi"].value > 0
