"""Tests of the CT cohorts on disk."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipelines.synthetic.cohorts import COHORTS
from pipelines.synthetic.writing import write_cohort
from tests.cohorts import outcomes_of
from tests.pipelines.synthetic.conftest import definition_of
from validation.check import check_cohort
from validation.cohort import load_cohort
from validation.digests import file_sha256, folder_sha256
from validation.schema import SCHEMAS, column_names, load_schema

N = 14


def _write(name: str, folder: Path, jobs: int = 1) -> tuple[Path, Path]:
    definition = definition_of(name)
    cohort, oracle = folder / name, folder / "oracle.parquet"
    write_cohort(definition, N / definition.published_n, 7, cohort, oracle, jobs=jobs)
    return cohort, oracle


@pytest.fixture(
    scope="module",
    params=["ct_stroma_development", "ct_stroma_external_3", "ct_chemo_development", "ct_chemo_external"],
)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a cohort of 14 patients and its oracle."""
    return _write(request.param, tmp_path_factory.mktemp("written"))


def test_it_passes_every_check_of_the_judge(written: tuple[Path, Path]) -> None:
    """Tables, images, masks, grids, units and digests are as the contract demands."""
    report = check_cohort(written[0]).to_dict()
    assert [check for check in report["checks"] if not check["success"]] == []
    assert report["n"] == N
    assert report["synthetic"] is True


def test_every_column_is_in_the_schema(written: tuple[Path, Path]) -> None:
    """Nothing that the generator writes is left out by the loader."""
    assert check_cohort(written[0]).extra_columns == {"patients": [], "outcomes": []}


def test_labels_are_outcomes(written: tuple[Path, Path]) -> None:
    """The binary labels are read as 0 and 1 with the outcomes; external 3 of the stroma cohorts has none."""
    outcomes = outcomes_of(load_cohort(written[0]))
    label = {"ct_stroma_development": "tsr_high", "ct_stroma_external_3": None}.get(written[0].name, "good_response")
    assert {"tsr_high", "good_response"} & set(outcomes) == ({label} if label else set())
    if label:
        assert set(outcomes[label]) == {0, 1}


def test_the_oracle_is_apart_and_matches(written: tuple[Path, Path]) -> None:
    """The oracle has the patients of the cohort and risks that rise with the horizon."""
    oracle = pd.read_parquet(written[1])
    assert oracle["patient_id"].tolist() == load_cohort(written[0]).patients["patient_id"].tolist()
    assert (oracle["risk_12m"] < oracle["risk_36m"]).all()


def test_files_are_small(written: tuple[Path, Path]) -> None:
    """A patient takes less than 300 kB."""
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in (written[0] / "images").iterdir()]
    assert max(sizes) < 300_000


@pytest.mark.parametrize("name", ["ct_stroma_external_2", "ct_chemo_internal"])
def test_same_bytes_whatever_the_number_of_processes(name: str, tmp_path: Path) -> None:
    """Writing with one process and with two gives the same files, byte for byte."""
    one, two = _write(name, tmp_path / "one"), _write(name, tmp_path / "two", jobs=2)
    assert folder_sha256(one[0]) == folder_sha256(two[0])
    assert file_sha256(one[1]) == file_sha256(two[1])


def test_the_provenance_names_the_paper() -> None:
    """Every disease says whose frequencies its cohorts have."""
    sources = {definition.disease.modality + definition.disease.source for definition in COHORTS}
    assert sources == {"MRLiu et al. 2021", "CTCui et al. 2024", "CTHu et al. 2023", "SMQi et al. 2023"}


def test_the_prognosis_schema_is_the_colorectal_one_without_tsr() -> None:
    """Tables and images are the same files; the outcomes lack exactly the label."""
    whole, prognosis = load_schema("colorectal_ct"), load_schema("colorectal_ct_prognosis")
    for file in ("patients.yaml", "images.yaml"):
        assert (SCHEMAS / whole.name / file).read_bytes() == (SCHEMAS / prognosis.name / file).read_bytes()
    assert tuple(n for n in column_names(whole.outcomes) if n != "tsr_high") == column_names(prognosis.outcomes)
