"""What a table check cannot see: the images of one patient, each opened once.

Runs in worker processes, so it imports neither pandas nor Great Expectations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from validation.digests import path_sha256, voxel_sha256
from validation.errors import InputError
from validation.image_results import ImageCheck, ImageFile, PatientImages
from validation.images import Volume
from validation.paths import path_problem
from validation.perceptual import perceptual_hash
from validation.schema import AnnotationSchema, AnyImage, CohortSchema, ImageSchema, SlideSchema, VolumeSchema
from validation.slide_checks import (
    SlideFacts,
    check_annotation,
    check_slide,
    look_at_slide,
    observed_in_annotation,
    observed_in_slide,
    read_annotation,
)
from validation.volume_checks import check_diffusion, check_grids, check_volume, observed_in, read_once

__all__ = ["ImageCheck", "ImageFile", "PatientImages", "check_patient", "demanded"]


def check_patient(folder: Path, schema: CohortSchema, cells: Mapping[str, str]) -> PatientImages:
    """Check the images of one patient.

    Args:
        folder: Cohort folder.
        schema: What the images must be.
        cells: The patient's row. An image whose path is empty is left out: the table check names it where it must
            be there.
    """
    checks: list[ImageCheck] = []
    files: list[ImageFile] = []
    volumes: dict[str, Volume] = {}
    slides: dict[str, SlideFacts] = {}
    for image in schema.images:
        if not cells.get(image.path_column):
            checks += _check_absent(image, cells)
            continue
        checks.append(location := _check_location(folder, image, cells))
        if location.found:
            continue
        if isinstance(image, VolumeSchema):
            made, file = _volume(folder, image, cells, volumes)
        elif isinstance(image, SlideSchema):
            made, file = _slide(folder, image, cells, slides)
        else:
            made, file = _annotation(folder, image, cells, slides)
        checks += [_check_digest(image, cells, file.sha256), *made]
        files.append(file)
    checks += check_grids(schema, volumes)
    checks += check_diffusion(schema.diffusion, volumes) if schema.diffusion else []
    return PatientImages(tuple(checks), tuple(files))


def _volume(
    folder: Path, image: VolumeSchema, cells: Mapping[str, str], volumes: dict[str, Volume]
) -> tuple[list[ImageCheck], ImageFile]:
    """Check a volume or mask by itself; one that can be read is added to `volumes`."""
    text = cells[image.path_column]
    digest, volume = read_once(folder / text, image)
    checks = list(check_volume(image, text, volume))
    if isinstance(volume, InputError):
        return checks, ImageFile(image.name, digest)
    volumes[image.name] = volume
    looks = None if image.kind == "mask" else perceptual_hash(volume.array)
    return checks, ImageFile(image.name, digest, voxel_sha256(volume.array), observed_in(image, volume), looks)


def _slide(
    folder: Path, image: SlideSchema, cells: Mapping[str, str], slides: dict[str, SlideFacts]
) -> tuple[list[ImageCheck], ImageFile]:
    """Check a slide; one that can be read is added to `slides`."""
    text = cells[image.path_column]
    digest, facts = path_sha256(folder / text), look_at_slide(folder / text, image, cells)
    checks = list(check_slide(image, text, facts))
    if isinstance(facts, InputError):
        return checks, ImageFile(image.name, digest)
    slides[image.name] = facts
    return checks, ImageFile(image.name, digest, facts.content_sha256, observed_in_slide(facts), facts.perceptual_hash)


def _annotation(
    folder: Path, image: AnnotationSchema, cells: Mapping[str, str], slides: Mapping[str, SlideFacts]
) -> tuple[list[ImageCheck], ImageFile]:
    """Check the annotations of a slide, against the slide if it could be read."""
    text, slide = cells[image.path_column], slides.get(image.slide)
    digest, annotations = path_sha256(folder / text), read_annotation(folder / text, image)
    checks = list(check_annotation(image, text, annotations, slide))
    if isinstance(annotations, InputError):
        return checks, ImageFile(image.name, digest)
    return checks, ImageFile(image.name, digest, None, observed_in_annotation(annotations, slide))


def _check_absent(image: ImageSchema, cells: Mapping[str, str]) -> Iterator[ImageCheck]:
    """Refuse the digest of an optional image that is not there: its path was lost."""
    if not image.required and cells.get(image.sha256_column):
        yield ImageCheck("file", image.name, "a path beside the digest, or neither", "a digest without a path")


def _check_location(folder: Path, image: ImageSchema, cells: Mapping[str, str]) -> ImageCheck:
    text = cells[image.path_column]
    problem = path_problem(folder, text)
    if problem is None and not (folder / text).exists():
        problem = "no such file or folder"
    elif problem is None and not os.access(folder / text, os.R_OK):
        problem = "no permission to read it"
    return ImageCheck("file", image.name, "a file or folder inside the cohort folder", problem and f"{text}: {problem}")


def _check_digest(image: ImageSchema, cells: Mapping[str, str], digest: str) -> ImageCheck:
    declared = cells.get(image.sha256_column) or "nothing"
    found = None if digest == declared else f"{cells[image.path_column]}: sha256 {digest}"
    return ImageCheck("sha256", image.name, f"the sha256 of the table ({declared})", found)


def demanded(schema: CohortSchema, patients: Sequence[Mapping[str, str]] = ()) -> list[tuple[str, str]]:
    """Return (image, kind) of every check that a schema demands, in order; one made on no patient has failed.

    Of an image that not every patient must have, nothing is demanded where no patient has it, and everything otherwise.

    Args:
        schema: What the images must be.
        patients: Rows of the patients table.
    """
    checks: list[tuple[str, str]] = []
    for image in schema.images:
        columns = (image.path_column, image.sha256_column)
        if image.required or any(cells.get(column) for cells in patients for column in columns):
            checks += [(image.name, kind) for kind in ("file", "sha256", "readable", *_kinds(image))]
    return checks + ([(schema.diffusion.high, "diffusion")] if schema.diffusion else [])


def _kinds(image: AnyImage) -> list[str]:
    """Return the kinds of checks made on an image that can be read."""
    if isinstance(image, SlideSchema):
        return ["resolution", "size", "tissue"]
    if not isinstance(image, VolumeSchema):
        return ["inside"]
    kinds = {
        "spacing": image.spacing_mm is not None,
        "shape": image.shape is not None,
        "intensity": image.intensity is not None,
        "voxels": image.kind == "mask",
        "grid": image.grid_of is not None,
    }
    return [kind for kind, applies in kinds.items() if applies]
