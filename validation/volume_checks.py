"""What must be true of a volume or mask by itself, of volumes on one grid, and of two diffusion-weighted ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from validation.digests import bytes_sha256, folder_sha256
from validation.errors import InputError
from validation.image_results import ImageCheck
from validation.images import Volume, as_mask, read_mask, read_volume, same_grid, volume_from_bytes
from validation.schema import AXES, CohortSchema, DiffusionRule, Range, VolumeSchema


def read_once(path: Path, image: VolumeSchema) -> tuple[str, Volume | InputError]:
    """Return the digest of an image, and its volume or why it cannot be read; a file is read once for both."""
    content = None if path.is_dir() else path.read_bytes()
    digest = folder_sha256(path) if content is None else bytes_sha256(content)
    try:
        if image.kind == "mask":
            return digest, read_mask(path) if content is None else as_mask(volume_from_bytes(content, path), str(path))
        return digest, read_volume(path) if content is None else volume_from_bytes(content, path)
    except InputError as error:
        return digest, error


def check_volume(image: VolumeSchema, text: str, volume: Volume | InputError) -> Iterator[ImageCheck]:
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
        positive = f"at least {image.positive_share_min:.0%} above 0"
        expected = f"intensities from {range_text(image.intensity)}, {positive}, not constant"
        yield check("intensity", expected, _intensity_problem(volume, image.intensity, image.positive_share_min))
    if image.kind == "mask":
        voxels = int(np.count_nonzero(volume.array))
        problem = None if voxels >= image.voxels_min else f"{voxels} voxels" if voxels else "an empty mask"
        yield check("voxels", f"at least {image.voxels_min} voxels", problem)


def check_grids(schema: CohortSchema, volumes: Mapping[str, Volume]) -> Iterator[ImageCheck]:
    """Check that every volume lies on the grid that its schema names, where both could be read."""
    for image in schema.images:
        if isinstance(image, VolumeSchema) and image.grid_of and image.name in volumes and image.grid_of in volumes:
            reason = same_grid(volumes[image.name], volumes[image.grid_of], schema.grid_tolerance_mm)
            yield ImageCheck("grid", image.name, f"the grid of {image.grid_of}", reason)


def check_diffusion(rule: DiffusionRule, volumes: Mapping[str, Volume]) -> Iterator[ImageCheck]:
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
        "diffusion", rule.high, f"a median ADC inside {rule.mask} from {range_text(rule.adc_mm2_per_s)} mm2/s", problem
    )


def range_text(limits: Range) -> str:
    """Return a range in words."""
    return f"{limits[0]:g} to {limits[1]:g}"


def _ranges(limits: tuple[Range, ...]) -> str:
    return ", ".join(f"{axis} {range_text(pair)}" for axis, pair in zip(AXES, limits, strict=True))


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


def observed_in(image: VolumeSchema, volume: Volume) -> dict[str, Range]:
    """Return the figures of one volume, each as (smallest, largest)."""
    figures = {f"spacing_mm_{axis}": round(value, 4) for axis, value in zip(AXES, volume.spacing_mm, strict=True)}
    figures |= {f"voxels_{axis}": float(value) for axis, value in zip(AXES, volume.shape, strict=True)}
    if image.kind == "mask":
        figures["voxels_inside"] = float(np.count_nonzero(volume.array))
        return {name: (value, value) for name, value in figures.items()}
    intensity = (float(volume.array.min()), float(volume.array.max()))
    return {name: (value, value) for name, value in figures.items()} | {"intensity": intensity}
