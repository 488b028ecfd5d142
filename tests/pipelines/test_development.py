"""Out-of-fold scores become predictions of exactly the patients that the model was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from models import MODELS
from pipelines.development import out_of_fold_predictions, prediction_columns
from pipelines.layout import cohort_folder, training_folder
from tests.cohorts import write_cohort
from validation.cohort import Cohort, load_cohort
from validation.digests import file_sha256
from validation.errors import InputError

MODEL, COLUMNS = "mri_distant_metastasis", ["lp_nomogram", "dl_prob"]


@pytest.fixture
def cohort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cohort:
    """Six patients, the second of whom training left out; scores in another order."""
    monkeypatch.chdir(tmp_path)
    made = load_cohort(write_cohort(cohort_folder("made_up"), n=6, role="development"))
    ids = list(made.patients["patient_id"])
    write({"excluded": {ids[1]: "mask is empty"}}, made)
    scores = pd.DataFrame({"patient_id": ids, "missing_covariates": 0, "dl_prob": [0.1 * k for k in range(6)]})
    scores["lp_nomogram"] = -scores["dl_prob"]
    save(scores.drop(index=1).iloc[::-1])
    return made


def write(changes: dict[str, Any], cohort: Cohort) -> None:
    """What training says of its cohort."""
    digests = {f"{name}_sha256": file_sha256(cohort.folder / file) for name, file in cohort.meta.tables.items()}
    training_folder(MODEL).mkdir(parents=True, exist_ok=True)
    (training_folder(MODEL) / "development.json").write_text(json.dumps({"excluded": {}, **digests, **changes}))


def save(scores: pd.DataFrame) -> None:
    """What training keeps of its patients."""
    scores.to_parquet(training_folder(MODEL) / "scores.parquet", index=False)


def test_every_patient_once_in_the_order_of_the_cohort(cohort: Cohort) -> None:
    """Scores go to their own patients; who was left out failed, with the reason."""
    table = out_of_fold_predictions(MODEL, cohort, COLUMNS)

    assert list(table["patient_id"]) == list(cohort.patients["patient_id"])
    assert list(table["status"]) == ["ok", "failed", "ok", "ok", "ok", "ok"]
    assert table["reason"][1] == "mask is empty"
    assert table["dl_prob"].drop(index=1).tolist() == pytest.approx([0.0, 0.2, 0.3, 0.4, 0.5])
    assert table.loc[1, COLUMNS].isna().all()


@pytest.mark.parametrize("table", ["patients", "outcomes"])
def test_training_on_other_tables_is_refused(cohort: Cohort, table: str) -> None:
    """Scores of patients or outcomes that have changed since are of another cohort."""
    write({"excluded": {}, f"{table}_sha256": "0" * 64}, cohort)

    with pytest.raises(InputError, match=f"found another table of {table}; expected a training on made_up as it is"):
        out_of_fold_predictions(MODEL, cohort, COLUMNS)


def test_no_patient_is_lost(cohort: Cohort) -> None:
    """One who is neither scored nor left out, or both, is an error, not a patient without figures."""
    write({"excluded": {}}, cohort)
    found = (
        "found 5 patients scored and 0 left out, not the same: first made_up-0001; expected each of the 6 of made_up"
    )
    with pytest.raises(InputError, match=found):
        out_of_fold_predictions(MODEL, cohort, COLUMNS)
    write({"excluded": {str(cohort.patients["patient_id"][0]): "mask is empty"}}, cohort)
    with pytest.raises(InputError, match="5 patients scored and 1 left out"):
        out_of_fold_predictions(MODEL, cohort, COLUMNS)


def test_a_truncated_table_is_bad_input(cohort: Cohort) -> None:
    """One line that says what to run, no traceback."""
    path = training_folder(MODEL) / "scores.parquet"
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(InputError, match=r"scores\.parquet: found a file that cannot be read.*dvc repro train@"):
        out_of_fold_predictions(MODEL, cohort, COLUMNS)


def test_without_a_training(cohort: Cohort) -> None:
    """One clear error."""
    (training_folder(MODEL) / "scores.parquet").unlink()

    with pytest.raises(InputError, match="found no finished training; expected scores"):
        out_of_fold_predictions(MODEL, cohort, COLUMNS)


@pytest.mark.parametrize("architecture", list(MODELS))
def test_columns_of_the_contract_are_those_of_predictions(architecture: str) -> None:
    """The contract names outputs and labels as the model's specification does."""
    spec = MODELS[architecture]
    outputs = [{"name": output.name, "labels": output.labels} for output in spec.outputs]
    artefact: Any = SimpleNamespace(contract={"outputs": outputs})

    assert tuple(prediction_columns(artefact)) == spec.prediction_columns()
