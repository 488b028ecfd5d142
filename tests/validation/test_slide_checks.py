"""What can be wrong with the slide of a patient and its annotations, alone and in a cohort."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.cohorts import cohort_meta, edit_rows, read_rows, replace_image, set_cell, write_rows
from tests.slides import damage_tile, tissue, truncate, write_slide
from tests.validation.test_annotations import box, feature, write
from validation.check import CohortReport, check_cohort
from validation.cohort import load_cohort
from validation.digests import file_sha256
from validation.image_checks import ImageCheck, PatientImages, check_patient, demanded
from validation.independence import compare_manifests
from validation.schema import SCHEMAS, AnnotationSchema, CohortSchema, SlideSchema, load_schema

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # Great Expectations' own imports
ROWS, COLUMNS = 1000, 950  # 4 x 4 tiles and a rest
TABLES = {
    "patients": {
        "columns": {
            "patient_id": {"type": "text", "unique": True, "meaning": "pseudonym"},
            "centre": {"type": "text", "meaning": "hospital"},
            "mpp_given": {
                "type": "number",
                "unit": "um/px",
                "above": 0,
                "missing_share_max": 1,
                "meaning": "resolution of a slide whose file does not say it",
            },
        },
        "expectations": [],
    },
    "outcomes": {
        "columns": {
            "patient_id": {"type": "text", "unique": True, "meaning": "pseudonym"},
            "os_event": {"type": "integer", "categories": [0, 1], "meaning": "1 death"},
            "os_time_months": {"type": "number", "unit": "months", "above": 0, "meaning": "time to it"},
        },
        "expectations": [],
    },
}


@pytest.fixture
def schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CohortSchema:
    """The images of liver_histology, with the fewest columns beside them."""
    folder = tmp_path / "schemas" / "slides_test"
    folder.mkdir(parents=True)
    shutil.copy(SCHEMAS / "liver_histology" / "images.yaml", folder)
    for name, table in TABLES.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(table))
    monkeypatch.setattr("validation.schema.SCHEMAS", tmp_path / "schemas")
    load_schema.cache_clear()
    return load_schema("slides_test")


def deliver(folder: Path, patient: str, seed: int, annotated: bool = False, **options: Any) -> dict[str, str]:
    """Write the slide of a patient, and annotations; return the path and digest columns."""
    path = write_slide(folder / f"images/{patient}/slide.tiff", tissue(ROWS, COLUMNS, seed), **{"levels": 2, **options})
    cells = {"mpp_given": "", "annotations_path": "", "annotations_sha256": "", **named(folder, "slide", path)}
    if not annotated:
        return cells
    drawn = write(folder / f"images/{patient}/annotations.geojson", feature("TUM", box(1, 1, 3, 3)))
    return cells | named(folder, "annotations", drawn)


def named(folder: Path, image: str, path: Path) -> dict[str, str]:
    """Return the two columns of an image."""
    return {f"{image}_path": path.relative_to(folder).as_posix(), f"{image}_sha256": file_sha256(path)}


def write_cohort(folder: Path, annotated: int = 2, n: int = 5, seed: int = 0) -> Path:
    """Write a cohort whose first patients have annotations; those of one half say no resolution in the file."""
    patients, outcomes = [], []
    for i in range(n):
        row = {"patient_id": f"{folder.name}-{i}", "centre": "A"}
        silent: dict[str, Any] = {"mpp": None} if i % 2 else {}
        row |= deliver(folder, row["patient_id"], seed + i, annotated=i < annotated, **silent)
        patients.append(row | ({"mpp_given": "0.5"} if silent else {}))
        outcomes.append({"patient_id": row["patient_id"], "os_event": str(i % 2), "os_time_months": "30"})
    write_rows(folder / "patients.csv", patients)
    write_rows(folder / "outcomes.csv", outcomes)
    meta = cohort_meta(folder.name)
    meta |= {"schema": "slides_test", "modality": "SM", "centres": ["A"], "endpoints": {"os": meta["endpoints"]["os"]}}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(meta))
    return folder


def failures(result: PatientImages) -> list[ImageCheck]:
    """Return the failed checks of a patient."""
    return [check for check in result.checks if check.found]


def failed(report: CohortReport) -> set[str]:
    """Return the ids of the failed checks of a cohort."""
    return {check.id for check in report.checks if not check.success}


def test_shipped_schema_describes_slides_and_annotations(schema: CohortSchema) -> None:
    """The slide is required, its annotations are not; both bring their columns."""
    slide, annotations = schema.images

    assert isinstance(slide, SlideSchema)
    assert isinstance(annotations, AnnotationSchema)
    assert (schema.modality, slide.mpp_column, annotations.slide) == ("SM", "mpp_given", "slide")
    assert (slide.required, annotations.required) == (True, False)
    columns = {column.name: column.missing_share_max for column in schema.patients.columns}
    assert {name: columns[name] for name in ("slide_path", "slide_sha256")} == {"slide_path": 0, "slide_sha256": 0}
    assert columns["annotations_path"] == columns["annotations_sha256"] == 1


def test_sound_slide_passes_all_that_is_demanded(tmp_path: Path, schema: CohortSchema) -> None:
    """Every demanded check is made once and passes; figures and digests are returned."""
    cells = deliver(tmp_path, "P1", 1, annotated=True)
    result = check_patient(tmp_path, schema, cells)

    assert failures(result) == []
    assert sorted((check.image, check.kind) for check in result.checks) == sorted(demanded(schema, [cells]))
    slide, annotations = result.files
    assert slide.sha256 == cells["slide_sha256"]
    assert slide.observed["mpp"] == (0.5, 0.5)
    assert slide.observed["size_px_row"] == (ROWS, ROWS)
    assert 0.3 < slide.observed["tissue_share"][0] < 0.6
    assert annotations.voxel_sha256 is None
    assert annotations.observed == {"areas": (1, 1), "tiles": (4, 4)}


def test_patient_without_annotations_is_sound(tmp_path: Path, schema: CohortSchema) -> None:
    """An image that not everybody must have may be absent; nothing is demanded of it then."""
    cells = deliver(tmp_path, "P1", 1)
    result = check_patient(tmp_path, schema, cells)

    assert failures(result) == []
    assert {check.image for check in result.checks} == {"slide"}
    assert [file.image for file in result.files] == ["slide"]
    assert {image for image, _ in demanded(schema, [cells])} == {"slide"}
    assert {image for image, _ in demanded(schema, [cells, {"annotations_path": "a"}])} == {"slide", "annotations"}


def test_digest_without_a_path_is_found(tmp_path: Path, schema: CohortSchema) -> None:
    """Annotations whose path was lost are not taken for none."""
    cells = deliver(tmp_path, "P1", 1) | {"annotations_sha256": "a" * 64}
    (failed,) = failures(check_patient(tmp_path, schema, cells))

    assert (failed.image, failed.kind, failed.found) == ("annotations", "file", "a digest without a path")
    assert ("annotations", "file") in demanded(schema, [cells])


WHITE_GLASS = np.full((ROWS, COLUMNS, 3), 243, np.uint8)


@pytest.mark.parametrize(
    ("picture", "options", "kind", "found"),
    [
        (WHITE_GLASS, {}, "tissue", "0.00% is tissue"),
        (WHITE_GLASS // 4, {}, "tissue", "100.00% is tissue"),
        (tissue(1000, 500), {}, "size", "4 x 2 tiles"),
        (tissue(1000, 950), {"mpp": None}, "readable", "no resolution"),
        (tissue(1000, 950), {"mpp": 0.7}, "readable", "0.7 um/px: too coarse for 20x tiles"),
        (tissue(1000, 950), {"mpp": (0.5, 0.55)}, "readable", "0.5 x 0.55 um/px"),
    ],
)
def test_unsound_slide_is_found(
    tmp_path: Path, schema: CohortSchema, picture: Any, options: dict[str, Any], kind: str, found: str
) -> None:
    """Empty glass, a black picture, a snippet, and resolutions that are missing or unfit each fail their own check."""
    path = write_slide(tmp_path / "slide.tiff", picture, **options)
    (failed,) = failures(check_patient(tmp_path, schema, named(tmp_path, "slide", path)))

    assert (failed.image, failed.kind) == ("slide", kind)
    assert str(failed.found).startswith(f"slide.tiff: {found}")


def test_resolution_given_in_the_table_is_used(tmp_path: Path, schema: CohortSchema) -> None:
    """The table supplies a resolution that the file lacks, and may not contradict one that it has."""
    silent = deliver(tmp_path, "P1", 1, mpp=None)
    stated = deliver(tmp_path, "P2", 1)

    assert failures(check_patient(tmp_path, schema, silent | {"mpp_given": "0.5"})) == []
    assert failures(check_patient(tmp_path, schema, stated | {"mpp_given": "0.5"})) == []
    (contradicted,) = failures(check_patient(tmp_path, schema, stated | {"mpp_given": "0.25"}))
    assert "0.5 um/px in the file and 0.25 given" in str(contradicted.found)
    (unreadable,) = failures(check_patient(tmp_path, schema, silent | {"mpp_given": "0,5"}))
    assert "no resolution" in str(unreadable.found)


def test_slide_outside_the_range_of_the_schema_is_found(tmp_path: Path, schema: CohortSchema) -> None:
    """A kind of cohort may admit fewer resolutions than can be read."""
    slide = schema.images[0]
    narrow = SlideSchema(**{**vars(slide), "mpp": (0.2, 0.3)})
    cells = deliver(tmp_path, "P1", 1)
    (failed,) = failures(check_patient(tmp_path, CohortSchema(**{**vars(schema), "images": (narrow,)}), cells))

    assert (failed.kind, failed.expected, failed.found) == (
        "resolution",
        "0.2 to 0.3 um/px",
        "images/P1/slide.tiff: 0.5 um/px",
    )


def test_damaged_slide_is_found_without_paths_of_this_machine(tmp_path: Path, schema: CohortSchema) -> None:
    """Truncation and a damaged tile fail by digest and by reading; the message names the file in the cohort only."""
    for damage in (lambda path: truncate(path, 0.99), lambda path: damage_tile(path, 27)):
        cells = deliver(tmp_path, "P1", 1, annotated=True)
        damage(tmp_path / cells["slide_path"])
        bad = failures(check_patient(tmp_path, schema, cells))

        assert [(check.image, check.kind) for check in bad] == [("slide", "sha256"), ("slide", "readable")]
        assert not any(str(tmp_path) in str(check.found) for check in bad)


def test_folder_and_missing_slide_are_found(tmp_path: Path, schema: CohortSchema) -> None:
    """A folder has a digest and is no slide; a path to nothing is not opened."""
    cells = deliver(tmp_path, "P1", 1)
    folder = failures(check_patient(tmp_path, schema, cells | {"slide_path": "images"}))
    missing = failures(check_patient(tmp_path, schema, cells | {"slide_path": "none.svs"}))

    assert [check.kind for check in folder] == ["sha256", "readable"]
    assert [check.kind for check in missing] == ["file"]


@pytest.mark.parametrize(
    ("drawn", "kind", "found"),
    [
        (feature("TUMOUR", box(1, 1, 3, 3)), "readable", "a.geojson feature 1: the class 'TUMOUR'"),
        (feature("TUM", box(1, 1, 3, 3)[:-1]), "readable", "a.geojson feature 1: a ring that is not closed"),
        (None, "readable", "a.geojson: no feature"),
        (feature("TUM", box(1, 1, 3, 30)), "inside", "a.geojson: feature 1 reaching over x 224 to 672 and y 224 to"),
    ],
)
def test_unsound_annotations_are_found(tmp_path: Path, schema: CohortSchema, drawn: Any, kind: str, found: str) -> None:
    """Unknown classes, open rings and nothing fail reading; areas outside the slide fail by their place."""
    path = write(tmp_path / "a.geojson", *([drawn] if drawn else []))
    cells = deliver(tmp_path, "P1", 1) | named(tmp_path, "annotations", path)
    (failed,) = failures(check_patient(tmp_path, schema, cells))

    assert (failed.image, failed.kind) == ("annotations", kind)
    assert str(failed.found).startswith(found)


def test_annotations_of_an_unreadable_slide_are_still_read(tmp_path: Path, schema: CohortSchema) -> None:
    """Without the size of the slide only what can be held against it is left out."""
    cells = deliver(tmp_path, "P1", 1, annotated=True, mpp=None)
    result = check_patient(tmp_path, schema, cells)

    assert [(check.image, check.kind) for check in failures(result)] == [("slide", "readable")]
    assert ("annotations", "readable") in {(check.image, check.kind) for check in result.checks}
    assert ("annotations", "inside") not in {(check.image, check.kind) for check in result.checks}


@pytest.mark.parametrize("annotated", [2, 0])
def test_sound_cohort_passes(tmp_path: Path, schema: CohortSchema, annotated: int) -> None:
    """A cohort of slides passes and loads, also where nobody has annotations: nothing is demanded of them then."""
    folder = write_cohort(tmp_path / "slides_a", annotated)
    report = check_cohort(folder)
    document = report.to_dict()

    assert failed(report) == set()
    ids = {check["id"] for check in document["checks"]}
    assert ("images.annotations.inside" in ids) == bool(annotated)
    assert "patients.annotations_path.missing" in ids
    assert report.manifest.groupby("image")["kind"].first().to_dict() == {"slide": "slide", "annotations": "annotation"}
    assert report.manifest["sha256"].isna().sum() == 5 - annotated
    assert document["images"]["slide"]["mpp"] == [0.5, 0.5]
    assert str(tmp_path) not in json.dumps(document, allow_nan=False)
    assert load_cohort(folder).patients["annotations_path"].notna().sum() == annotated


def test_optional_columns_still_follow_their_rules(tmp_path: Path, schema: CohortSchema) -> None:
    """A digest of annotations that is no digest, and a resolution below zero, are found where there are some."""
    folder = write_cohort(tmp_path / "slides_a")
    set_cell(folder / "patients.csv", 2, "annotations_sha256", "none")
    set_cell(folder / "patients.csv", 3, "mpp_given", "-0.5")

    assert failed(check_cohort(folder)) == {
        "patients.annotations_sha256.pattern",
        "patients.mpp_given.range",
        "images.annotations.sha256",
        "images.slide.readable",
    }


def test_annotations_nobody_could_deliver_fail(tmp_path: Path, schema: CohortSchema) -> None:
    """Where annotations are named but none is there, what is demanded of them was made on nobody and fails."""
    folder = write_cohort(tmp_path / "slides_a", 1)
    (folder / read_rows(folder / "patients.csv")[0]["annotations_path"]).unlink()

    assert failed(check_cohort(folder)) == {
        f"images.annotations.{kind}" for kind in ("file", "sha256", "readable", "inside")
    }


def test_same_scan_twice_is_found(tmp_path: Path, schema: CohortSchema) -> None:
    """A scan under another name, with another resolution in its tags and another pyramid, is the same scan."""
    folder = write_cohort(tmp_path / "slides_a")
    again = write_slide(folder / "images/again.tiff", tissue(ROWS, COLUMNS, 2), 0.5, levels=1, software="S")
    replace_image(folder, 6, "slide", again)
    report = check_cohort(folder)
    (unique,) = [check for check in report.checks if check.id == "images.unique"]

    assert failed(report) == {"images.unique"}
    assert unique.findings[0].found == "the pixels of slide of slides_a-2 (row 4)"


def test_scan_in_two_cohorts_is_found(tmp_path: Path, schema: CohortSchema) -> None:
    """Independence compares slides by file and by pixels; annotations are left out."""
    a, b = write_cohort(tmp_path / "slides_a"), write_cohort(tmp_path / "slides_b", seed=50)
    apart = compare_manifests(check_cohort(a).manifest, check_cohort(b).manifest)
    shutil.copy(a / "images/slides_a-2/slide.tiff", b / "images/slides_b-4/slide.tiff")
    replace_image(b, 6, "slide", b / "images/slides_b-4/slide.tiff")
    again = write_slide(b / "images/again.tiff", tissue(ROWS, COLUMNS, 3), 0.4, tile_px=256)
    replace_image(b, 4, "slide", again)
    shared = compare_manifests(check_cohort(a).manifest, check_cohort(b).manifest)["shared"]

    assert apart["success"]
    assert apart["compared"]["voxel_contents"] == [5, 5]
    assert [pair["external"]["patient_id"] for pair in shared["image_files"]] == ["slides_b-4"]
    assert [pair["development"]["patient_id"] for pair in shared["voxel_contents"]] == ["slides_a-3"]


def test_empty_table_of_slides_fails(tmp_path: Path, schema: CohortSchema) -> None:
    """A cohort without patients passes no check of a slide, nor of the share of filled cells."""
    folder = write_cohort(tmp_path / "slides_a")
    header = (folder / "patients.csv").read_text().splitlines()[0]
    (folder / "patients.csv").write_text(header + "\n")
    found = failed(check_cohort(folder))

    assert {"images.slide.readable", "images.unique", "patients.annotations_path.missing"} <= found


def test_annotations_without_digest_are_found(tmp_path: Path, schema: CohortSchema) -> None:
    """The digest may be empty where there are no annotations only."""
    folder = write_cohort(tmp_path / "slides_a")
    edit_rows(folder / "patients.csv", lambda rows: rows[0].update(annotations_sha256=""))

    assert failed(check_cohort(folder)) == {"images.annotations.sha256"}
