"""What a table check cannot see: the images of one patient, each file read once.

Runs in worker processes, so it imports neither pandas nor Great Expectations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from validation.digests import bytes_sha256, folder_sha256, voxel_sha256
from validation.errors import InputError
from validation.images import Volume, as_mask, read_mask, read_volume, same_grid, volume_from_bytes
from validation.paths import path_problem
from validation.schema import AXES, CohortSchema, DiffusionRule, ImageSchema, Range


@dataclass(frozen=True)
class ImageCheck:
    """One check made on one image of one patient.

    Attributes:
        kind: What was checked: file, sha256, readable, spacing, shape, intensity, voxels, grid or diffusion.
        image: Name of the image.
        expected: What should be.
        found: What is, where the check failed; None where it passed.
    """

    kind: str
    image: str
    expected: str
    found: str | None


@dataclass(frozen=True)
class ImageFile:
    """One image of one patient as delivered.

    Attributes:
        image: Name of the image.
        sha256: Digest of its file or folder.
        voxel_sha256: Digest of its voxels; None if they cannot be read.
        observed: Smallest and largest figure by name, for instance `spacing_mm_row`.
    """

    image: str
    sha256: str
    voxel_sha256: str | None = None
    observed: dict[str, Range] = field(default_factory=dict)


@dataclass(frozen=True)
class PatientImages:
    """Everything found out about the images of one patient."""

    checks: tuple[ImageCheck, ...]
    files: tuple[ImageFile, ...]


def check_patient(folder: Path, schema: CohortSchema, cells: Mapping[str, str]) -> PatientImages:
    """Check the images of one patient.

    Args:
        folder: Cohort folder.
        schema: What the images must be.
        cells: Path and digest columns of the patient's row. An image whose path is empty is left out: the table check
            names it.
    """
    checks: list[ImageCheck] = []
    files: list[ImageFile] = []
    volumes: dict[str, Volume] = {}
    for image in schema.images:
        if not (text := cells.get(image.path_column)):
            continue
        checks.append(location := _check_location(folder, image, cells))
        if location.found:
            continue
        digest, volume = _read_once(folder / text, image)
        checks.append(_check_digest(image, cells, digest))
        checks += _check_volume(image, text, volume)
        if isinstance(volume, InputError):
            files.append(ImageFile(image.name, digest))
        else:
            volumes[image.name] = volume
            files.append(ImageFile(image.name, digest, voxel_sha256(volume.array), _observed(image, volume)))
    checks += _check_grids(schema, volumes)
    checks += _check_diffusion(schema.diffusion, volumes) if schema.diffusion else []
    return PatientImages(tuple(checks), tuple(files))


def _check_location(folder: Path, image: ImageSchema, cells: Mapping[str, str]) -> ImageCheck:
    text = cells[image.path_column]
    problem = path_problem(folder, text)
    if problem is None and not (folder / text).exists():
        problem = "no such file or folder"
    elif problem is None and not os.access(folder / text, os.R_OK):
        problem = "no permission to read it"
    return ImageCheck("file", image.name, "a file or folder inside the cohort folder", problem and f"{text}: {problem}")


def _read_once(path: Path, image: ImageSchema) -> tuple[str, Volume | InputError]:
    """Return the digest of an image, and its volume or why it cannot be read; a file is read once for both."""
    content = None if path.is_dir() else path.read_bytes()
    digest = folder_sha256(path) if content is None else bytes_sha256(content)
    try:
        if image.kind == "mask":
            return digest, read_mask(path) if content is None else as_mask(volume_from_bytes(content, path), str(path))
        return digest, read_volume(path) if content is None else volume_from_bytes(content, path)
    except InputError as error:
        return digest, error


def _check_digest(image: ImageSchema, cells: Mapping[str, str], digest: str) -> ImageCheck:
    declared = cells.get(image.sha256_column) or "nothing"
    found = None if digest == declared else f"{cells[image.path_column]}: sha256 {digest}"
    return ImageCheck("sha256", image.name, f"the sha256 of the table ({declared})", found)


def _check_volume(image: ImageSchema, text: str, volume: Volume | InputError) -> Iterator[ImageCheck]:
    """Check one image by itself: readable, spacing, shape, intensity of an image, size of a mask."""

    def check(kind: str, expected: str, problem: str | None) -> ImageCheck:
        return ImageCheck(kind, image.name, expected, problem and f"{text}: {problem}")

    if isinstance(volume, InputError):
        yield check("readable", volume.expected, volume.found)
        return
    yield check("readable", f"a readable {image.kind}", None)
    if image.spacing_mm:
        yield check("spacing", f"spacing {_ranges(image.spacing_mm)} mm", _spacing_problem(volume, image.spacing_mm))
    if image.shape:
        yield check("shape", f"{_ranges(image.shape)} voxels", _shape_problem(volume, image.shape))
    if image.intensity:
        expected = (
            f"intensities from {_range(image.intensity)}, at least {image.positive_share_min:.0%} above 0, not constant"
        )
        yield check("intensity", expected, _intensity_problem(volume, image.intensity, image.positive_share_min))
    if image.kind == "mask":
        voxels = int(np.count_nonzero(volume.array))
        problem = None if voxels >= image.voxels_min else f"{voxels} voxels" if voxels else "an empty mask"
        yield check("voxels", f"at least {image.voxels_min} voxels", problem)


def _range(limits: Range) -> str:
    return f"{limits[0]:g} to {limits[1]:g}"


def _ranges(limits: tuple[Range, ...]) -> str:
    return ", ".join(f"{axis} {_range(pair)}" for axis, pair in zip(AXES, limits, strict=True))


def _spacing_problem(volume: Volume, limits: tuple[Range, ...]) -> str | None:
    for axis, value, (low, high) in zip(AXES, volume.spacing_mm, limits, strict=True):
        if not low <= value <= high:
            units = {"cm": 10.0, "m": 1000.0, "micrometres": 0.001}
            unit = next((f" (is it in {name}?)" for name, factor in units.items() if low <= value * factor <= high), "")
            return f"spacing {value:.4g} mm along {axis}{unit}"
    return None


def _shape_problem(volume: Volume, limits: tuple[Range, ...]) -> str | None:
    for axis, value, (low, high) in zip(AXES, volume.shape, limits, strict=True):
        if not low <= value <= high:
            return f"{value} voxels along {axis}"
    return None


def _intensity_problem(volume: Volume, limits: Range, positive_share_min: float) -> str | None:
    low, high = float(volume.array.min()), float(volume.array.max())
    if low < limits[0] or high > limits[1]:
        return f"intensities from {low:.4g} to {high:.4g}"
    if low == high:
        return f"{low:.4g} everywhere"
    share = float(np.count_nonzero(volume.array > 0)) / volume.array.size
    return None if share >= positive_share_min else f"{share:.1%} of voxels above 0"


def _observed(image: ImageSchema, volume: Volume) -> dict[str, Range]:
    """Return the figures of one volume, each as (smallest, largest)."""
    figures = {f"spacing_mm_{axis}": round(value, 4) for axis, value in zip(AXES, volume.spacing_mm, strict=True)}
    figures |= {f"voxels_{axis}": float(value) for axis, value in zip(AXES, volume.shape, strict=True)}
    if image.kind == "mask":
        figures["voxels_inside"] = float(np.count_nonzero(volume.array))
        return {name: (value, value) for name, value in figures.items()}
    intensity = (float(volume.array.min()), float(volume.array.max()))
    return {name: (value, value) for name, value in figures.items()} | {"intensity": intensity}


def _check_grids(schema: CohortSchema, volumes: Mapping[str, Volume]) -> Iterator[ImageCheck]:
    for image in schema.images:
        if image.grid_of and image.name in volumes and image.grid_of in volumes:
            reason = same_grid(volumes[image.name], volumes[image.grid_of], schema.grid_tolerance_mm)
            yield ImageCheck("grid", image.name, f"the grid of {image.grid_of}", reason)


def _check_diffusion(rule: DiffusionRule, volumes: Mapping[str, Volume]) -> Iterator[ImageCheck]:
    """Check the median apparent diffusion coefficient inside the mask: ln(low / high) / difference of b."""
    if any(
        name not in volumes or volumes[name].shape != volumes[rule.mask].shape
        for name in (rule.low, rule.high, rule.mask)
    ):
        return
    inside = volumes[rule.mask].array
    low, high = (volumes[name].array[inside].astype(np.float64) for name in (rule.low, rule.high))
    positive = (low > 0) & (high > 0)
    if 2 * np.count_nonzero(positive) < max(len(positive), 1):
        problem: str | None = "fewer than half of the voxels inside the mask have a signal above 0 in both"
    else:
        adc = float(np.median(np.log(low[positive] / high[positive]))) / rule.b_difference_s_per_mm2
        within = rule.adc_mm2_per_s[0] <= adc <= rule.adc_mm2_per_s[1]
        problem = None if within else f"a median ADC of {adc:.3g} mm2/s (b-values swapped, or scales that differ?)"
    yield ImageCheck(
        "diffusion", rule.high, f"a median ADC inside {rule.mask} from {_range(rule.adc_mm2_per_s)} mm2/s", problem
    )


def demanded(schema: CohortSchema) -> list[tuple[str, str]]:
    """Return (image, kind) of every check that a schema demands, in order; one made on no patient has failed."""
    checks: list[tuple[str, str]] = []
    for image in schema.images:
        kinds = {
            "file": True,
            "sha256": True,
            "readable": True,
            "spacing": image.spacing_mm is not None,
            "shape": image.shape is not None,
            "intensity": image.intensity is not None,
            "voxels": image.kind == "mask",
            "grid": image.grid_of is not None,
        }
        checks += [(image.name, kind) for kind, applies in kinds.items() if applies]
    return checks + ([(schema.diffusion.high, "diffusion")] if schema.diffusion else [])
