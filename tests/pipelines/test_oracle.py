"""Model and oracle are compared by the protocol's own estimates, on the same patients."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models import MODELS
from pipelines.layout import cohort_folder, oracle_table, predictions_table
from pipelines.oracle import TRUTHS, against_oracle, oracle_text
from pipelines.sealing import seal_cohort
from tests.cohorts import write_cohort
from validation.cohort import load_cohort, load_outcomes
from validation.errors import InputError
from validation.protocol import load_protocol

ROOT = Path(__file__).parents[2]
MODEL, COHORT, FAILED = "mri_distant_metastasis", "made_up", 3
PROTOCOL = ROOT / "validation" / "protocols" / f"{MODEL}.yaml"


@pytest.fixture
def evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A cohort whose truth is the follow-up in tens of months, noise for a model, and evidence that says 0.8."""
    monkeypatch.chdir(tmp_path)
    folder = write_cohort(cohort_folder(COHORT), n=40)
    outcomes = load_outcomes(load_cohort(folder))
    seal_cohort(folder, None, demonstration=True)
    columns = MODELS[MODEL].prediction_columns()
    noise = np.random.default_rng(0).uniform(size=(len(outcomes), len(columns)))
    predictions = pd.DataFrame(noise, columns=list(columns))
    predictions.loc[: FAILED - 1] = np.nan
    predictions.insert(0, "patient_id", outcomes["patient_id"])
    status = np.where(np.arange(len(outcomes)) < FAILED, "failed", "ok")
    predictions = predictions.assign(status=status, missing_covariates=0)
    predictions["reason"] = np.where(status == "failed", "made up", None)
    early = -outcomes["dmfs_time_months"].round(-1)
    truth = pd.DataFrame({"patient_id": outcomes["patient_id"], "linear_predictor": early})
    for path, table in ((predictions_table(MODEL, COHORT), predictions), (oracle_table(COHORT), truth.iloc[::-1])):
        path.parent.mkdir(parents=True)
        table.to_parquet(path)
    contract = {
        "model": MODEL,
        "architecture": MODEL,
        "endpoint": "dmfs",
        "cutoffs": dict.fromkeys(("lp_dlrs", "lp_nomogram"), 0.5),
    }
    found = {"estimates": [{"id": name, "value": 0.8, "lower": 0.7, "upper": 0.9} for name in TRUTHS[MODEL]]}
    monkeypatch.setattr("pipelines.oracle.read_evidence", lambda path: found)
    monkeypatch.setattr("pipelines.oracle.read_artefact", lambda path: SimpleNamespace(contract=contract))
    monkeypatch.setattr("pipelines.oracle.protocol_file", lambda architecture: PROTOCOL)
    entry = SimpleNamespace(architecture=MODEL)
    monkeypatch.setattr("pipelines.oracle.load_params", lambda: SimpleNamespace(model=lambda name: entry))
    return found


def test_the_truth_takes_the_place_of_the_prediction(evidence: dict[str, Any]) -> None:
    """A truth that orders nearly all follow-up, by id whatever the order; failed patients count for neither side."""
    comparison = {row.quantity: row for row in against_oracle(MODEL, COHORT)}
    best = comparison["Harrell C"].oracle

    assert 0.9 < best["value"] < 1
    assert best["n"] == 40 - FAILED
    assert comparison["Harrell C"].share == pytest.approx(0.3 / (best["value"] - 0.5))
    assert COHORT in oracle_text(list(comparison.values()))


def test_what_the_cohort_cannot_define_is_left_out(evidence: dict[str, Any]) -> None:
    """An estimate of an endpoint that was never recorded has no oracle either."""
    evidence["estimates"][0]["value"] = None

    assert "Harrell C" not in {row.quantity for row in against_oracle(MODEL, COHORT)}


def test_without_an_oracle_there_is_one_clear_error(evidence: dict[str, Any]) -> None:
    """A real cohort has none."""
    oracle_table(COHORT).unlink()

    with pytest.raises(InputError, match=r"data/oracle/made_up\.parquet: found no such file"):
        against_oracle(MODEL, COHORT)


@pytest.mark.parametrize("architecture", list(MODELS))
def test_truths_are_of_estimates_that_the_protocol_declares(architecture: str) -> None:
    """Every model has an oracle, and no two truths replace the same prediction."""
    protocol = load_protocol(ROOT / "validation/protocols" / f"{architecture}.yaml")
    estimates = {estimate.id: estimate for estimate in protocol.analysis.estimates}
    predictions = [estimates[name].prediction for name in TRUTHS[architecture]]

    assert len(set(predictions)) == len(predictions) > 0
