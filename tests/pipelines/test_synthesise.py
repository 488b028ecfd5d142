"""Tests of the stage `synthesise`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.layout import cohort_folder, oracle_table
from pipelines.synthesise import synthesise
from pipelines.synthetic.cohorts import COHORTS
from tests.pipelines.repository import ROOT
from validation.cohort import load_cohort
from validation.errors import InputError


def test_it_writes_cohort_and_oracle_where_the_road_expects_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size comes from params.yaml; folder and oracle lie where layout.py says."""
    params = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(params.replace("profile: demo", "profile: smoke"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipelines.params.Params.synthetic_scale", lambda self, cohort: 0.1)
    synthesise("mri_external")
    assert len(load_cohort(cohort_folder("mri_external")).patients) == 6
    assert oracle_table("mri_external").is_file()


def test_an_unknown_cohort_is_refused() -> None:
    """The message names what there is."""
    with pytest.raises(InputError, match="one of: mri_development, mri_external, mri_shortcut"):
        synthesise("nowhere")


def test_names_and_id_prefixes_are_unique() -> None:
    """No two cohorts can be taken for each other."""
    assert len({d.name for d in COHORTS}) == len({d.id_prefix for d in COHORTS}) == len(COHORTS)
