"""The score, its risk models, and what is kept out of the folds."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from models.histology_spatial_survival import FEATURES, HORIZONS_MONTHS, RISK_MODELS, SPEC
from models.histology_spatial_survival.risk import FittedRisk, SofModel, censored, fit_risk, fit_sof
from models.system import FollowUp
from tests.models.histology_spatial_survival.slides import People, people
from validation.estimators.cutoffs.maximally_selected import maximally_selected_log_rank
from validation.estimators.survival.cox import fit_cox

FOLDS = 3


@cache
def fitted(signal: float = 0.7) -> tuple[People, FittedRisk]:
    """Made-up patients and all that is fitted on them."""
    patients = people(signal=signal)
    return patients, fit_risk(patients.inputs, patients.outcome, folds(patients))


def folds(patients: People) -> np.ndarray:
    """The fold of each patient."""
    return np.arange(len(patients.hazard)) % FOLDS


def test_the_score_is_the_centred_predictor_of_the_chosen_features() -> None:
    """High features times coefficients, 0 in the mean of development; cut-offs are those of the selection."""
    patients, result = fitted()
    model, selection = result.sof.model, result.sof.selection
    found = model.features(patients.inputs)
    high = np.column_stack(
        [found[:, FEATURES.index(name)] >= cutoff for name, cutoff in selection.cutoffs.items()]
    ).astype(float)
    outcome = censored(patients.outcome)

    assert model.cox.names == tuple(selection.cutoffs)
    np.testing.assert_allclose(
        model.cox.coefficients, fit_cox(outcome.time_months, outcome.event, high).coefficients, atol=1e-8
    )
    np.testing.assert_allclose(model.score(found), (high - high.mean(axis=0)) @ model.cox.coefficients, atol=1e-12)
    assert model.score(found).mean() == pytest.approx(0, abs=1e-12)
    for name, cutoff in selection.cutoffs.items():
        assert cutoff == np.float32(cutoff)
        assert selection.hazard_ratios[name].value == pytest.approx(
            np.exp(model.cox.coefficients[model.cox.names.index(name)])
        )


def test_planted_features_are_found() -> None:
    """Debris, lymphocytes and contact with hepatocytes drive the hazard, and the score follows it in new patients."""
    _, result = fitted()
    new = people(seed=9)
    score = result.sof.model.table(new.inputs)["sof"]
    tissues = {name.split("_")[1] for name in result.sof.model.cox.names}

    assert {"deb", "lym"} <= tissues
    assert np.corrcoef(score, new.hazard)[0, 1] > 0.5


def test_a_fold_is_scored_without_its_patients() -> None:
    """Other outcomes and slides of one fold change the scores of the others, never its own cut-offs and scores."""
    patients, result = fitted()
    fold = folds(patients)
    mine = fold == 0
    event, time = patients.outcome.event.copy(), patients.outcome.time_months.copy()
    event[mine], time[mine] = event[mine][::-1], time[mine][::-1]
    changed = fit_risk(patients.inputs, FollowUp(event, time), fold)

    own = [name for name in result.scores if name != "grade"]
    assert changed.folds[0].to_dict() == result.folds[0].to_dict()
    assert result.scores.loc[mine, own].equals(changed.scores.loc[mine, own])
    assert not result.scores.loc[~mine, "sof"].equals(changed.scores.loc[~mine, "sof"])


def test_each_fold_repeats_the_whole_selection() -> None:
    """The model of a fold is that of the other patients alone, and its table gives the out-of-fold scores."""
    patients, result = fitted()
    fold, outcome = folds(patients), censored(patients.outcome)
    rest = {name: array[fold != 1] for name, array in patients.inputs.items()}
    alone = fit_sof(rest, FollowUp(outcome.event[fold != 1], outcome.time_months[fold != 1]))
    table = alone.model.table({name: array[fold == 1] for name, array in patients.inputs.items()})

    assert alone.to_dict() == result.folds[1].to_dict()
    np.testing.assert_array_equal(table["sof"], result.scores.loc[fold == 1, "sof"])
    assert (result.scores["fold"] == fold + 1).all()
    assert len({result.folds[k].model.cut_tiles for k in range(FOLDS)}) == FOLDS


def test_noise_gives_no_credit_out_of_fold() -> None:
    """Without signal the score fits its own patients; the slope of the out-of-fold scores lies near 0, not near 1."""
    patients = people(signal=0.0)
    outcome = censored(patients.outcome)
    result = fit_risk(patients.inputs, patients.outcome, folds(patients))
    in_sample = result.sof.model.table(patients.inputs)[["sof"]].to_numpy()

    assert fit_cox(outcome.time_months, outcome.event, in_sample).coefficients[0] == pytest.approx(1, abs=1e-6)
    assert result.risk_models.models["sof"].coefficients[0] < 0.6


def test_risk_models_are_cox_models_of_out_of_fold_scores() -> None:
    """Covariates, horizons and cut-offs; the score's cut-off leaves 20 to 80 % low and separates best."""
    patients, result = fitted()
    models, outcome = result.risk_models.models, censored(patients.outcome)
    lp_sof = result.risk_models.predictions(result.scores)["lp_sof"].to_numpy()
    selected = maximally_selected_log_rank(
        outcome.time_months, outcome.event, lp_sof, smallest_share=0.2, largest_share=0.8
    )

    assert {name: model.names for name, model in models.items()} == RISK_MODELS
    assert all(model.horizons_months == HORIZONS_MONTHS for model in models.values())
    assert all(model.n == len(patients.hazard) for model in models.values())
    assert result.risk_models.cutoffs == {"lp_sof": selected.value, "crs": 2.5}
    assert 0.2 <= (lp_sof < selected.value).mean() <= 0.8
    assert models["sof_crs"].coefficients[1] > 0


def test_out_of_fold_table_has_every_output() -> None:
    """With the risk models it holds each prediction column of the spec, finite, in the patients' order."""
    patients, result = fitted()
    table = result.scores.join(result.risk_models.predictions(result.scores))
    expected = set(SPEC.prediction_columns())

    assert expected <= set(table)
    assert np.isfinite(table[list(expected)].to_numpy()).all()
    assert set(table["grade"].unique()) == {0.0, 1.0, 2.0}
    shares = [name for name in table if name.startswith("share_")]
    np.testing.assert_allclose(table[shares].sum(axis=1), 1)
    np.testing.assert_array_equal(
        table["grade"], (table["lp_sof"] >= result.risk_models.cutoffs["lp_sof"]).astype(float) + (table["crs"] >= 2.5)
    )
    assert len(table) == len(patients.hazard)


def test_follow_up_ends_at_ten_years() -> None:
    """A later death is a censoring at 120 months; one at 120 months counts."""
    outcome = FollowUp(np.array([True, True, False, True]), np.array([119.0, 120, 150, 121]))
    ended = censored(outcome)

    assert ended.event.tolist() == [True, True, False, False]
    assert ended.time_months.tolist() == [119, 120, 120, 120]


def test_score_survives_json() -> None:
    """The model comes back equal, and the whole way to it is plain JSON."""
    _, result = fitted()
    values = json.loads(json.dumps(result.sof.to_dict(), allow_nan=False))

    assert SofModel.from_dict(values["model"]) == result.sof.model
    assert len(values["distances"]) == 5
    assert len(values["selection"]["screened"]) == 20


def test_what_cannot_be_fitted_names_the_fold() -> None:
    """Slides that are all alike have no feature that passes; the message says without which fold."""
    patients = people()
    alike = {name: np.repeat(array[:1], len(array), axis=0) for name, array in patients.inputs.items()}
    first = {
        name: np.where((folds(patients) == 0)[(...,) + (None,) * (array.ndim - 1)], array, array[1:2])
        for name, array in patients.inputs.items()
    }
    alike["covariates"] = first["covariates"] = patients.inputs["covariates"]

    with pytest.raises(ValueError, match=r"^no feature passes the screen"):
        fit_risk(alike, patients.outcome, folds(patients))
    with pytest.raises(ValueError, match="without fold 1: no feature passes the screen"):
        fit_risk(first, patients.outcome, folds(patients))


def test_follow_up_must_reach_the_last_horizon() -> None:
    """A horizon beyond follow-up is refused."""
    patients = people()
    outcome = patients.outcome
    short = replace(
        outcome, event=outcome.event & (outcome.time_months <= 90), time_months=np.minimum(outcome.time_months, 90)
    )

    with pytest.raises(ValueError, match=r"horizon of 96 months: follow-up ends at 90\.0 months"):
        fit_risk(patients.inputs, short, folds(patients))
