"""DVC stage `evaluate`: predictions that cannot be trusted are refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.evaluate import read_predictions
from pipelines.layout import predictions_table
from validation.errors import InputError


@pytest.mark.parametrize("content", [b"", b"not parquet", b"PAR1 torn PAR1"])
def test_a_damaged_table_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """One line that says what to run, no traceback."""
    monkeypatch.chdir(tmp_path)
    path = predictions_table("model", "cohort")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"cannot be read.*Run dvc repro predict@model-cohort"):
        read_predictions("model", "cohort", "a", "b")


def test_predictions_of_another_model_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file says by itself which model made it."""
    monkeypatch.chdir(tmp_path)
    path = predictions_table("model", "cohort")
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"x": [1]}).replace_schema_metadata({"hallmark.artifact_digest": "other"}), path)

    with pytest.raises(InputError, match="artifact_digest other; expected a"):
        read_predictions("model", "cohort", "a", "b")
