"""Everything that must be true of a cohort before anything is computed from it, checked at once.

    report = check_cohort(Path("data/cohorts/mri_external"))
    report.success, report.to_dict(), report.manifest

All findings are collected; only what makes a table unreadable as a whole is raised.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from validation.cells import PATIENT, TypedTable
from validation.cohort import META, CohortMeta, outcome_columns, read_meta, read_outcomes, read_patients
from validation.digests import file_sha256
from validation.findings import Check, Finding, as_error
from validation.image_checks import ImageFile, PatientImages, check_patient, demanded
from validation.outcome_checks import check_outcomes, check_reading
from validation.perceptual import BITS, near_pairs
from validation.schema import CohortSchema, load_schema
from validation.sealing.seal import Sealed, read_sealed
from validation.tables import check_table

Progress = Callable[[int, int], None]
MANIFEST_COLUMNS = ("patient_id", "image", "kind", "sha256", "voxel_sha256", "perceptual_hash")
FEWEST_FOR_PROCESSES = 32
_WHAT = {
    "file": "is there, inside the cohort folder",
    "sha256": "has the sha256 of the table",
    "readable": "can be read with certainty",
    "spacing": "has voxel spacing in range (mm)",
    "shape": "has a number of voxels in range",
    "intensity": "has intensities in range and is not constant",
    "voxels": "is not empty",
    "grid": "lies on the grid of the image it belongs to",
    "diffusion": "gives a physiological ADC inside the mask",
    "resolution": "has a resolution in range (um/px)",
    "size": "has a size in range (tiles)",
    "tissue": "shows tissue and background",
    "inside": "lies inside its slide",
}


@dataclass(frozen=True, eq=False)
class CohortReport:
    """What was found out about a cohort.

    Attributes:
        meta: Content of `cohort.yaml`.
        n: Rows of the patients table.
        checks: Every check, in a fixed order.
        extra_columns: Columns per table that the schema does not know; they are allowed and left out.
        digests: sha256 of `patients`, `outcomes` and `cohort_yaml`.
        observed: Smallest and largest figure seen, by image and figure.
        manifest: One row per patient and image of the schema: patient_id, image, kind (image, mask, slide or
            annotation), sha256, voxel_sha256, perceptual_hash; None where the file is not there or cannot be read. For
            a slide voxel_sha256 is of its pixels; annotations have none. Only images and slides have perceptual_hash,
            and not where it would say nothing (`validation.perceptual`).
    """

    meta: CohortMeta
    n: int
    checks: tuple[Check, ...]
    extra_columns: dict[str, list[str]]
    digests: dict[str, str]
    observed: dict[str, dict[str, list[float]]]
    manifest: pd.DataFrame

    @property
    def success(self) -> bool:
        """Whether every check succeeded."""
        return bool(self.checks) and all(check.success for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; no path outside the cohort folder, no clock time."""
        return {
            "cohort": self.meta.name,
            "role": self.meta.role,
            "synthetic": self.meta.synthetic,
            "n": self.n,
            "success": self.success,
            "checks": [check.to_dict() for check in self.checks],
            "extra_columns": self.extra_columns,
            "digests": self.digests,
            "images": self.observed,
        }


def check_cohort(folder: Path, progress: Progress | None = None) -> CohortReport:
    """Check a cohort: tables, ids, outcomes, and every image of every patient.

    Args:
        folder: Cohort folder.
        progress: Called with (patients done, patients) after each patient.

    Returns:
        The report, with every finding.

    Raises:
        InputError: `cohort.yaml` is wrong, or a table cannot be read or has no patient ids.
    """
    meta = read_meta(folder)
    schema = load_schema(meta.schema)
    patients = read_patients(folder, meta)
    table = read_sealed(folder / meta.tables["outcomes"]) if meta.sealed else read_outcomes(folder, meta)
    _require_ids(meta, patients, table)
    stream = _check_images(folder, schema, patients)
    if isinstance(table, Sealed):
        outcomes = _sealed_outcomes(meta, patients, table)
    else:
        outcomes = _Outcomes(check_outcomes(table, schema, _ids(patients)), table.extra, table.text.sha256)
    checks = [*_check_patients(meta, schema, patients), *outcomes.checks]
    images = []
    for done, result in enumerate(stream, start=1):
        images.append(result)
        if progress:
            progress(done, len(patients.text.rows))
    digests = {
        "patients": patients.text.sha256,
        "outcomes": outcomes.sha256,
        "cohort_yaml": file_sha256(folder / META),
    }
    return CohortReport(
        meta=meta,
        n=len(patients.text.rows),
        checks=(*checks, *_all_image_checks(schema, patients, images)),
        extra_columns={"patients": list(patients.extra), "outcomes": list(outcomes.extra_columns)},
        digests=digests,
        observed=_observed([file for result in images for file in result.files]),
        manifest=_manifest(schema, patients, images),
    )


def check_images(folder: Path, progress: Progress | None = None) -> tuple[tuple[Check, ...], pd.DataFrame]:
    """Check the images of a cohort alone; outcomes are not read, and of the patients table only ids, paths and digests.

    Args:
        folder: Cohort folder.
        progress: Called with (patients done, patients) after each patient.

    Returns:
        The checks, and the manifest as in `CohortReport`.

    Raises:
        InputError: `cohort.yaml` is wrong, or the patients table cannot be read or lacks a column.
    """
    meta = read_meta(folder)
    schema, patients = load_schema(meta.schema), read_patients(folder, meta)
    if patients.missing:
        raise as_error(list(patients.missing), meta.name)
    images = []
    for done, result in enumerate(_check_images(folder, schema, patients), start=1):
        images.append(result)
        if progress:
            progress(done, len(patients.text.rows))
    return _all_image_checks(schema, patients, images), _manifest(schema, patients, images)


def _check_images(folder: Path, schema: CohortSchema, patients: TypedTable) -> Iterator[PatientImages]:
    """Start checking the images of all patients; yield results in table order."""
    from joblib import Parallel, delayed

    records = patients.text.records
    jobs = min(os.cpu_count() or 1, 8) if len(records) >= FEWEST_FOR_PROCESSES else 1
    results: Iterator[PatientImages] = Parallel(n_jobs=jobs, return_as="generator", batch_size=4)(
        delayed(check_patient)(folder, schema, record) for record in records
    )
    return results


@dataclass(frozen=True)
class _Outcomes:
    """What is known of an outcomes table."""

    checks: list[Check]
    extra_columns: tuple[str, ...]
    sha256: str


def _sealed_outcomes(meta: CohortMeta, patients: TypedTable, sealed: Sealed) -> _Outcomes:
    """Report the suite that sealed outcomes passed, and whether the seal is about these patients; opens nothing."""
    header, file = sealed.header, meta.tables["outcomes"]
    stated = {"cohort": header.cohort, "patients table": header.patients_sha256, "n": header.n}
    at_hand = {"cohort": meta.name, "patients table": patients.text.sha256, "n": len(patients.text.rows)}
    remedy = "Seal the outcomes again, with the patients table at hand."
    findings = [
        Finding(file, None, None, None, f"{what} {stated[what]}", f"{value}, as at hand", remedy)
        for what, value in at_hand.items()
        if stated[what] != value
    ]
    seal = Check("outcomes.seal", "sealed outcomes of exactly these patients", header.n, tuple(findings))
    passed = [Check(check["id"], check["what"], check["evaluated"], ()) for check in header.checks]
    return _Outcomes([seal, *passed], header.extra_columns, sealed.sha256)


def _ids(patients: TypedTable) -> tuple[str, ...]:
    return tuple(record[PATIENT] for record in patients.text.records)


def _require_ids(meta: CohortMeta, *tables: TypedTable | Sealed) -> None:
    """Refuse tables without ids; sealed ones had them."""
    for table in tables:
        missing = () if isinstance(table, Sealed) else table.missing
        if nameless := [finding for finding in missing if finding.column == PATIENT]:
            raise as_error(nameless, meta.name)


def _check_patients(meta: CohortMeta, schema: CohortSchema, patients: TypedTable) -> list[Check]:
    misplaced = outcome_columns(patients, schema)
    return [
        *check_reading(patients, schema.patients),
        Check("patients.no_outcomes", "no outcome in the patients table", len(patients.text.header), tuple(misplaced)),
        *check_table(patients, schema.patients, {"centres": list(meta.centres)}),
    ]


def _all_image_checks(schema: CohortSchema, patients: TypedTable, images: list[PatientImages]) -> tuple[Check, ...]:
    """Return the checks of each image and those of all images of the cohort together."""
    together = (_unique_images(schema, patients, images), _near_unique_images(patients, images))
    return (*_image_checks(schema, patients, images), *together)


def _image_checks(schema: CohortSchema, patients: TypedTable, images: list[PatientImages]) -> list[Check]:
    """Collect the checks of all patients by image and kind."""
    made: dict[tuple[str, str], int] = dict.fromkeys(demanded(schema, patients.text.records), 0)
    findings: dict[tuple[str, str], list[Finding]] = {key: [] for key in made}
    for row, record, result in zip(patients.text.rows, patients.text.records, images, strict=True):
        for check in result.checks:
            made[check.image, check.kind] += 1
            if check.found:
                place = (patients.text.file, row, record[PATIENT] or None, f"{check.image}_path")
                findings[check.image, check.kind].append(Finding(*place, check.found, check.expected))
    return [
        Check(f"images.{image}.{kind}", f"{image} {_WHAT[kind]}", count, tuple(findings[image, kind]))
        for (image, kind), count in made.items()
    ]


def _unique_images(schema: CohortSchema, patients: TypedTable, images: list[PatientImages]) -> Check:
    """Check that no two images of the cohort have the same voxels; masks may."""
    kinds = {image.name: image.kind for image in schema.images}
    first: dict[str, str] = {}
    compared, findings = 0, []
    for row, record, result in zip(patients.text.rows, patients.text.records, images, strict=True):
        for file in result.files:
            if file.voxel_sha256 is None or kinds[file.image] == "mask":
                continue
            compared += 1
            owner = first.setdefault(file.voxel_sha256, here := f"{file.image} of {record[PATIENT]} (row {row})")
            if owner != here:
                place = (patients.text.file, row, record[PATIENT] or None, f"{file.image}_path")
                what = "pixels" if kinds[file.image] == "slide" else "voxels"
                findings.append(Finding(*place, f"the {what} of {owner}", "an image that no other cell names"))
    return Check("images.unique", "no two images have the same voxels", compared, tuple(findings))


def _near_unique_images(patients: TypedTable, images: list[PatientImages]) -> Check:
    """Check that no two images of one name are near-duplicates; those with the same voxels are named elsewhere."""
    rows = zip(patients.text.rows, patients.text.records, images, strict=True)
    hashed: dict[str, list[tuple[int, str, str | None, str]]] = {}
    for row, record, result in rows:
        for file in result.files:
            if file.perceptual_hash is not None:
                seen = (row, record[PATIENT], file.voxel_sha256, file.perceptual_hash)
                hashed.setdefault(file.image, []).append(seen)
    findings: dict[tuple[int, str], Finding] = {}
    for image, seen_all in hashed.items():
        hashes = [perceptual for *_, perceptual in seen_all]
        for i, j, bits in near_pairs(hashes, hashes):
            (row, patient, voxels, _), (other_row, other, other_voxels, _) = seen_all[i], seen_all[j]
            if i > j and voxels != other_voxels:
                place = (patients.text.file, row, patient or None, f"{image}_path")
                found = f"nearly the {image} of {other} (row {other_row}): {bits} of {BITS} bits differ"
                findings.setdefault((row, image), Finding(*place, found, "an image unlike that of any other patient"))
    compared = sum(len(seen_all) for seen_all in hashed.values())
    return Check("images.near_unique", "no two images are near-duplicates", compared, tuple(findings.values()))


def _observed(files: list[ImageFile]) -> dict[str, dict[str, list[float]]]:
    """Return the smallest and the largest of every figure, by image."""
    observed: dict[str, dict[str, list[float]]] = {}
    for file in files:
        for figure, (low, high) in file.observed.items():
            seen = observed.setdefault(file.image, {}).setdefault(figure, [low, high])
            seen[:] = [min(seen[0], low), max(seen[1], high)]
    return observed


def _manifest(schema: CohortSchema, patients: TypedTable, images: list[PatientImages]) -> pd.DataFrame:
    rows = []
    for record, result in zip(patients.text.records, images, strict=True):
        files = {file.image: (file.sha256, file.voxel_sha256, file.perceptual_hash) for file in result.files}
        rows += [(record[PATIENT], im.name, im.kind, *files.get(im.name, (None,) * 3)) for im in schema.images]
    return pd.DataFrame(rows, columns=list(MANIFEST_COLUMNS), dtype=object)
