"""Training of the multitask CT network: what its files say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from models.ct_stroma_survival import CLINICAL, RISK_MODELS, SPEC
from models.ct_stroma_survival.signature import MODEL_COVARIATES
from models.ct_stroma_survival.system import SYSTEM, fit_risk_models
from models.gradcam import explained
from models.maps.ct_stroma_survival import maps
from models.risk_models import RiskModels
from models.system import DevelopmentSet, FollowUp
from tests.models.conftest import TrainedModel
from tests.models.specimens import Notebook, development_set, model_inputs, model_params, params

ONLY_THIS_MODEL = pytest.mark.parametrize("trained", [SPEC.name], indirect=True)


def scores_of(development: DevelopmentSet, noise: float = 1.0) -> pd.DataFrame:
    """Scores that know both outcomes, more or less."""
    rng = np.random.default_rng(0)
    event, label = development.follow_up["os"].event, development.labels["tsr_high"]
    mdls = event + rng.normal(0, noise, len(event))
    return pd.DataFrame({"mdls": mdls, "tsr_prob": 1 / (1 + np.exp(-np.nan_to_num(label) - rng.normal(0, noise)))})


@ONLY_THIS_MODEL
def test_scores_are_out_of_fold_for_everyone(trained: TrainedModel) -> None:
    """Every patient has both scores and a fold."""
    scores = pd.read_parquet(trained.folder / "scores.parquet")

    assert tuple(scores["patient_id"]) == trained.development.patient_ids
    assert set(scores["fold"]) == {1, 2}
    assert scores["tsr_prob"].between(0, 1).all()
    assert np.isfinite(scores["mdls"]).all()
    assert scores["tsr_known"].all()


@ONLY_THIS_MODEL
def test_risk_models_are_fitted_on_all_patients(trained: TrainedModel) -> None:
    """Six Cox models on everyone; cut-offs of the score's linear predictor and of the ratio."""
    risk_models = RiskModels.read(trained.folder / "risk_models.json")

    assert set(risk_models.models) == set(RISK_MODELS)
    assert {name: model.names for name, model in risk_models.models.items()} == MODEL_COVARIATES
    assert {model.n for model in risk_models.models.values()} == {len(trained.development.patient_ids)}
    assert {"lp_mdls", "tsr_prob"} == set(risk_models.cutoffs)
    assert all(model.horizons_months == SPEC.horizons_months for model in risk_models.models.values())


@ONLY_THIS_MODEL
def test_training_facts_hold_no_clock_times(trained: TrainedModel) -> None:
    """training.json says what was done, per fold, and nothing that differs from run to run; every run is reported."""
    facts = json.loads((trained.folder / "training.json").read_text())

    keys = {"model", "params", "seed", "n", "events", "tsr_known", "networks", "mdls_origin", "sources_sha256"}
    assert set(facts) == keys
    assert set(facts["networks"]) == {"both"}
    network = facts["networks"]["both"]
    assert len(network["best_epochs"]) == len(network["tuning_losses"]) == 2
    assert 1 <= network["epochs"] == len(network["refit_training_losses"]) <= 3
    assert {run for run, _, _ in trained.progress.epochs} == {"both/fold-1", "both/fold-2", "both/refit"}


@ONLY_THIS_MODEL
def test_score_has_the_same_zero_in_every_network(trained: TrainedModel) -> None:
    """MDLS is 0 on average in each fold, and so it is for the development patients in the network that ships."""
    scores = pd.read_parquet(trained.folder / "scores.parquet")
    inputs = [torch.from_numpy(trained.development.inputs[tensor.name]) for tensor in SPEC.inputs]
    with torch.inference_mode():
        mdls = SYSTEM.signature(trained.folder)(*inputs)[1]

    np.testing.assert_allclose(scores.groupby("fold")["mdls"].mean(), 0, atol=1e-6)
    assert float(mdls.mean()) == pytest.approx(0, abs=1e-5)
    assert float(mdls.std()) > 0


@pytest.fixture(scope="module")
def single_tasks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DevelopmentSet, Notebook]:
    """The ablation of one network per task, on patients of whom every third lacks the ratio."""
    folder, whole, progress = tmp_path_factory.mktemp("single"), development_set(SPEC), Notebook()
    label = np.where(np.arange(len(whole.patient_ids)) % 3 == 0, np.nan, whole.labels["tsr_high"])
    development = replace(whole, labels={"tsr_high": label})
    given = model_params(SPEC, multitask=False, autoencoder=False, attention=False)
    SYSTEM.train(development, given, 1, folder / "training", folder / "checkpoints", progress)
    return folder / "training", development, progress


def test_patients_without_ratio_are_trained_on_and_scored(
    single_tasks: tuple[Path, DevelopmentSet, Notebook],
) -> None:
    """A ratio that is not known leaves its loss out; the patient has scores and is in the Cox models."""
    folder, development, _ = single_tasks
    scores = pd.read_parquet(folder / "scores.parquet")
    facts = json.loads((folder / "training.json").read_text())
    n, known = len(development.patient_ids), ~np.isnan(development.labels["tsr_high"])

    assert (facts["n"], facts["tsr_known"]) == (n, int(known.sum()))
    assert 0 < known.sum() < n
    assert np.isfinite(scores[["tsr_prob", "mdls"]]).all(axis=None)
    np.testing.assert_array_equal(scores["tsr_known"], known)
    assert RiskModels.read(folder / "risk_models.json").models["os"].n == n


def test_one_network_per_task_gives_the_same_outputs(single_tasks: tuple[Path, DevelopmentSet, Notebook]) -> None:
    """The ablation trains two networks and is a whole signature like any other."""
    folder, _, progress = single_tasks
    inputs = model_inputs(SPEC, 3)
    with torch.inference_mode():
        outputs = SYSTEM.signature(folder)(*(torch.from_numpy(inputs[tensor.name]) for tensor in SPEC.inputs))

    assert [tuple(output.shape[1:]) for output in outputs] == [tensor.shape for tensor in SPEC.outputs]
    assert {run.partition("/")[0] for run, _, _ in progress.epochs} == {"tsr", "survival"}


def test_each_map_is_of_the_network_that_learnt_the_task(
    single_tasks: tuple[Path, DevelopmentSet, Notebook],
) -> None:
    """With two networks the map of the ratio is of the first, that of survival of the second but for its zero."""
    folder, _, _ = single_tasks
    signature, inputs = SYSTEM.signature(folder), model_inputs(SPEC, 3)
    declared = {one.name: one for one in maps(folder)}
    with torch.inference_mode():
        outputs = signature(*(torch.from_numpy(inputs[tensor.name]) for tensor in SPEC.inputs))
        scores = {
            name: signature.get_submodule(one.network)(torch.from_numpy(inputs["ct"]))[:, one.column]
            for name, one in declared.items()
        }

    assert {name: one.network for name, one in declared.items()} == {"tsr_high": "networks.0", "survival": "networks.1"}
    np.testing.assert_allclose(torch.sigmoid(scores["tsr_high"]), outputs[0], rtol=1e-5)
    np.testing.assert_allclose(np.ptp((scores["survival"] - outputs[1]).numpy()), 0, atol=1e-5)
    for one in declared.values():
        found = explained(signature, one, inputs["ct"][0])
        assert found.values is None or found.values.shape == (112, 112)


def test_each_cox_model_is_of_its_endpoint() -> None:
    """The model for disease-free survival is fitted on its events, the others on deaths."""
    development = development_set(SPEC, n=120)
    death = development.follow_up["os"]
    progression = FollowUp(np.ones(120, dtype=bool), np.append(death.time_months[:-1] * 0.8, 80.0))
    development = replace(development, follow_up={"os": death, "dfs": progression})
    models = fit_risk_models(scores_of(development), development).models

    assert {name: model.events for name, model in models.items()} == {
        name: 120 if endpoint == "dfs" else int(death.event.sum()) for name, endpoint in RISK_MODELS.items()
    }


def test_cutoffs_separate_high_from_low() -> None:
    """With scores that know the outcomes, cut-offs lie between the groups; an unknown ratio has no say."""
    development = development_set(SPEC, n=120)
    label = np.where(np.arange(120) % 4 == 0, np.nan, development.labels["tsr_high"])
    development = replace(development, labels={"tsr_high": label})
    rng = np.random.default_rng(0)
    early = development.follow_up["os"].event & (development.follow_up["os"].time_months < 24)
    mdls = 2.0 * early + rng.normal(0, 0.3, 120)
    tsr_prob = np.where(np.isnan(label), 0.99, 0.3 + 0.4 * np.nan_to_num(label) + rng.uniform(0, 0.1, 120))
    risk_models = fit_risk_models(pd.DataFrame({"mdls": mdls, "tsr_prob": tsr_prob}), development)
    high = risk_models.models["mdls"].linear_predictor(mdls[:, None]) >= risk_models.cutoffs["lp_mdls"]

    assert high[early].mean() > 0.9
    assert high[~early].mean() < 0.1
    assert 0.4 < risk_models.cutoffs["tsr_prob"] < 0.7


def test_risk_models_say_what_is_wrong_with_the_data() -> None:
    """A covariate that is the same in all development patients is named."""
    development = development_set(SPEC)
    covariates = development.inputs["covariates"].copy()
    covariates[:, CLINICAL.index("n_positive")] = 0
    development = replace(development, inputs={**development.inputs, "covariates": covariates})

    with pytest.raises(ValueError, match="covariate n_positive does not vary among"):
        fit_risk_models(scores_of(development), development)


@pytest.mark.parametrize(
    ("events", "cases", "message"),
    [
        (2, 6, "2 patients with status 1, fewer than 5 folds"),
        (6, 4, "tsr_high: 4 cases and 8 controls, expected at least 5 of each"),
        (6, 0, "tsr_high: 0 cases and 12 controls"),
    ],
)
def test_too_few_events_or_cases_for_the_folds(events: int, cases: int, message: str, tmp_path: Path) -> None:
    """A cohort with fewer deaths, or patients with a high or a low ratio, than folds is refused before training."""
    died = np.arange(12) < events
    outcome = FollowUp(died, np.where(died, 10.0, 70.0))
    development = replace(
        development_set(SPEC, n=12),
        follow_up={"os": outcome, "dfs": outcome},
        labels={"tsr_high": (np.arange(12) < cases).astype(np.float64)},
    )

    with pytest.raises(ValueError, match=message):
        SYSTEM.train(
            development, model_params(SPEC, folds=5), 1, tmp_path / "out", tmp_path / "checkpoints", Notebook()
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trunk": "resnet18"}, "trunk: found 'resnet18', expected one of se_resnet50, vgg16, densenet121"),
        ({"width": 1.0, "pretrained": "weights.pt"}, r"pretrained: found 'weights\.pt', expected null"),
        ({"survival_weight": -1}, r"survival_weight: found -1\.0, expected 0 or more"),
        ({"multitask": 1}, r"multitask: found 1 \(int\), expected bool"),
    ],
)
def test_params_refuse(changes: dict[str, Any], message: str) -> None:
    """Every error names the key, what was found and what was expected."""
    with pytest.raises(ValueError, match=message):
        model_params(SPEC, **changes)


def test_params_of_another_model_are_refused(tmp_path: Path) -> None:
    """A caller that does not ask the system for its kind of parameters is told."""
    with pytest.raises(TypeError, match="params of TrainingParams, expected StromaParams"):
        SYSTEM.train(development_set(SPEC), params(), 1, tmp_path, tmp_path, Notebook())
