"""Training of the CT signature: balanced folds, the models on top, and what its files say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import expit

from models.ct_chemo_response import CLINICAL, SPEC
from models.ct_chemo_response.signature import COLUMNS
from models.ct_chemo_response.system import (
    SYSTEM,
    ChemoResponseParams,
    _balancing,
    _cross_entropy,
    _flipped_and_turned,
    fit_models,
)
from models.risk_models import RiskModels
from models.system import DevelopmentSet, FollowUp
from models.training import Rows, Task
from tests.models.conftest import TrainedModel
from tests.models.small_task import small_trainer
from tests.models.specimens import Notebook, development_set, model_params

ONLY_THIS_MODEL = pytest.mark.parametrize("trained", [SPEC.name], indirect=True)


def block(**changes: Any) -> dict[str, Any]:
    """A block of params.yaml."""
    return {**vars(model_params(SPEC)), **changes}


def with_signal(n: int = 500) -> tuple[DevelopmentSet, NDArray[np.float64]]:
    """Patients whose response depends on a logit, diameter and cT, and survival on the logit and CEA; the logit.

    One in ten has an unknown response, one in ten an unknown CEA.
    """
    rng = np.random.default_rng(0)
    covariates = rng.random((n, len(CLINICAL))) < 0.3
    table = covariates.astype(np.float32)
    table[:, CLINICAL.index("tumour_diameter_cm")] = rng.lognormal(1.7, 0.3, n)
    logit = rng.normal(0.0, 1.2, n)
    log_odds = -1.2 + logit - 0.3 * (table[:, CLINICAL.index("tumour_diameter_cm")] - 5.5)
    log_odds += 1.5 * table[:, CLINICAL.index("ct1_2")]
    good = (rng.random(n) < expit(log_odds)).astype(np.float64)
    good[rng.random(n) < 0.1] = np.nan
    hazard = 0.02 * np.exp(-0.5 * logit + 0.7 * table[:, CLINICAL.index("cea_positive")])
    death, censoring = rng.exponential(1 / hazard), rng.uniform(36, 90, n)
    table[rng.random(n) < 0.1, CLINICAL.index("cea_positive")] = np.nan
    development = DevelopmentSet(
        patient_ids=tuple(f"P{number}" for number in range(n)),
        inputs={"covariates": table},
        follow_up={"os": FollowUp(death <= censoring, np.minimum(death, censoring))},
        labels={"good_response": good},
    )
    return development, logit


def test_models_find_what_matters() -> None:
    """Fusion and survival model hold logit and true covariates; of the fusion those of unknown response are no part."""
    development, logit = with_signal()
    models, selection = fit_models(logit, np.arange(500) % 5, development)
    known = int(np.isfinite(development.labels["good_response"]).sum())

    assert {"tumour_diameter_cm", "ct1_2"} <= set(models.logistic["clinical"].names)
    assert {"dl_logit", "tumour_diameter_cm", "ct1_2"} <= set(models.logistic["dlcs"].names)
    assert {"dl_logit", "cea_positive"} <= set(models.models["os"].names)
    assert "dl_logit" not in models.logistic["clinical"].names
    assert models.logistic["dlcs"].n == models.logistic["clinical"].n == known < 500
    assert models.models["os"].n == 500
    assert models.models["os"].horizons_months == SPEC.horizons_months
    assert json.loads(json.dumps(selection, allow_nan=False)).keys() == {"clinical", "dlcs", "os"}


def test_cutoffs_are_those_of_development() -> None:
    """At the threshold of the fusion most good responders lie above and most others below; half of all die early."""
    development, logit = with_signal()
    models, _ = fit_models(logit, np.arange(500) % 5, development)
    table = np.column_stack([logit, development.inputs["covariates"]])

    def columns(names: tuple[str, ...]) -> NDArray[np.float64]:
        return table[:, [COLUMNS.index(name) for name in names]]

    dlcs, survival, good = models.logistic["dlcs"], models.models["os"], development.labels["good_response"]
    high = dlcs.probability(columns(dlcs.names)) >= models.cutoffs["dlcs_prob"]
    early = survival.linear_predictor(columns(survival.names)) >= models.cutoffs["lp_os"]

    assert set(models.cutoffs) == {"dl_prob", "clinical_prob", "dlcs_prob", "lp_os"}
    assert high[good == 1].mean() + (~high)[good == 0].mean() > 1.4
    assert early.sum() == 250


def toy_task(n: int = 40) -> Task:
    """Images of 16 x 16 pixels, every fourth a case; those of the last eight must not be seen: they are NaN."""
    rng = np.random.default_rng(0)
    images = rng.random((n, 3, 16, 16), dtype=np.float32)
    images[-8:] = np.nan
    status = (np.arange(n) % 4 == 0).astype(np.float64)
    status[-1] = np.nan
    return Task(
        name="toy",
        build=lambda _rows: torch.nn.Identity(),
        inputs={"ct": images},
        targets={"good_response": status},
        loss=_cross_entropy,
    )


def enlarged(tmp_path: Path, made: dict[str, Any]) -> tuple[Task, Task, Rows]:
    """The task, that of one fold with its synthetic images, and the rows to train on, the first 32 patients first."""
    task, params = toy_task(), ChemoResponseParams.from_mapping(block())
    trainer = small_trainer(tmp_path, Notebook())
    return task, *_balancing(trainer, task, params.deepsmote, made, {})("toy/fold-1", np.arange(32))


def test_a_fold_is_balanced_by_images_made_from_its_own(tmp_path: Path) -> None:
    """Patients come first and unchanged, synthetic cases after them; images of other rows are not looked at."""
    made: dict[str, Any] = {}
    task, more, rows = enlarged(tmp_path, made)
    status = more.targets["good_response"]

    np.testing.assert_array_equal(more.inputs["ct"][:40], task.inputs["ct"])
    assert np.isfinite(more.inputs["ct"][40:]).all()
    assert len(more.inputs["ct"]) == len(status) == 40 + 16
    assert rows.tolist() == [*range(32), *range(40, 56)]
    assert status[rows].mean() == 0.5
    assert (status[40:] == 1).all()
    assert (made["toy/fold-1"]["patients"], made["toy/fold-1"]["synthetic"]) == (32, 16)


def test_orientations_are_the_eight_of_the_square() -> None:
    """Training sees an image flipped along either axis and turned, its three slices alike, intensities unchanged."""
    image = torch.arange(3 * 6 * 6, dtype=torch.float32).reshape(1, 3, 6, 6)
    turned = _flipped_and_turned(image.repeat(200, 1, 1, 1), torch.Generator().manual_seed(0))
    expected = {
        tuple(torch.rot90(side, quarter, (2, 3)).flatten().tolist())
        for quarter in range(4)
        for side in (image, image.flip(2))
    }

    assert {tuple(patient.flatten().tolist()) for patient in turned} == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 2}, "folds: found 2, expected at least 3"),
        ({"deepsmote_channels": 8}, "parameter deepsmote_channels: found 8, expected at least 16"),
        ({"deepsmote_latent": 1.5}, "deepsmote_latent: found 1.5"),
        ({"dropout": 1.0}, "dropout: found 1.0"),
        ({"neighbours": 5}, "parameter neighbours: found an unknown parameter"),
    ],
)
def test_params_refuse(changes: dict[str, Any], message: str) -> None:
    """Every key is checked, those of DeepSMOTE by DeepSMOTE; the LASSO needs three folds."""
    with pytest.raises(ValueError, match=message):
        ChemoResponseParams.from_mapping(block(**changes))


def test_too_few_good_responses_for_the_folds(tmp_path: Path) -> None:
    """A cohort with fewer good responses than folds is refused before anything is trained."""
    development = development_set(SPEC, n=12)
    development = replace(development, labels={"good_response": (np.arange(12) < 2).astype(np.float64)})

    with pytest.raises(ValueError, match="2 patients with status 1, fewer than 5 folds"):
        SYSTEM.train(
            development,
            ChemoResponseParams.from_mapping(block(folds=5)),
            1,
            tmp_path / "out",
            tmp_path / "checkpoints",
            Notebook(),
        )
    assert not (tmp_path / "out").exists()


@ONLY_THIS_MODEL
def test_scores_are_out_of_fold_for_everyone(trained: TrainedModel) -> None:
    """Every patient has a fold, the logit of that fold's network and its probability."""
    scores = pd.read_parquet(trained.folder / "scores.parquet")

    assert tuple(scores["patient_id"]) == trained.development.patient_ids
    assert set(scores["fold"]) == {1, 2, 3}
    np.testing.assert_allclose(scores["dl_prob"], expit(scores["dl_logit"]))
    assert scores["in_classifier_training"].all()


@ONLY_THIS_MODEL
def test_training_facts_tell_of_synthetic_images_and_selection(trained: TrainedModel) -> None:
    """training.json says what was made in each fold and how every model came about, and nothing of time or place."""
    facts = json.loads((trained.folder / "training.json").read_text())
    status = trained.development.labels["good_response"]
    runs = {"signature/fold-1", "signature/fold-2", "signature/fold-3", "signature/refit"}

    assert set(facts["deepsmote"]) == runs
    assert facts["deepsmote"]["signature/refit"]["synthetic"] == abs(len(status) - 2 * int(status.sum()))
    assert facts["good_responses"] == int(status.sum())
    assert set(facts["selection"]) == {"clinical", "dlcs", "os"}
    assert facts["params"]["pretrained"] is None
    assert {run for run, _, _ in trained.progress.epochs} == runs | {f"{run}/deepsmote" for run in runs}


@ONLY_THIS_MODEL
def test_a_few_images_are_kept_to_look_at(trained: TrainedModel) -> None:
    """The examples are of the refit: real crops of the rarer class, reconstructed, and what was made from them."""
    status, ct = trained.development.labels["good_response"] == 1, trained.development.inputs["ct"]
    with np.load(trained.folder / "deepsmote.npz", allow_pickle=False) as examples:
        real, case, others = examples["real"], bool(examples["case"]), set(examples) - {"real", "position", "case"}
        assert all(examples[name].shape == real.shape for name in others)
    crops = {
        (255 * crop[1]).round().astype(np.uint8).tobytes(): bool(good) for crop, good in zip(ct, status, strict=True)
    }

    assert others == {"reconstructed", "synthetic", "neighbour"}
    assert real.shape == (6, 112, 112)
    assert case == (status.mean() <= 0.5)
    assert {crops[crop.tobytes()] for crop in real} == {case}


@ONLY_THIS_MODEL
def test_risk_models_are_the_three_that_ship(trained: TrainedModel) -> None:
    """Two logistic models and one Cox model; a cut-off of every probability and of survival."""
    models = RiskModels.read(trained.folder / "risk_models.json")

    assert (set(models.logistic), set(models.models)) == ({"clinical", "dlcs"}, {"os"})
    assert set(models.cutoffs) == {"dl_prob", "clinical_prob", "dlcs_prob", "lp_os"}
    assert models.logistic["dlcs"].names[0] == models.models["os"].names[0] == "dl_logit"
