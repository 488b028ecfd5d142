"""Tests of the liver cohorts on disk: slides that OpenSlide reads, annotations of pure tiles, same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import openslide
import pandas as pd
import pytest

from models.histology_spatial_survival import TISSUES
from pipelines.synthetic.liver_layout import CELLS_PER_TILE, draw_layout
from pipelines.synthetic.liver_metastasis import layout_of
from pipelines.synthetic.liver_slide import render, scan
from pipelines.synthetic.randomness import patient_generator
from pipelines.synthetic.simulation import simulate
from pipelines.synthetic.slide_annotation import annotate, write_annotations
from pipelines.synthetic.slide_scanner import SLIDE_SCANNERS
from pipelines.synthetic.slide_writing import pyramid, write_slide
from pipelines.synthetic.writing import write_cohort
from tests.pipelines.synthetic.conftest import definition_of
from validation.annotations import annotated_tiles, read_annotations
from validation.check import check_cohort
from validation.cohort import load_cohort
from validation.digests import file_sha256, folder_sha256
from validation.slides import open_slide

N = 10
COHORTS = {"liver_development": 0.5, "liver_external": 7 / 15}  # resolution in um per pixel
BIOLOGY = ("z_debris", "z_lymph", "z_parenchyma", "z_margin")


@pytest.fixture(scope="module", params=COHORTS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a cohort of ten patients, its oracle beside it."""
    definition = definition_of(request.param)
    folder = tmp_path_factory.mktemp("written") / definition.name
    write_cohort(definition, N / definition.published_n, 7, folder, folder.with_suffix(".parquet"), jobs=1)
    return folder


def test_it_passes_every_check_of_the_judge(written: Path) -> None:
    """Tables, slides, annotations and digests are as the contract demands, and no column is left out."""
    result = check_cohort(written)
    assert [check for check in result.to_dict()["checks"] if not check["success"]] == []
    assert result.to_dict()["n"] == N
    assert result.extra_columns == {"patients": [], "outcomes": []}


def test_openslide_reads_resolution_and_levels(written: Path) -> None:
    """The resolution is in the file; levels shrink by four; the overview shows tissue and a bright rim."""
    expected = COHORTS[written.name]
    for path in sorted((written / "images").glob("*/slide.tiff")):
        with openslide.OpenSlide(path) as slide:
            assert slide.properties["openslide.vendor"] == "generic-tiff"
            assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(expected, rel=1e-4)
            assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(expected, rel=1e-4)
            assert slide.level_downsamples == pytest.approx([1, 4], rel=0.01)
            overview = np.asarray(slide.read_region((0, 0), 1, slide.level_dimensions[1]))[..., :3].astype(int)
        assert overview[:8, :8].min() > 200
        assert 0.5 < (overview.min(axis=2) < 206).mean() < 0.95
        assert path.stat().st_size < 4_000_000


def test_colours_survive_the_file(tmp_path: Path) -> None:
    """What OpenSlide reads is what was given, up to JPEG."""
    scanner = SLIDE_SCANNERS["WSI1"]
    layout = draw_layout(dict.fromkeys(BIOLOGY, 0.0), np.random.default_rng(7))
    pixels = scan(layout.cells, scanner, np.random.default_rng(7))
    write_slide(pixels, scanner.mpp, scanner.jpeg_quality, tmp_path / "slide.tiff")
    with openslide.OpenSlide(tmp_path / "slide.tiff") as slide:
        assert slide.dimensions == pixels.shape[1::-1]
        read = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]
    assert abs(read.astype(int) - pixels).mean() < 8
    np.testing.assert_allclose(read.mean(axis=(0, 1)), pixels.mean(axis=(0, 1)), atol=1.5)


def test_annotations_hold_pure_tiles_of_every_tissue(written: Path) -> None:
    """Every tile that the judge takes for annotated is of that tissue; the annotated slides have all seven tissues."""
    definition = definition_of(written.name)
    cohort = simulate(definition, N / definition.published_n, seed=7)
    paths = load_cohort(written).patients["annotations_path"]
    found = np.zeros(len(TISSUES), int)
    for patient, relative in zip(cohort.renderings, paths, strict=True):
        assert bool(relative) == bool(patient.latents["annotated"])
        if not relative:
            continue
        with open_slide((written / relative).with_name("slide.tiff")) as slide:
            tiles = annotated_tiles(read_annotations(written / relative, TISSUES, slide), slide)
        truth = layout_of(patient.latents).tiles()
        chosen = tiles >= 0
        assert (tiles[chosen] == truth[chosen]).all()
        found += np.bincount(tiles[chosen], minlength=len(TISSUES))
    assert (found >= 4).all(), dict(zip(TISSUES, found, strict=True))


def test_annotations_are_those_of_qupath(written: Path) -> None:
    """A FeatureCollection of closed polygons in pixels, classified."""
    document = json.loads(next((written / "images").glob("*/annotations.geojson")).read_text())
    assert document["type"] == "FeatureCollection"
    for feature in document["features"]:
        (ring,) = feature["geometry"]["coordinates"]
        assert feature["geometry"]["type"] == "Polygon"
        assert feature["properties"]["classification"]["name"] in TISSUES
        assert ring[0] == ring[-1]


def test_outlines_hold_whole_tiles_and_leave_other_tissue_out(tmp_path: Path) -> None:
    """A square of nine tiles in another tissue is outlined within itself; a strip thinner than a tile is not."""
    cells = np.full((64, 64), TISSUES.index("STR"), np.int8)
    cells[16:40, 16:40] = TISSUES.index("TUM")
    cells[48:52, :] = TISSUES.index("LYM")
    areas = annotate(cells, CELLS_PER_TILE, np.random.default_rng(7))
    assert {area.tissue for area in areas} == {"STR", "TUM"}
    (tumour,) = [area.outline for area in areas if area.tissue == "TUM"]
    assert tumour.min() >= 16
    assert tumour.max() <= 40
    assert (tumour.min(axis=0) <= 24).all()
    assert (tumour.max(axis=0) >= 32).all()
    write_annotations(areas, 28, tmp_path / "areas.geojson")
    assert len(json.loads((tmp_path / "areas.geojson").read_text())["features"]) == len(areas)


def test_same_bytes_whatever_the_number_of_processes(tmp_path: Path) -> None:
    """Writing with one process and with two gives the same files, byte for byte."""
    definition = definition_of("liver_external")
    for jobs in (1, 2):
        folder = tmp_path / str(jobs)
        write_cohort(definition, 3 / 404, 7, folder / definition.name, folder.with_suffix(".parquet"), jobs=jobs)
    assert folder_sha256(tmp_path / "1") == folder_sha256(tmp_path / "2")
    assert file_sha256(tmp_path / "1.parquet") == file_sha256(tmp_path / "2.parquet")


def test_more_patients_leave_the_first_slides_as_they_were(written: Path, tmp_path: Path) -> None:
    """A slide depends on the seed and the position of the patient, not on the size of the cohort."""
    definition = definition_of(written.name)
    patient = simulate(definition, 2 / definition.published_n, seed=7).renderings[1]
    files = render(patient, tmp_path)
    first = load_cohort(written).patients.iloc[1]
    assert {name: file_sha256(tmp_path / file) for name, file in files.items()} == {
        "slide": first["slide_sha256"],
        "annotations": first["annotations_sha256"],
    }


def test_slides_of_one_centre_are_stained_differently() -> None:
    """The same arrangement twice has other pixels and another mean colour."""
    layout = draw_layout(dict.fromkeys(BIOLOGY, 0.0), np.random.default_rng(7))
    one, other = (
        scan(layout.cells, SLIDE_SCANNERS["WSI1"], patient_generator(7, "test", position, "slide"))
        for position in (0, 1)
    )
    assert abs(one.mean(axis=(0, 1)) - other.mean(axis=(0, 1))).max() > 1


def test_the_pyramid_keeps_the_mean() -> None:
    """Each level is a quarter of the one before and as bright; a small slide has one level."""
    pixels = np.random.default_rng(7).integers(0, 256, (1100, 1205, 3)).astype(np.uint8)
    levels = pyramid(pixels)
    assert [level.shape for level in levels] == [(1100, 1205, 3), (275, 301, 3)]
    assert levels[1].mean() == pytest.approx(pixels.mean(), abs=1)
    assert len(pyramid(pixels[:900])) == 1


def test_the_oracle_is_apart(written: Path) -> None:
    """It has the patients of the cohort and lies outside its folder."""
    oracle = pd.read_parquet(written.with_suffix(".parquet"))
    assert oracle["patient_id"].tolist() == load_cohort(written).patients["patient_id"].tolist()
    assert not list(written.rglob("*.parquet"))
