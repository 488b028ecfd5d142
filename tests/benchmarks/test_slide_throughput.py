"""The slide benchmark: that its slide is one, and that the committed figures keep their bounds."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from models.histology_spatial_survival.tile_map import DROPPED
from tests.benchmarks.loading import benchmark
from tests.models.histology_spatial_survival.slides import MeanColour
from validation.documents import read_json


@pytest.fixture(scope="module")
def throughput() -> ModuleType:
    """The script, imported as a module."""
    return benchmark("slide_throughput")


def test_slide_of_the_benchmark_is_read(throughput: ModuleType, tmp_path: Path) -> None:
    """The pyramid opens at 0.5 micrometres, its tissue is classified and the same for any number of readers."""
    throughput.write_slide(tmp_path / "slide.tiff", 2000, share=0.4)
    with throughput.slides.open_slide(tmp_path / "slide.tiff") as slide:
        maps = [throughput.read_tiles(slide, MeanColour(), readers=readers) for readers in (1, 4)]

    assert slide.size_px == (2000, 2000)
    assert len({found.probability.tobytes() for found in maps}) == 1
    assert 0.3 < np.mean(maps[0].tissue != DROPPED) < 0.7


def test_committed_figures_keep_their_bounds(throughput: ModuleType) -> None:
    """Four fifths of the network's speed are left, and a slide 64 times as large takes no more memory."""
    document = read_json(throughput.OUTPUT_JSON)
    assert document is not None
    ratios = sorted(turn["ratio"] for turn in document["turns"])
    small, large = sorted(document["memory"], key=lambda one: one["side_px"])

    assert ratios[len(ratios) // 2] >= document["ratio_min"] == throughput.RATIO_MIN
    assert large["tiles"] > 50 * small["tiles"]
    assert large["peak_mib"] < 1.25 * small["peak_mib"]
