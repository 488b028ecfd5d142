"""The Cox model of overall survival."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.cox import CoxModel
from models.ct_chemo_response.associations import significant
from models.ct_chemo_response.overall_survival import OverallSurvival, fit_overall_survival
from tests.models.ct_chemo_response.tables import DL_LOG_HAZARD, LOG_HAZARD, NAMES, Patients, patients
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.cox import fit_cox

HORIZONS = (12, 24, 35)


def fitted(people: Patients) -> OverallSurvival:
    """The model of made-up patients."""
    return fit_overall_survival(NAMES, people.covariates, people.dl_logit, people.event, people.time_months, HORIZONS)


def test_planted_hazard_ratios_are_recovered() -> None:
    """The covariates that matter are in the nomogram, planted log hazard ratios within three errors."""
    result = fitted(patients(4000))
    planted = {"dl_logit": DL_LOG_HAZARD, **LOG_HAZARD}

    assert set(planted) <= set(result.model.names)
    for name, coefficient, sd, row in zip(
        result.model.names, result.model.coefficients, result.standard_deviations, result.nomogram, strict=True
    ):
        assert row.estimate is not None
        assert row.estimate.standard_error is not None
        error = row.estimate.standard_error / row.estimate.value / sd
        assert abs(coefficient - planted.get(name, 0.0)) < 3 * error


def test_hazard_ratios_are_those_of_z_scored_covariates() -> None:
    """The table's ratios equal a fit on z-scores; the shipped model on raw values has the same linear predictor."""
    people = patients()
    result = fitted(people)
    everything = dict(zip(("dl_logit", *NAMES), np.column_stack([people.dl_logit, people.covariates]).T, strict=True))
    raw = np.column_stack([everything[name] for name in result.model.names])
    z = (raw - np.nanmean(raw, axis=0)) / np.nanstd(raw, axis=0, ddof=1)
    z = np.where(np.isnan(z), 0.0, z)
    coefficients = fit_cox(people.time_months, people.event, z).coefficients
    values = [row.estimate.value for row in result.nomogram if row.estimate is not None]

    np.testing.assert_allclose(np.log(values), coefficients, rtol=1e-6)
    np.testing.assert_allclose(result.model.linear_predictor(raw), z @ coefficients, atol=1e-8)


def test_screen_then_model_then_nomogram() -> None:
    """Each step keeps what is significant in the one before, and the signature always."""
    result = fitted(patients())

    assert {row.name for row in result.multivariable} == {"dl_logit", *significant(result.univariable)}
    assert set(result.model.names) == {"dl_logit", *significant(result.multivariable)}
    assert result.model.names == tuple(row.name for row in result.nomogram)


def test_a_signature_without_effect_is_kept() -> None:
    """The nomogram is about the signature: it stays, whatever its P value."""
    people = patients(300)
    noise = np.random.default_rng(5).normal(size=300)
    result = fit_overall_survival((), np.empty((300, 0)), noise, people.event, people.time_months, HORIZONS)

    assert result.model.names == ("dl_logit",)


def test_columns_without_values_are_reported_not_fitted() -> None:
    """A constant and an empty covariate stay in the univariable table with the reason."""
    people = patients(300)
    table = np.column_stack([people.covariates, np.ones(300), np.full(300, np.nan)])
    result = fit_overall_survival(
        (*NAMES, "constant", "empty"), table, people.dl_logit, people.event, people.time_months, HORIZONS
    )

    assert [row.name for row in result.univariable if row.reason] == ["constant", "empty"]


def test_result_is_plain_json() -> None:
    """It survives JSON without NaN, and the model comes back equal."""
    result = fitted(patients(400))
    values = json.loads(json.dumps(result.to_dict(), allow_nan=False))

    assert CoxModel.from_dict(values["model"]) == result.model


def test_what_cannot_be_fitted_is_refused() -> None:
    """Too few deaths, a signature that orders all deaths or does not vary, and a horizon beyond follow-up."""
    people = patients(100)
    nothing = np.empty((100, 0))

    with pytest.raises(UndefinedEstimate, match="regression on dl_logit: 1 coefficients for 1 events"):
        fit_overall_survival((), nothing, people.dl_logit, np.arange(100) == 3, people.time_months, HORIZONS)
    with pytest.raises(UndefinedEstimate, match="separate the events"):
        fit_overall_survival((), nothing, -people.time_months, np.ones(100, dtype=bool), people.time_months, HORIZONS)
    with pytest.raises(ValueError, match="covariate dl_logit does not vary among the 100 patients"):
        fit_overall_survival((), nothing, np.ones(100), people.event, people.time_months, HORIZONS)
    with pytest.raises(ValueError, match="horizon of 500 months"):
        fit_overall_survival((), nothing, people.dl_logit, people.event, people.time_months, (500,))
