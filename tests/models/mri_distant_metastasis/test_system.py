"""Training of the MRI signature: what its files say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.mri_distant_metastasis import CLINICAL, RISK_MODELS, SPEC
from models.mri_distant_metastasis.signature import MODEL_COVARIATES
from models.mri_distant_metastasis.system import SYSTEM, fit_risk_models
from models.risk_models import RiskModels
from models.system import FollowUp
from tests.models.conftest import TrainedModel
from tests.models.specimens import Notebook, development_set, params

ONLY_THIS_MODEL = pytest.mark.parametrize("trained", [SPEC.name], indirect=True)


@ONLY_THIS_MODEL
def test_scores_are_out_of_fold_for_everyone(trained: TrainedModel) -> None:
    """Every patient has scores and a fold; those of unknown status at 36 months are scored but not trained on."""
    scores, development = pd.read_parquet(trained.folder / "scores.parquet"), trained.development
    outcome = development.follow_up["dmfs"]
    known = outcome.event & (outcome.time_months <= 36) | (outcome.time_months >= 36)

    assert tuple(scores["patient_id"]) == development.patient_ids
    assert set(scores["fold"]) == {1, 2}
    assert scores[["t2w_prob", "adc_prob"]].apply(lambda column: column.between(0, 1)).all(axis=None)
    np.testing.assert_allclose(scores["dl_prob"], scores["t2w_prob"] + scores["adc_prob"])
    np.testing.assert_array_equal(scores["in_classifier_training"], known)
    assert 0 < known.sum() < len(known)


@ONLY_THIS_MODEL
def test_risk_models_are_fitted_on_all_patients(trained: TrainedModel) -> None:
    """Five Cox models on everyone, patients of unknown status included; cut-offs for DLRS and nomogram."""
    risk_models = RiskModels.read(trained.folder / "risk_models.json")

    assert set(risk_models.models) == set(RISK_MODELS)
    assert {name: model.names for name, model in risk_models.models.items()} == MODEL_COVARIATES
    assert {model.n for model in risk_models.models.values()} == {len(trained.development.patient_ids)}
    assert {"lp_dlrs", "lp_nomogram"} == set(risk_models.cutoffs)
    assert all(model.horizons_months == SPEC.horizons_months for model in risk_models.models.values())


@ONLY_THIS_MODEL
def test_training_facts_hold_no_clock_times(trained: TrainedModel) -> None:
    """training.json says what was done, per network and fold, and nothing that differs from run to run."""
    facts = json.loads((trained.folder / "training.json").read_text())

    keys = {"model", "params", "seed", "n", "events", "in_classifier_training", "networks", "sources_sha256"}
    assert set(facts) == keys
    assert facts["params"]["pretrained"] is None
    assert set(facts["networks"]) == {"t2w", "adc"}
    for network in facts["networks"].values():
        assert len(network["best_epochs"]) == len(network["tuning_losses"]) == 2
        assert network["epochs"] == len(network["refit_training_losses"]) == 1


@ONLY_THIS_MODEL
def test_progress_names_every_run(trained: TrainedModel) -> None:
    """Both networks, their folds and their refit are reported."""
    runs = {f"{network}/{run}" for network in ("t2w", "adc") for run in ("fold-1", "fold-2", "refit")}

    assert {run for run, _, _ in trained.progress.epochs} == runs


def test_cutoff_separates_high_from_low() -> None:
    """With scores that know the outcome, the DLRS cut-off lies between the groups."""
    development = development_set(SPEC, n=120)
    outcome = development.follow_up["dmfs"]
    case = outcome.event & (outcome.time_months <= 36)
    rng = np.random.default_rng(0)
    half = 0.3 + 0.3 * case + rng.normal(0, 0.1, len(case))
    scores = pd.DataFrame({"t2w_prob": half, "adc_prob": half, "dl_prob": 2 * half})
    risk_models = fit_risk_models(scores, development)
    linear_predictor = risk_models.models["dlrs"].linear_predictor(2 * half[:, None])

    high = linear_predictor >= risk_models.cutoffs["lp_dlrs"]
    assert high[case].mean() > 0.8
    assert high[~case].mean() < 0.2


def test_risk_models_say_what_is_wrong_with_the_data() -> None:
    """A covariate that is the same in all development patients is named."""
    development = development_set(SPEC)
    covariates = development.inputs["covariates"].copy()
    covariates[:, CLINICAL.index("ypn2")] = 0
    development = replace(development, inputs={**development.inputs, "covariates": covariates})
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.random((40, 3)), columns=["t2w_prob", "adc_prob", "dl_prob"])

    with pytest.raises(ValueError, match="covariate ypn2 does not vary among"):
        fit_risk_models(scores, development)


def test_too_few_events_for_the_folds(tmp_path: Path) -> None:
    """A cohort with fewer events than folds is refused before anything is trained."""
    development = development_set(SPEC, n=12)
    event = np.zeros(12, dtype=bool)
    event[:2] = True
    development = replace(development, follow_up={"dmfs": FollowUp(event, np.where(event, 10.0, 50.0))})

    with pytest.raises(ValueError, match="2 patients with status 1, fewer than 5 folds"):
        SYSTEM.train(development, params(folds=5), 1, tmp_path / "out", tmp_path / "checkpoints", Notebook())
    assert not (tmp_path / "out").exists()
