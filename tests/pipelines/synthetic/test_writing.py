"""Tests of a synthetic cohort on disk."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipelines.synthetic.writing import write_cohort
from tests.cohorts import outcomes_of
from tests.pipelines.synthetic.conftest import definition_of
from validation.check import check_cohort
from validation.cohort import load_cohort
from validation.digests import file_sha256, folder_sha256


def _write(folder: Path, jobs: int = 1, seed: int = 7) -> tuple[Path, Path]:
    cohort, oracle = folder / "mri_external", folder / "oracle.parquet"
    write_cohort(definition_of("mri_external"), 0.15, seed, cohort, oracle, jobs=jobs)
    return cohort, oracle


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a cohort of ten patients and its oracle."""
    return _write(tmp_path_factory.mktemp("written"))


def test_it_passes_every_check_of_the_judge(written: tuple[Path, Path]) -> None:
    """Tables, images, masks, grids, units and digests are as the contract demands."""
    report = check_cohort(written[0]).to_dict()
    assert [check for check in report["checks"] if not check["success"]] == []
    assert report["n"] == 10
    assert report["synthetic"] is True


def test_it_is_labelled_synthetic(written: tuple[Path, Path]) -> None:
    """cohort.yaml says what made it, and from what seed."""
    meta = load_cohort(written[0]).meta
    assert meta.synthetic
    assert "seed 7" in meta.provenance


def test_the_oracle_is_apart_and_matches(written: tuple[Path, Path]) -> None:
    """The oracle has the patients of the cohort, risks that rise with the horizon, and is not in the folder."""
    cohort, oracle_path = written
    oracle = pd.read_parquet(oracle_path)
    outcomes = outcomes_of(load_cohort(cohort))
    assert oracle["patient_id"].tolist() == outcomes["patient_id"].tolist()
    assert (oracle["risk_12m"] < oracle["risk_36m"]).all()
    assert not list(cohort.rglob("*.parquet"))


def test_same_bytes_whatever_the_number_of_processes(written: tuple[Path, Path], tmp_path: Path) -> None:
    """Writing again with two processes gives the same files, byte for byte."""
    again, oracle = _write(tmp_path, jobs=2)
    assert folder_sha256(again) == folder_sha256(written[0])
    assert file_sha256(oracle) == file_sha256(written[1])


def test_another_seed_gives_another_cohort_in_its_place(tmp_path: Path) -> None:
    """A cohort that exists is replaced whole, and nothing temporary stays."""
    first = folder_sha256(_write(tmp_path, seed=7)[0])
    assert folder_sha256(_write(tmp_path, seed=8)[0]) != first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mri_external", "oracle.parquet"]


def test_worker_processes_that_stand_elsewhere_write_to_the_right_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative folder is relative to the caller, although reused workers started in another one."""
    _write(tmp_path / "first", jobs=2)
    (tmp_path / "second").mkdir()
    monkeypatch.chdir(tmp_path / "second")
    cohort, _ = _write(Path("data"), jobs=2)
    assert len(load_cohort(cohort).patients) == 10
    assert (tmp_path / "second" / cohort / "images").is_dir()
