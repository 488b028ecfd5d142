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
from validation.check import MANIFEST_COLUMNS, check_cohort
from validation.fingerprints import fingerprint
from validation.gates.independence import COMPARISONS
from validation.independence import compare, compare_manifests
from validation.perceptual import BITS, NEAR_BITS

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # Great Expectations' own imports


def manifest(name: str, patients: int = 2) -> pd.DataFrame:
    """Return the manifest of a cohort with one image and one mask per patient; masks are alike everywhere."""
    rows = []
    for i in range(patients):
        key = f"{name}{i}"
        looks = np.random.default_rng(list(key.encode())).bytes(BITS // 8).hex()
        rows.append((key, "t2w_mask", "mask", "file-mask", "voxels-mask", None))
        rows.append((key, "t2w", "image", f"file-{key}", f"voxels-{key}", looks))
    return pd.DataFrame(rows, columns=list(MANIFEST_COLUMNS), dtype=object)


def test_disjoint_cohorts_are_independent() -> None:
    """Cohorts that share nothing but the shape of a mask are independent; what was compared is counted."""
    report = compare_manifests(manifest("a", 2), manifest("b", 3))

    assert report["success"]
    assert report["compared"] == {name: [2, 3] for name in COMPARISONS}
    assert report["shared"] == {name: [] for name in COMPARISONS}


def test_shared_patient_is_found() -> None:
    """A patient id in both cohorts is found although the images differ."""
    external = manifest("b")
    external.loc[:1, "patient_id"] = "a1"
    report = compare_manifests(manifest("a"), external)

    place = {"patient_id": "a1", "image": None}
    assert not report["success"]
    assert report["shared"]["patients"] == [{"development": place, "external": place}]
    assert json.loads(json.dumps(report)) == report


def test_nothing_compared_is_no_success() -> None:
    """Empty manifests, and manifests without readable voxels, prove nothing."""
    unreadable = manifest("b").assign(voxel_sha256=None)
    unhashed, renamed = manifest("b").assign(perceptual_hash=None), manifest("b").replace("t2w", "ct")

    assert not compare_manifests(manifest("a"), manifest("b", 0))["success"]
    assert not compare_manifests(manifest("a"), unreadable)["success"]
    for external in (unhashed, renamed):
        report = compare_manifests(manifest("a"), external)
        assert report["compared"]["near_duplicates"][1] == 0
        assert not report["success"]


@pytest.mark.parametrize(("changed", "found"), [(1, True), (NEAR_BITS, True), (NEAR_BITS + 1, False)])
def test_near_duplicate_is_found_up_to_the_limit(changed: int, found: bool) -> None:
    """Hashes of images of one name that differ in few bits are near-duplicates; one bit more and they are not."""
    development, external = manifest("a"), manifest("b")
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(development["perceptual_hash"][3]), np.uint8))
    bits[:changed] ^= 1
    external.loc[1, "perceptual_hash"] = np.packbits(bits).tobytes().hex()
    report = compare_manifests(development, external)

    pair = {"development": {"patient_id": "a1", "image": "t2w"}, "external": {"patient_id": "b0", "image": "t2w"}}
    assert report["shared"]["near_duplicates"] == ([{**pair, "bits": changed}] if found else [])
    assert report["success"] is not found


def test_image_is_listed_once() -> None:
    """The same file has the same voxels and the same hash; it is listed under files only."""
    development = manifest("a")
    for column, where in (("sha256", "image_files"), ("voxel_sha256", "voxel_contents")):
        external = manifest("b")
        columns = ["sha256", "voxel_sha256", "perceptual_hash"][0 if column == "sha256" else 1 :]
        external.loc[1, columns] = development.loc[3, columns]
        shared = compare_manifests(development, external)["shared"]

        assert {name: len(pairs) for name, pairs in shared.items() if pairs} == {where: 1}


def test_fingerprints_of_two_centres_tell_what_manifests_tell() -> None:
    """Without any id, the comparison finds the same pairs, named by their rows in the fingerprints."""
    development, external = manifest("a", 3), manifest("b", 4)
    external.loc[[4, 5], "patient_id"] = " A2"
    external.loc[7, "perceptual_hash"] = development.loc[1, "perceptual_hash"]
    named = compare_manifests(development, external)
    salted = compare(*(fingerprint(side, b"agreed upon by phone") for side in (development, external)))

    assert named["shared"]["patients"] == [
        {"development": {"patient_id": "a2", "image": None}, "external": {"patient_id": " A2", "image": None}}
    ]
    assert salted["shared"]["patients"] == [
        {"development": {"row": 2, "image": None}, "external": {"row": 2, "image": None}}
    ]
    assert salted["shared"]["near_duplicates"] == [
        {"development": {"row": 0, "image": "t2w"}, "external": {"row": 3, "image": "t2w"}, "bits": 0}
    ]
    assert named["compared"] == salted["compared"]


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
    shared = compare_manifests(check_cohort(development).manifest, check_cohort(external).manifest)["shared"]

    def pair(i: int) -> dict[str, dict[str, str]]:
        return {
            "development": {"patient_id": f"mri_a-000{i}", "image": "t2w"},
            "external": {"patient_id": f"mri_b-000{i}", "image": "t2w"},
        }

    found = {"patients": [], "image_files": [pair(0)], "voxel_contents": [pair(1), pair(2)], "near_duplicates": []}
    assert shared == found


def test_leaked_patient_with_changed_voxels_is_found(tmp_path: Path) -> None:
    """An image of which one voxel was changed, and one that was rescaled and stored as bytes, are found."""
    development, external = (write_cohort(tmp_path / name, 4, seed=i) for i, name in enumerate(("mri_a", "mri_b")))
    sources = [development / row["t2w_path"] for row in read_rows(development / "patients.csv")]
    images = [SimpleITK.ReadImage(str(source)) for source in sources[:2]]
    images[0].SetPixel(10, 10, 3, 5000)
    images[1] = SimpleITK.Cast(SimpleITK.RescaleIntensity(images[1], 1, 255), SimpleITK.sitkUInt8)
    for line, image in enumerate(images, start=2):
        SimpleITK.WriteImage(image, str(external / f"leak{line}.nii.gz"))
        replace_image(external, line, "t2w", external / f"leak{line}.nii.gz")
    shared = compare_manifests(check_cohort(development).manifest, check_cohort(external).manifest)["shared"]

    near = shared.pop("near_duplicates")
    assert [pair["development"]["patient_id"] for pair in near] == ["mri_a-0000", "mri_a-0001"]
    assert [pair["external"]["patient_id"] for pair in near] == ["mri_b-0000", "mri_b-0001"]
    assert max(pair["bits"] for pair in near) <= NEAR_BITS
    assert not any(shared.values())


def test_whole_patient_in_both_is_found_by_id_and_files(tmp_path: Path) -> None:
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
    report = compare_manifests(check_cohort(development).manifest, check_cohort(external).manifest)

    assert [len(report["shared"][key]) for key in COMPARISONS] == [1, 3, 0, 0]
    assert np.all([report["compared"][key] == [4, 4] for key in ("patients",)])
