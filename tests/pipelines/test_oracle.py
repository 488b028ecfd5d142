"""Model and oracle are compared on the same patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.layout import cohort_folder, oracle_table
from pipelines.oracle import against_oracle
from tests.cohorts import write_cohort
from validation.cohort import load_cohort, load_outcomes


def test_patients_without_prediction_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those the model could not process do not count for the oracle either."""
    monkeypatch.chdir(tmp_path)
    cohort = load_cohort(write_cohort(cohort_folder("made_up"), n=40))
    outcomes = load_outcomes(cohort)
    noise = np.random.default_rng(0).normal(size=len(outcomes))
    truth = pd.DataFrame({"patient_id": outcomes["patient_id"], "linear_predictor": noise})
    oracle_table("made_up").parent.mkdir(parents=True)
    truth.to_parquet(oracle_table("made_up"))
    failed = [{"patient_id": patient, "reason": "made up"} for patient in outcomes["patient_id"].head(3)]
    estimate = {"value": 0.7, "lower": 0.6, "upper": 0.8}
    evidence = {
        "endpoint": "dmfs",
        "patients": {"failed": failed},
        "estimates": [{"id": name, **estimate} for name in ("c_nomogram", "auc36_nomogram")],
    }
    monkeypatch.setattr("pipelines.oracle.read_evidence", lambda path: evidence)

    comparison = against_oracle("model", "made_up")

    assert comparison[0].oracle["n"] == 37
