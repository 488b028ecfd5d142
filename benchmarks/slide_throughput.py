"""How much of the classifier's speed is left when whole slides are read, and how much memory a large slide takes.

    python benchmarks/slide_throughput.py [--quick]

Throughput: the whole way from a pyramidal TIFF to its tissue map with the full-width network, against ONNX Runtime
alone on the same tiles already normalised and in memory, in turns within one run; the bound is 0.80. Memory: the
largest resident size of a process that reads one slide with a narrow network, as it is the reading that might grow; it
must not grow with the slide. Writes benchmarks/slide_throughput.json and prints tables.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # ONNX Runtime has its own

import numpy as np
from numpy.typing import NDArray

from models.histology_spatial_survival import MPP, TILE_PX
from models.histology_spatial_survival.reading import BATCH, INPUT, OUTPUT, read_tiles, tiles_at
from models.histology_spatial_survival.tile_map import DROPPED
from models.runtime import OnnxModel
from validation import slides
from validation.documents import write_json

SEED = 20261120
OUTPUT_JSON = Path(__file__).with_suffix(".json")
THREADS, READERS = 2, 2
RATIO_MIN = 0.80
TIFF_TILE = 256
DOWNSAMPLES = (1, 4, 16)  # levels of the pyramid
TEXTURES = 16  # different tiles of tissue; compression does not know that they come again
STAINS = np.array([[0.62, 0.25], [0.70, 0.85], [0.35, 0.45]])  # red, green, blue x haematoxylin, eosin
GLASS = 243
PIXELS_PER_CM = 1e4 / MPP
FULL, NARROW = 1.0, 1 / 16  # width of the network
THROUGHPUT_PX, TURNS = 4000, 3
MEMORY_PX = (5_000, 40_000)

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Throughput:
    """One turn: the same tiles twice.

    Attributes:
        tiles: Tiles classified.
        bare: Tiles per second of ONNX Runtime on tiles in memory.
        pipeline: Tiles per second from the slide's file to its map, opening and stain fitting included.
        ratio: Pipeline over bare.
    """

    tiles: int
    bare: float
    pipeline: float
    ratio: float


@dataclass(frozen=True)
class Memory:
    """One slide read in a process of its own.

    Attributes:
        side_px: Rows and columns of the slide.
        tiles: Tiles classified.
        before_mib: Largest resident size with slide and network loaded, before reading.
        peak_mib: The same at the end.
        seconds: Of reading.
    """

    side_px: int
    tiles: int
    before_mib: float
    peak_mib: float
    seconds: float


def textures() -> list[Picture]:
    """Return tiles of made-up tissue: nuclei, smooth over some pixels, on eosin."""
    rng = np.random.default_rng(SEED)
    vectors = STAINS / np.linalg.norm(STAINS, axis=0)
    found = []
    for _ in range(TEXTURES):
        coarse = rng.random((TIFF_TILE // 8, TIFF_TILE // 8)).repeat(8, 0).repeat(8, 1)
        nuclei = coarse < rng.uniform(0.15, 0.45)
        strength = rng.uniform(0.6, 1.2, (TIFF_TILE, TIFF_TILE))
        amounts = np.stack([np.where(nuclei, 1.5, 0.1) * strength, np.where(nuclei, 0.2, 0.8) * strength], axis=-1)
        found.append(np.clip(240 * np.exp(-amounts @ vectors.T) - 1, 0, 255).astype(np.uint8))
    return found


def tiff_tiles(side_px: int, downsample: int, share: float) -> Iterator[Picture]:
    """Yield the tiles of one level: a disc of tissue that covers about `share` of the slide, on glass."""
    across = -(-side_px // TIFF_TILE)  # at level 0
    radius = across * (share / np.pi) ** 0.5
    small = [t.reshape(TIFF_TILE // downsample, downsample, -1, downsample, 3).mean((1, 3)) for t in textures()]
    small = [tile.astype(np.uint8) for tile in small]
    glass = np.full_like(small[0], GLASS)

    def tile(row: int, column: int) -> Picture:
        inside = np.hypot(row - across / 2, column - across / 2) < radius
        return small[(7 * row + 3 * column) % TEXTURES] if inside else glass

    for top in range(0, across, downsample):
        for left in range(0, across, downsample):
            columns = range(left, left + downsample)
            rows = [np.hstack([tile(row, column) for column in columns]) for row in range(top, top + downsample)]
            yield np.vstack(rows)


def write_slide(path: Path, side_px: int, share: float) -> None:
    """Write a pyramidal TIFF, JPEG in tiles of 256 pixels, a tile at a time."""
    import tifffile

    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for downsample in DOWNSAMPLES:
            side = -(-side_px // downsample)
            writer.write(
                tiff_tiles(side_px, downsample, share),
                shape=(side, side, 3),
                dtype=np.uint8,
                tile=(TIFF_TILE, TIFF_TILE),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 90},
                subfiletype=int(downsample > 1),
                resolution=(PIXELS_PER_CM / downsample,) * 2,
                resolutionunit="CENTIMETER",
                metadata=None,
            )


def write_classifier(path: Path, width: float) -> None:
    """Write a classifier with random weights as ONNX."""
    import torch

    from models.histology_spatial_survival.network import TileClassifier, TissueProbabilities
    from models.onnx_export import export_graph

    torch.manual_seed(SEED)
    module = TissueProbabilities(TileClassifier(width, 0.0))
    example = torch.zeros(2, TILE_PX, TILE_PX, 3, dtype=torch.uint8)
    export_graph(module, {INPUT: example}, [OUTPUT], {}, path)


def throughput(slide_path: Path, classifier_path: Path, turns: int) -> list[Throughput]:
    """Time pipeline and bare network in turns."""
    classifier = OnnxModel(classifier_path, threads=THREADS)
    with slides.open_slide(slide_path) as slide:
        kept = [(int(r), int(c)) for r, c in np.argwhere(read_tiles(slide, classifier).tissue != DROPPED)]
        tiles = np.stack([tile.pixels for tile in tiles_at(slide, kept)])
    measured = []
    for _ in range(turns):
        start = time.perf_counter()
        for first in range(0, len(tiles), BATCH):
            classifier.run({INPUT: tiles[first : first + BATCH]})
        middle = time.perf_counter()
        with slides.open_slide(slide_path) as slide:
            read_tiles(slide, classifier, readers=READERS)
        bare, pipeline = middle - start, time.perf_counter() - middle
        measured.append(Throughput(len(tiles), len(tiles) / bare, len(tiles) / pipeline, bare / pipeline))
    return measured


def read_alone(slide_path: Path, classifier_path: Path) -> str:
    """Read one slide in this process; return the numbers of `Memory` as text."""
    classifier = OnnxModel(classifier_path, threads=THREADS)
    with slides.open_slide(slide_path) as slide:
        before, start = _peak_mib(), time.perf_counter()
        tiles = np.count_nonzero(read_tiles(slide, classifier, readers=READERS).tissue != DROPPED)
        return f"{slide.size_px[0]} {tiles} {before} {_peak_mib()} {time.perf_counter() - start}"


def memory(slide_path: Path, classifier_path: Path) -> Memory:
    """Read one slide in a process of its own."""
    command = [sys.executable, __file__, "--read", str(slide_path), str(classifier_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    side, tiles, *rest = done.stdout.split()
    return Memory(int(side), int(tiles), *(round(float(word), 1) for word in rest))


def table(turns: list[Throughput], memories: list[Memory]) -> str:
    """Return the figures as Markdown."""
    lines = ["| tiles | ONNX Runtime alone, tiles/s | whole slide, tiles/s | ratio |", "| --- | --- | --- | --- |"]
    lines += [f"| {t.tiles} | {t.bare:.3g} | {t.pipeline:.3g} | {t.ratio:.2f} |" for t in turns]
    lines += [
        "",
        "| slide, px | tiles | before reading, MiB | peak, MiB | seconds |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {m.side_px} x {m.side_px} | {m.tiles} | {m.before_mib:.0f} | {m.peak_mib:.0f} | {m.seconds:.0f} |"
        for m in memories
    ]
    return "\n".join(lines)


def _peak_mib() -> float:
    """Return the largest resident size of this process since it began (Linux); `getrusage` counts the parent's too."""
    (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(kib) / 1024


def main() -> None:
    """Measure everything; with --quick on small slides with the narrow network, to see that it runs."""
    if "--read" in sys.argv:
        sys.stdout.write(read_alone(Path(sys.argv[2]), Path(sys.argv[3])))
        return
    quick = "--quick" in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        slide, full, narrow = (Path(folder) / name for name in ("slide.tiff", "full.onnx", "narrow.onnx"))
        write_classifier(full, NARROW if quick else FULL)
        write_classifier(narrow, NARROW)
        write_slide(slide, THROUGHPUT_PX // (2 if quick else 1), share=0.6)
        turns = throughput(slide, full, 1 if quick else TURNS)
        memories = []
        for side_px in (side // (4 if quick else 1) for side in MEMORY_PX):
            write_slide(slide, side_px, share=0.3)
            memories.append(memory(slide, narrow))
    print(table(turns, memories))  # noqa: T201 - the output of a script
    if not quick:
        figures = {"turns": [asdict(turn) for turn in turns], "memory": [asdict(slide) for slide in memories]}
        write_json(OUTPUT_JSON, {"threads": THREADS, "readers": READERS, "ratio_min": RATIO_MIN, **figures})


if __name__ == "__main__":
    main()
