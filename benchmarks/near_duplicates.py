"""How far apart perceptual hashes of different patients are, and how near those of an image processed again.

    python benchmarks/near_duplicates.py [--quick] [--cohorts FOLDER]

Reads every image of the synthetic cohorts (`dvc repro synthesise` writes them). Different patients: all pairs of images
of one kind, within and between cohorts. Copies: some images, each processed in every way below, against themselves. The
threshold `validation.perceptual.NEAR_BITS` must lie below the nearest pair of different patients and above the copies
that are to be recognised. Synthetic patients are more alike than real ones: one mechanism draws them all. Writes
benchmarks/near_duplicates.json and prints a table.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.documents import write_json
from validation.images import read_volume
from validation.perceptual import BITS, NEAR_BITS, distances, perceptual_hash, slide_hash
from validation.slide_checks import thumbnail
from validation.slides import open_slide

SEED = 20261121
OUTPUT_JSON = Path(__file__).with_suffix(".json")
COHORTS = Path("data/cohorts")
COPIED = {"image": 60, "slide": 12}  # images per kind that are processed again
QUICK = 12  # patients per cohort
MUST_BE_FOUND = (
    *("one voxel", "noise", "rescaled", "8 bits", "gamma", "bias field", "smoothed", "coarser grid", "finer grid"),
    *("jpeg", "another scanner resolution", "darker"),
)
STROMA = ("development", "internal", "external_1", "external_2", "external_3")
MRI = ("mri_development", "mri_external", "mri_shortcut")
IMAGES = (
    *((image, "image", MRI) for image in ("t2w", "dwi_b0", "dwi_b1000")),
    ("ct", "image", tuple(f"ct_stroma_{name}" for name in STROMA)),
    ("ct", "image", tuple(f"ct_chemo_{name}" for name in ("development", "internal", "external"))),
    ("slide", "slide", ("liver_development", "liver_external")),
)

Array = NDArray[Any]


@dataclass(frozen=True)
class Different:
    """Distances in bits between images of different patients.

    Attributes:
        images: Images with a hash.
        unhashed: Images without.
        pairs: Pairs of different patients.
        nearest: Smallest distance.
        first_percentile: A hundredth of the pairs are nearer.
        median: Half of the pairs are nearer.
    """

    images: int
    unhashed: int
    pairs: int
    nearest: int
    first_percentile: float
    median: float


@dataclass(frozen=True)
class Copies:
    """Distances in bits between images and their copies.

    Attributes:
        n: Copies.
        median: Half of the copies are nearer.
        farthest: Largest distance.
        found: Share that are near-duplicates.
    """

    n: int
    median: float
    farthest: int
    found: float


def volume_copies(a: Array, rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Yield a volume processed in every way, each by name."""
    from scipy import ndimage

    sd, low, high = a.std(), a.min(), a.max()
    one = a.copy()
    one[tuple(n // 2 for n in a.shape)] += sd
    yield "one voxel", one
    yield "noise", a + rng.normal(0, 0.1 * sd, a.shape)
    yield "rescaled", a * 0.37 + 112
    yield "8 bits", np.round((a - low) / (high - low) * 255)
    yield "gamma", ((a - low) / (high - low)) ** 0.8
    yield "bias field", a * np.linspace(0.9, 1.1, a.shape[2])
    yield "smoothed", ndimage.gaussian_filter(a, (0, 0.8, 0.8))
    for name, (along, inside) in {"coarser grid": (0.7, 0.8), "finer grid": (1.5, 1.3)}.items():
        shape = [round(n * factor) for n, factor in zip(a.shape, (along, inside, inside), strict=True)]
        zoom = [new / old for new, old in zip(shape, a.shape, strict=True)]
        yield name, ndimage.zoom(a, zoom, order=1, mode="nearest", grid_mode=True)
    yield "first slice lost", a[1:]
    yield "first and last slice lost", a[1:-1]
    yield "empty slice added", np.pad(a, ((1, 0), (0, 0), (0, 0)), constant_values=low)
    yield "border of 1 voxel cut off", a[:, 1:-1, 1:-1]
    yield "border of 2 voxels cut off", a[:, 2:-2, 2:-2]
    yield "mirrored", a[:, :, ::-1]


def slide_copies(a: Array, mpp: float) -> Iterator[tuple[str, Array, float, int]]:
    """Yield level 0 of a slide processed in every way: name, pixels, um per pixel, JPEG quality."""
    from PIL import Image

    yield "jpeg", a, mpp, 30
    size = (round(a.shape[1] * mpp / 0.42), round(a.shape[0] * mpp / 0.42))
    yield "another scanner resolution", np.asarray(Image.fromarray(a).resize(size)), 0.42, 80
    yield "darker", (255 * (a / 255) ** 1.3).astype(np.uint8), mpp, 80
    for share in (0.005, 0.02):
        cut = max(1, int(share * a.shape[0]))
        yield f"border of {share:.1%} cut off", np.ascontiguousarray(a[cut:-cut, cut:-cut]), mpp, 80


def slide_hash_of(path: Path, mpp: float | None = None) -> str | None:
    """Return the hash of a slide on disk."""
    with open_slide(path, mpp) as slide:
        return slide_hash(thumbnail(slide))


def hashes_of_slide_copies(path: Path, mpp: float | None) -> Iterator[tuple[str, str | None]]:
    """Write every copy of a slide as a tiled TIFF and yield its hash."""
    import tifffile

    with open_slide(path, mpp) as slide, tempfile.TemporaryDirectory() as folder:
        rows, columns = (int(n * slide.mpp / 0.5) for n in slide.level0_px)
        for name, pixels, copied_mpp, quality in slide_copies(slide.region(0, 0, rows, columns), 0.5):
            copy, per_cm = Path(folder) / "copy.tiff", 1e4 / copied_mpp
            tifffile.imwrite(
                copy,
                pixels,
                tile=(256, 256),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": quality},
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                metadata=None,
            )
            yield name, slide_hash_of(copy)


def measured(
    cohorts: Path, image: str, kind: str, names: Sequence[str], quick: bool
) -> tuple[Different, dict[str, Copies]]:
    """Measure one kind of image over some cohorts."""
    rng = np.random.default_rng(SEED)
    rows = []
    for name in names:
        with (cohorts / name / "patients.csv").open(encoding="utf-8", newline="") as file:
            cells = [row for row in csv.DictReader(file) if row[f"{image}_path"]]
        rows += [(cohorts / name, row) for row in (cells[:QUICK] if quick else cells)]
    copied = set(rng.choice(len(rows), min(COPIED[kind] // (10 if quick else 1), len(rows)), replace=False).tolist())
    hashes: list[str | None] = []
    apart: dict[str, list[int]] = {}
    for number, (folder, row) in enumerate(rows):
        path = folder / row[f"{image}_path"]
        found, copies = _read(path, kind, row, rng if number in copied else None)
        hashes.append(found)
        for name, other in copies:
            near = int(distances([found], [other])[0, 0]) if found and other else BITS
            apart.setdefault(name, []).append(near)
    return different([text for text in hashes if text], hashes.count(None)), {
        name: Copies(len(bits), float(np.median(bits)), max(bits), float(np.mean(np.array(bits) <= NEAR_BITS)))
        for name, bits in apart.items()
    }


def _read(
    path: Path, kind: str, row: Mapping[str, str], rng: np.random.Generator | None
) -> tuple[str | None, list[tuple[str, str | None]]]:
    """Return the hash of an image, and with a generator those of its copies."""
    if kind == "slide":
        mpp = float(row["mpp_given"]) if row["mpp_given"] else None
        return slide_hash_of(path, mpp), list(hashes_of_slide_copies(path, mpp)) if rng else []
    array = read_volume(path).array
    copies = volume_copies(array.astype(np.float64), rng) if rng else iter(())
    return perceptual_hash(array), [(name, perceptual_hash(copy.astype(np.float32))) for name, copy in copies]


def different(hashes: Sequence[str], unhashed: int) -> Different:
    """Return the distances of all pairs."""
    bits = distances(hashes, hashes)[np.triu_indices(len(hashes), 1)]
    first, median = (float(value) for value in np.percentile(bits, (1, 50)))
    return Different(len(hashes), unhashed, len(bits), int(bits.min()), first, median)


def table(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures as Markdown."""
    lines = ["| image | images | pairs of patients | nearest | 1st percentile | median |", "|" + " --- |" * 6]
    for entry in entries:
        one = entry["different"]
        lines.append(
            f"| {entry['image']} ({entry['cohorts'][0]}, ...) | {one['images']} | {one['pairs']} | {one['nearest']} | "
            f"{one['first_percentile']:.0f} | {one['median']:.0f} |"
        )
    lines += ["", "| image | copy | n | median | farthest | found |", "|" + " --- |" * 6]
    lines += [
        f"| {entry['image']} | {name} | {copy['n']} | {copy['median']:.0f} | {copy['farthest']} | {copy['found']:.0%} |"
        for entry in entries
        for name, copy in entry["copies"].items()
    ]
    return "\n".join(lines)


def main(report: Callable[[str], None] = print) -> None:
    """Measure everything; with --quick on a dozen patients per cohort, to see that it runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--cohorts", type=Path, default=COHORTS)
    options = parser.parse_args()
    entries = []
    for image, kind, names in IMAGES:
        apart, copies = measured(options.cohorts, image, kind, names, options.quick)
        near = {name: asdict(copy) for name, copy in copies.items()}
        entries.append({"image": image, "cohorts": list(names), "different": asdict(apart), "copies": near})
    report(table(entries))
    if not options.quick:
        write_json(OUTPUT_JSON, {"bits": BITS, "near_bits": NEAR_BITS, "measured": entries})


if __name__ == "__main__":
    main()
