"""DVC stage `export`: which patients parity is measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.mri_distant_metastasis import SPEC
from pipelines.export import parity_inputs
from tests.cohorts import set_cell, write_cohort
from validation.cohort import load_cohort

pytestmark = pytest.mark.usefixtures("varied_diffusion")


def test_parity_looks_at_the_first_patients_that_can_be_processed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patients that cannot be processed are made up for by later ones; the last has no covariates."""
    monkeypatch.setattr("pipelines.export.PARITY_PATIENTS", 3)
    folder = write_cohort(tmp_path / "cohort", n=6)
    for line in (2, 3):
        set_cell(folder / "patients.csv", line, "t2w_sha256", "0" * 64)

    inputs = parity_inputs(load_cohort(folder), SPEC)

    assert {len(array) for array in inputs.values()} == {3}
    assert np.isnan(inputs["covariates"]).all(axis=1).tolist() == [False, False, True]
