"""Cox models as numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from lifelines import CoxPHFitter
from lifelines.datasets import load_rossi
from numpy.typing import NDArray

from models.cox import CoxModel, fit_cox

MODEL = CoxModel(("a", "b"), (0.5, -1.0), (1.0, 2.0), (12, 36), (0.1, 0.4), 10, 5)


def rossi() -> tuple[list[str], NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Names, covariates, event and time of the recidivism data that come with lifelines (432 patients, many ties)."""
    table = load_rossi()
    names = ["fin", "age", "prio"]
    return names, table[names].to_numpy(float), table["arrest"].to_numpy(bool), table["week"].to_numpy(float)


def test_linear_predictor_and_risk_by_hand() -> None:
    """0.5 (3 - 1) - 1 (1 - 2) = 2; risk = 1 - exp(-H0 e^2); at the means the linear predictor is 0."""
    x = np.array([[3.0, 1.0], [1.0, 2.0]])

    np.testing.assert_allclose(MODEL.linear_predictor(x), [2.0, 0.0])
    expected = [1 - np.exp(-np.array([0.1, 0.4]) * np.exp(2)), 1 - np.exp(-np.array([0.1, 0.4]))]
    np.testing.assert_allclose(MODEL.risk(x), expected)


def test_missing_covariate_counts_as_the_mean() -> None:
    """NaN gives the same linear predictor as the development mean."""
    np.testing.assert_allclose(MODEL.linear_predictor(np.array([[np.nan, 1.0]])), [1.0])
    np.testing.assert_allclose(MODEL.linear_predictor(np.array([[np.nan, np.nan]])), [0.0])


def test_json_round_trip() -> None:
    """A model that went through JSON is the same model."""
    assert CoxModel.from_dict(json.loads(json.dumps(MODEL.to_dict()))) == MODEL


def test_fit_equals_lifelines() -> None:
    """Coefficients, means and cumulative baseline hazard at event times are those of lifelines."""
    names, x, event, time = rossi()
    model = fit_cox(names, x, event, time, (20, 52))
    fitter = CoxPHFitter().fit(load_rossi()[[*names, "week", "arrest"]], "week", "arrest")

    np.testing.assert_allclose(model.coefficients, fitter.params_.to_numpy(), rtol=1e-5)
    np.testing.assert_allclose(model.means, x.mean(axis=0))
    np.testing.assert_allclose(
        model.baseline_cumulative_hazard,
        fitter.baseline_cumulative_hazard_.loc[[20.0, 52.0]].to_numpy().ravel(),
        rtol=1e-5,
    )
    assert (model.n, model.events) == (432, 114)


def test_baseline_hazard_is_a_step_function() -> None:
    """Between two event times the cumulative hazard stays that of the earlier one; it is not interpolated."""
    names, x, event, time = rossi()
    no_event_between = fit_cox(names, x, event, time, (20, 20.9))

    assert no_event_between.baseline_cumulative_hazard[0] == no_event_between.baseline_cumulative_hazard[1]


def test_mean_risk_is_the_observed_share() -> None:
    """Fitted where it is read, the mean risk at a horizon is close to one less Kaplan-Meier."""
    names, x, event, time = rossi()
    model = fit_cox(names, x, event, time, (52,))

    assert abs(model.risk(x).mean() - event.mean()) < 0.005


def test_missing_values_are_filled_by_the_mean_of_the_known() -> None:
    """Fitting with NaN equals fitting after replacing NaN by the column's known mean."""
    names, x, event, time = rossi()
    x[::7, 1] = np.nan
    filled = np.where(np.isnan(x), np.nanmean(x, axis=0), x)

    model, expected = (fit_cox(names, table, event, time, (52,)) for table in (x, filled))
    np.testing.assert_allclose(model.coefficients, expected.coefficients)
    np.testing.assert_allclose(model.means, expected.means)
    np.testing.assert_allclose(model.baseline_cumulative_hazard, expected.baseline_cumulative_hazard)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.full(432, 3.0), "covariate prio does not vary among the 432 patients"),
        (np.full(432, np.nan), "covariate prio does not vary among the 0 patients"),
    ],
)
def test_fit_refuses_a_covariate_that_does_not_vary(column: NDArray[np.float64], message: str) -> None:
    """A constant or empty column is named."""
    names, x, event, time = rossi()
    x[:, 2] = column

    with pytest.raises(ValueError, match=message):
        fit_cox(names, x, event, time, (52,))


def test_fit_refuses_separation() -> None:
    """A covariate that orders all events has no finite coefficient."""
    time = np.arange(1.0, 21.0)

    with pytest.raises(ValueError, match="no finite maximum"):
        fit_cox(["x"], -time[:, None], np.ones(20, dtype=bool), time, (5,))


def test_fit_refuses_a_horizon_beyond_follow_up() -> None:
    """Nothing is known of the hazard after the last patient has left."""
    names, x, event, time = rossi()

    with pytest.raises(ValueError, match=r"horizon of 60 months: follow-up ends at 52\.0 months"):
        fit_cox(names, x, event, time, (12, 60))
