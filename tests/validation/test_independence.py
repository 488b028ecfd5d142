"""No patient and no image may be in two cohorts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK

from tests.cohorts import edit_rows, read_rows, replace_image, write_cohort
from validation.check import check_cohort
from validation.independence import compare

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # Great Expectations' own imports


def manifest(name: str, patients: int = 2) -> pd.DataFrame:
    """Return the manifest of a cohort with one image and one mask per patient; masks are alike everywhere."""
    rows = []
    for i in range(patients):
        key = f"{name}{i}"
        rows.append((key, "t2w", "image", f"file-{key}", f"voxels-{key}"))
        rows.append((key, "t2w_mask", "mask", "file-mask", "voxels-mask"))
    return pd.DataFrame(rows, columns=["patient_id", "image", "kind", "sha256", "voxel_sha256"])


def test_disjoint_cohorts_are_independent() -> None:
    """Cohorts that share nothing but the shape of a mask are independent; what was compared is counted."""
    report = compare(manifest("a", 2), manifest("b", 3))

    assert report["success"]
    assert report["compared"] == {"patients": [2, 3], "image_files": [2, 3], "voxel_contents": [2, 3]}
    assert report["shared"] == {"patients": [], "image_files": [], "voxel_contents": []}


def test_shared_patient_is_found() -> None:
    """A patient id in both cohorts is found although the images differ."""
    external = manifest("b")
    external.loc[:1, "patient_id"] = "a1"
    report = compare(manifest("a"), external)

    place = {"patient_id": "a1", "image": None}
    assert not report["success"]
    assert report["shared"]["patients"] == [{"development": place, "external": place}]
    assert json.loads(json.dumps(report)) == report


def test_nothing_compared_is_no_success() -> None:
    """Empty manifests, and manifests without readable voxels, prove nothing."""
    unreadable = manifest("b").assign(voxel_sha256=None)

    assert not compare(manifest("a"), manifest("b", 0))["success"]
    assert not compare(manifest("a"), unreadable)["success"]


def test_leaked_patient_under_another_name_is_found(tmp_path: Path) -> None:
    """Images that were copied, recompressed, renamed or stored as another type and orientation are found."""
    development, external = (write_cohort(tmp_path / name, 4, seed=i) for i, name in enumerate(("mri_a", "mri_b")))
    sources = [development / row["t2w_path"] for row in read_rows(development / "patients.csv")]
    copies = [external / f"leak{i}.nii.gz" for i in range(3)]
    copies[0].write_bytes(sources[0].read_bytes())
    copies[1].write_bytes(gzip.compress(gzip.decompress(sources[1].read_bytes()), 1))
    turned = SimpleITK.DICOMOrient(SimpleITK.Cast(SimpleITK.ReadImage(str(sources[2])), SimpleITK.sitkFloat32), "RAI")
    SimpleITK.WriteImage(turned, str(copies[2]))
    for line, copy in enumerate(copies, start=2):
        replace_image(external, line, "t2w", copy)
    shared = compare(check_cohort(development).manifest, check_cohort(external).manifest)["shared"]

    def pair(i: int) -> dict[str, dict[str, str]]:
        return {
            "development": {"patient_id": f"mri_a-000{i}", "image": "t2w"},
            "external": {"patient_id": f"mri_b-000{i}", "image": "t2w"},
        }

    assert shared == {"patients": [], "image_files": [pair(0)], "voxel_contents": [pair(1), pair(2)]}


def test_whole_patient_in_both_is_found_by_all_three(tmp_path: Path) -> None:
    """A patient delivered twice is found by id and by each image file."""
    development = write_cohort(tmp_path / "mri_a", 4)
    external = write_cohort(tmp_path / "mri_b", 4, seed=1)
    leaked = read_rows(development / "patients.csv")[0]
    edit_rows(external / "patients.csv", lambda rows: [leaked, *rows[1:]])
    edit_rows(external / "outcomes.csv", lambda rows: [{**rows[0], "patient_id": leaked["patient_id"]}, *rows[1:]])
    source = development / "images" / leaked["patient_id"]
    (external / "images" / leaked["patient_id"]).mkdir()
    for file in source.iterdir():
        (external / "images" / leaked["patient_id"] / file.name).write_bytes(file.read_bytes())
    report = compare(check_cohort(development).manifest, check_cohort(external).manifest)

    assert [len(report["shared"][key]) for key in ("patients", "image_files", "voxel_contents")] == [1, 3, 0]
    assert np.all([report["compared"][key] == [4, 4] for key in ("patients",)])
