"""A tiny valid rectal_mri cohort on disk, real NIfTI files and all, and ways to damage its tables."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK
import yaml
from numpy.typing import NDArray

from validation.cohort import Cohort, load_outcomes
from validation.digests import path_sha256
from validation.sealing.opening import open_demonstration

CENTRES = ("A", "B")
IMAGES = ("t2w", "t2w_mask", "dwi_b0", "dwi_b1000", "dwi_mask")
ADC_MM2_PER_S = 1.1e-3
T2W_SHAPE, T2W_SPACING_MM = (6, 24, 20), (4.0, 0.7, 0.8)
DWI_SHAPE, DWI_SPACING_MM = (5, 18, 16), (5.0, 1.6, 1.7)


def write_cohort(folder: Path, n: int = 6, role: str = "external", seed: int = 0, tables: str = "csv") -> Path:
    """Write a cohort that passes every check.

    Args:
        folder: Where; its name becomes the name of the cohort and begins the patient ids.
        n: Number of patients, at least 4.
        role: development, internal or external.
        seed: Seed of images and outcomes.
        tables: csv or parquet.

    Returns:
        The folder.
    """
    rng = np.random.default_rng(seed)
    patients, outcomes = [], []
    for i in range(n):
        patient = f"{folder.name}-{i:04d}"
        patients.append({**_patient_row(patient, i), **write_images(folder, patient, rng)})
        dmfs = round(float(rng.uniform(3, 80)), 2)
        later = round(dmfs + float(rng.uniform(0, 20)), 2)
        outcomes.append(
            {
                "patient_id": patient,
                "dmfs_event": i % 2,
                "dmfs_time_months": dmfs,
                "os_event": i % 3 // 2,
                "os_time_months": later,
            }
        )
    for name, rows in (("patients", patients), ("outcomes", outcomes)):
        write_rows(folder / f"{name}.csv", [{key: str(value) for key, value in row.items()} for row in rows])
    (folder / "cohort.yaml").write_text(yaml.safe_dump(cohort_meta(folder.name, role), sort_keys=False))
    if tables == "parquet":
        _to_parquet(folder, patients, outcomes)
    return folder


def _patient_row(patient: str, i: int) -> dict[str, Any]:
    """Return consistent covariates; every fourth patient is a pCR, every fifth has gaps."""
    pcr, positive = i % 4 == 0, i % 2 == 1
    row: dict[str, Any] = {
        "patient_id": patient,
        "centre": CENTRES[i % 2],
        "scanner": f"{CENTRES[i % 2]}1",
        "sex": ("male", "female")[i % 2],
        "age_years": 40 + i % 40,
        "tumour_location": ("high", "mid", "low")[i % 3],
        "ct_stage": ("cT3", "cT4")[i % 2],
        "cn_stage": "positive" if positive else "negative",
        "clinical_stage": "III" if positive else "II",
        "cea_ng_ml": 1.5 + i,
        "surgery": ("laparotomy", "laparoscopy")[i % 2],
        "ypt_stage": "ypT0" if pcr else f"ypT{1 + i % 4}",
        "ypn_stage": "ypN0" if pcr else f"ypN{i % 3}",
        "pcr": "yes" if pcr else "no",
        "adjuvant_chemotherapy": "yes",
        "adjuvant_radiotherapy": "no",
        "surgery_date": (date(2013, 1, 1) + timedelta(days=i)).isoformat(),
    }
    return row | ({"cea_ng_ml": "", "tumour_location": ""} if i % 5 == 4 else {})


def write_images(folder: Path, patient: str, rng: np.random.Generator) -> dict[str, str]:
    """Write the five images of a patient, oblique and anisotropic; return the path and digest columns."""
    direction = rotation(float(rng.uniform(-25, 25)))
    b0 = rng.uniform(200, 400, DWI_SHAPE)
    volumes: dict[str, tuple[NDArray[Any], tuple[float, float, float]]] = {
        "t2w": (rng.integers(1, 900, T2W_SHAPE).astype(np.int16), T2W_SPACING_MM),
        "t2w_mask": (box(T2W_SHAPE), T2W_SPACING_MM),
        "dwi_b0": (b0.astype(np.float32), DWI_SPACING_MM),
        "dwi_b1000": (
            (b0 * np.exp(-1000 * ADC_MM2_PER_S * rng.uniform(0.9, 1.1, DWI_SHAPE))).astype(np.float32),
            DWI_SPACING_MM,
        ),
        "dwi_mask": (box(DWI_SHAPE), DWI_SPACING_MM),
    }
    cells = {}
    for name, (array, spacing_mm) in volumes.items():
        path = folder / "images" / patient / f"{name}.nii.gz"
        write_nifti(path, array, spacing_mm, direction)
        cells |= {f"{name}_path": path.relative_to(folder).as_posix(), f"{name}_sha256": path_sha256(path)}
    return cells


def write_nifti(
    path: Path,
    array: NDArray[Any],
    spacing_mm: tuple[float, float, float] = (4.0, 1.5, 1.0),
    direction: NDArray[np.float64] | None = None,
    origin_mm: tuple[float, float, float] = (-20.0, 15.0, -60.0),
) -> Path:
    """Write (slice, row, column) voxels with SimpleITK; `direction` is ITK's matrix of direction cosines."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing_mm[::-1])
    image.SetDirection((np.eye(3) if direction is None else direction).ravel().tolist())
    image.SetOrigin(origin_mm)
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path), path.name.endswith(".gz"))
    return path


def rotation(degrees: float) -> NDArray[np.float64]:
    """Return direction cosines of slices tilted about the left-right axis and half as much about the long axis."""
    (c, s), (d, t) = ((np.cos(a), np.sin(a)) for a in (np.radians(degrees), np.radians(degrees / 2)))
    tilted = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.array([[d, -t, 0], [t, d, 0], [0, 0, 1]])
    return np.asarray(tilted)


def box(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return a mask with a box in the middle."""
    mask = np.zeros(shape, np.uint8)
    mask[1:-1, shape[1] // 4 : -shape[1] // 4, shape[2] // 4 : -shape[2] // 4] = 1
    return mask


def cohort_meta(name: str, role: str = "external") -> dict[str, Any]:
    """Return the content of a valid cohort.yaml."""
    return {
        "name": name,
        "schema": "rectal_mri",
        "modality": "MR",
        "role": role,
        "centres": list(CENTRES),
        "period": {"start": "2012-08", "end": "2015-03"},
        "endpoints": {
            endpoint: {
                "event": f"{endpoint}_event",
                "time": f"{endpoint}_time_months",
                "unit": "months",
                "origin": "surgery",
                "meaning": meaning,
            }
            for endpoint, meaning in (("dmfs", "distant metastasis"), ("os", "death"))
        },
        "eligibility": "Locally advanced rectal cancer, chemoradiotherapy, surgery.",
        "ethics": "Simulated.",
        "licence": "Apache-2.0",
        "provenance": "Written by the tests.",
        "synthetic": True,
        "tables": {"patients": "patients.csv", "outcomes": "outcomes.csv"},
    }


def outcomes_of(cohort: Cohort) -> pd.DataFrame:
    """Return the outcomes of a synthetic cohort, open or sealed with the published key."""
    return open_demonstration(cohort) if cohort.meta.sealed else load_outcomes(cohort)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a csv table as text."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a csv table; the first row names the columns."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def edit_rows(path: Path, edit: Callable[[list[dict[str, str]]], list[dict[str, str]] | None]) -> None:
    """Rewrite a csv table; `edit` changes the rows in place or returns others."""
    rows = read_rows(path)
    write_rows(path, edit(rows) or rows)


def set_cell(path: Path, line: int, column: str, text: str) -> None:
    """Overwrite one cell of a csv table; `line` is the line of the file, the header being line 1."""
    edit_rows(path, lambda rows: rows[line - 2].update({column: text}))


def replace_image(folder: Path, line: int, image: str, path: Path) -> None:
    """Make the patient of a line name another file in the cohort folder as this image, digest and all."""
    set_cell(folder / "patients.csv", line, f"{image}_path", path.relative_to(folder).as_posix())
    set_cell(folder / "patients.csv", line, f"{image}_sha256", path_sha256(path))


def edit_meta(folder: Path, **changes: Any) -> None:
    """Change keys of cohort.yaml; None removes one."""
    meta = {**yaml.safe_load((folder / "cohort.yaml").read_text()), **changes}
    text = yaml.safe_dump({key: value for key, value in meta.items() if value is not None}, sort_keys=False)
    (folder / "cohort.yaml").write_text(text)


def _to_parquet(folder: Path, patients: list[dict[str, Any]], outcomes: list[dict[str, Any]]) -> None:
    """Write the tables as typed parquet in place of csv; empty cells are null."""
    for name, rows in (("patients", patients), ("outcomes", outcomes)):
        pd.DataFrame(rows).replace("", None).convert_dtypes().to_parquet(folder / f"{name}.parquet", index=False)
        (folder / f"{name}.csv").unlink()
    edit_meta(folder, tables={"patients": "patients.parquet", "outcomes": "outcomes.parquet"})
