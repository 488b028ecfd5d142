"""What was found out about the images of one patient, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

from validation.schema import Range


@dataclass(frozen=True)
class ImageCheck:
    """One check made on one image of one patient.

    Attributes:
        kind: What was checked: file, sha256, readable, spacing, shape, intensity, voxels, grid or diffusion; of a
            slide resolution, size or tissue, of annotations inside.
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
        voxel_sha256: Digest of its voxels, or of pixels of a slide; None if they cannot be read, and for annotations.
        observed: Smallest and largest figure by name, for instance `spacing_mm_row`.
        perceptual_hash: Of an image or slide, `validation.perceptual`; None if it cannot be read or the hash would say
            nothing, and for masks and annotations.
    """

    image: str
    sha256: str
    voxel_sha256: str | None = None
    observed: dict[str, Range] = field(default_factory=dict)
    perceptual_hash: str | None = None


@dataclass(frozen=True)
class PatientImages:
    """Everything found out about the images of one patient."""

    checks: tuple[ImageCheck, ...]
    files: tuple[ImageFile, ...]
