"""Whole-slide images: what is refused, and that pixels lie where they should at 0.5 um/px whatever the scan."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.slides import WHITE, aperio, damage_tile, halved, ramps, tissue, truncate, write_slide
from validation import slides
from validation.errors import InputError
from validation.slides import open_slide

PICTURE = tissue(700, 600)
SCANS = {"0.5": (0.5, 1), "0.25": (0.25, 3), "0.23": (0.23, 2), "0.2525": (0.2525, 2), "0.52": (0.52, 1)}


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same picture as a scan of several resolutions and numbers of levels."""
    folder = tmp_path_factory.mktemp("scans")
    return {
        name: write_slide(folder / f"{name}.tiff", PICTURE, mpp, levels=levels) for name, (mpp, levels) in SCANS.items()
    }


def test_pixels_at_20x_are_those_of_the_file(scans: dict[str, Path]) -> None:
    """At 0.5 um/px nothing is resampled, and a region is cut where it should be."""
    with open_slide(scans["0.5"]) as slide:
        assert (slide.mpp, slide.size_px, slide.level0_px) == (0.5, (700, 600), (700, 600))
        assert np.array_equal(slide.region(0, 0, 700, 600), PICTURE)
        assert np.array_equal(slide.region(224, 112, 224, 224), PICTURE[224:448, 112:336])


def test_level_of_20x_is_used_where_there_is_one(scans: dict[str, Path]) -> None:
    """A scan of 0.25 um/px whose second level is 0.5 um/px gives the pixels of that level."""
    with open_slide(scans["0.25"]) as slide:
        assert slide.size_px == (350, 300)
        assert np.array_equal(slide.region(0, 0, 350, 300), halved(PICTURE))


def test_finer_scan_without_levels_is_reduced_to_nearly_the_mean(tmp_path: Path) -> None:
    """From 0.25 um/px alone a pixel is nearly the mean of four: closer to it than to any other rule's pixel."""
    with open_slide(write_slide(tmp_path / "s.tiff", PICTURE, 0.25)) as slide:
        apart = slide.region(0, 0, 350, 300).astype(float) - halved(PICTURE)

    assert np.abs(apart[2:-2, 2:-2]).mean() < 2
    assert abs(apart[2:-2, 2:-2].mean()) < 0.1


def test_slide_of_svs_has_the_resolution_of_its_description(tmp_path: Path) -> None:
    """The resolution of an Aperio file stands in its description; JPEG as scanners write it is read."""
    description = aperio(PICTURE, 0.2520)
    path = write_slide(tmp_path / "s.svs", PICTURE, None, compression="jpeg", description=description)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.252)
        assert slide.size_px == (352, 302)
        assert np.abs(slide.region(100, 100, 100, 100).astype(float).mean() - PICTURE[200:400, 200:400].mean()) < 3


@pytest.mark.parametrize("name", list(SCANS))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_regions_join_without_seams(scans: dict[str, Path], name: str, data: st.DataObject) -> None:
    """A region is what its two parts are, wherever it is cut, beyond the edge of the slide as well."""
    row, column = data.draw(st.integers(-40, 300)), data.draw(st.integers(-40, 300))
    rows, columns = data.draw(st.integers(2, 150)), data.draw(st.integers(2, 150))
    down, across = data.draw(st.integers(1, rows - 1)), data.draw(st.integers(1, columns - 1))
    with open_slide(scans[name]) as slide:
        whole = slide.region(row, column, rows, columns).astype(int)
        upper, lower = (
            slide.region(row, column, down, columns),
            slide.region(row + down, column, rows - down, columns),
        )
        left, right = (
            slide.region(row, column, rows, across),
            slide.region(row, column + across, rows, columns - across),
        )

    assert np.abs(np.concatenate([upper, lower], axis=0) - whole).max() <= 1
    assert np.abs(np.concatenate([left, right], axis=1) - whole).max() <= 1


def test_blocks_change_nothing(scans: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read in many small blocks, to bound memory, is what is read at once."""
    with open_slide(scans["0.23"]) as slide:
        whole, coarse = slide.region(0, 0, *slide.size_px), slide.overview(5.0)
        monkeypatch.setattr(slides, "READ_PX", 100)
        assert np.abs(slide.region(0, 0, *slide.size_px).astype(int) - whole).max() <= 1
        assert np.abs(slide.overview(5.0).astype(int) - coarse).max() <= 1


@pytest.mark.parametrize(("mpp", "levels"), [*SCANS.values(), (0.11, 3), (0.549, 1)])
def test_pixels_lie_where_they_should(tmp_path: Path, mpp: float, levels: int) -> None:
    """A picture that shows its own coordinates in um shows the same ones in regions and overviews of any scan."""
    with open_slide(write_slide(tmp_path / "s.tiff", ramps(1200, 1000, mpp), mpp, levels=levels)) as slide:
        rows, columns = slide.size_px
        region = slide.region(30, 20, rows - 60, columns - 40).astype(int)
        overview = slide.overview(4.0).astype(int)[2:-2, 2:-2]

    assert np.abs(region - ramps(rows, columns, 0.5)[30:-30, 20:-20]).max() <= 1
    assert np.abs(overview - ramps(1000, 1000, 4.0)[2:, 2:][: overview.shape[0], : overview.shape[1]]).max() <= 2


@pytest.mark.parametrize("name", list(SCANS))
def test_beyond_the_slide_is_white(scans: dict[str, Path], name: str) -> None:
    """Pixels beyond every edge are white; a region wholly outside is too."""
    with open_slide(scans[name]) as slide:
        rows, columns = slide.size_px
        around = slide.region(-10, -10, rows + 30, columns + 30)
        assert (slide.region(rows + 500, -700, 20, 30) == 255).all()

    assert (around[:8] == 255).all()
    assert (around[:, :8] == 255).all()
    assert (around[rows + 13 :] == 255).all()
    assert (around[:, columns + 13 :] == 255).all()
    assert around[20, 20].max() <= WHITE + 12


def test_tile_that_was_not_scanned_is_white(tmp_path: Path) -> None:
    """A tile of an Aperio file without bytes, which OpenSlide shows as transparent, is white."""
    path = write_slide(tmp_path / "s.svs", PICTURE, None, description=aperio(PICTURE, 0.5))
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        counts = tiff.pages[0].tags["TileByteCounts"]
        counts.overwrite((0, *counts.value[1:]))
    with open_slide(path) as slide:
        region = slide.region(0, 0, 256, 256)

    assert (region[:128, :128] == 255).all()
    assert np.array_equal(region[128:], PICTURE[128:256, :256])


def test_level_off_the_pixels_of_level_0_is_not_used_for_regions(tmp_path: Path) -> None:
    """A level whose size is no whole part of level 0 would be interpolated by OpenSlide: level 0 is read instead."""
    path = write_slide(tmp_path / "s.tiff", tissue(1001, 1001), 0.25, levels=2)
    with open_slide(path) as slide, open_slide(write_slide(tmp_path / "1.tiff", tissue(1001, 1001), 0.25)) as single:
        assert np.array_equal(slide.region(100, 100, 300, 300), single.region(100, 100, 300, 300))
        assert np.abs(slide.overview(4.0)[1:-1, 1:-1].astype(float) - single.overview(4.0)[1:-1, 1:-1]).mean() < 3


@pytest.mark.parametrize("px_um", [2.0, 7.3, 16.0, 112.0])
def test_overview_shows_the_whole_slide(scans: dict[str, Path], px_um: float) -> None:
    """It covers the slide, a last partial pixel included, with the mean of what it covers."""
    with open_slide(scans["0.23"]) as slide:
        overview = slide.overview(px_um)

    assert overview.shape == (int(np.ceil(700 * 0.23 / px_um)), int(np.ceil(600 * 0.23 / px_um)), 3)
    if px_um < 16:
        assert abs(overview[1:-1, 1:-1].mean() - PICTURE.mean()) < 8


@pytest.mark.parametrize("px_um", [0.5, 113.0, float("nan")])
def test_overview_of_another_scale_is_refused(scans: dict[str, Path], px_um: float) -> None:
    """An overview as large as the slide, or of tiles, is a mistake of the caller."""
    with open_slide(scans["0.5"]) as slide, pytest.raises(ValueError, match="1 to 112 um/px"):
        slide.overview(px_um)


def test_threads_read_what_one_reads(scans: dict[str, Path]) -> None:
    """Tiles read by several threads from one slide are those read one after the other."""
    places = [(row, column) for row in range(0, 320, 32) for column in range(0, 256, 32)]
    with open_slide(scans["0.2525"]) as slide, ThreadPoolExecutor(4) as pool:
        many = list(pool.map(lambda place: slide.region(*place, 32, 32), places))
        assert all(np.array_equal(slide.region(*place, 32, 32), tile) for place, tile in zip(places, many, strict=True))


def test_bounds_of_the_scan_are_its_upper_left_corner(scans: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a scanner declares a margin empty, coordinates count from the scan, as QuPath's do."""
    bounds = {"x": "128", "y": "64", "width": "400", "height": "500"}

    class Bounded(openslide.OpenSlide):
        @property
        def properties(self) -> dict[str, str]:  # type: ignore[override]
            return {**super().properties, **{f"openslide.bounds-{key}": value for key, value in bounds.items()}}

    monkeypatch.setattr(openslide, "OpenSlide", Bounded)
    with open_slide(scans["0.5"]) as slide:
        assert slide.size_px == slide.level0_px == (500, 400)
        assert np.array_equal(slide.region(0, 0, 100, 100), PICTURE[64:164, 128:228])


def test_resolution_given_is_used_where_the_file_is_silent(tmp_path: Path) -> None:
    """Without tags, or with those for paper that image software writes, the resolution given counts."""
    for mpp, unit in ((None, "INCH"), (25400 / 72, "INCH"), (25400 / 300, "CENTIMETER")):
        path = write_slide(tmp_path / "s.tiff", PICTURE, mpp, unit=unit)
        with open_slide(path, 0.25) as slide:
            assert slide.mpp == 0.25
        with pytest.raises(InputError, match="no resolution"):
            open_slide(path)


def test_resolution_tags_in_inches_and_of_aperio_files_are_read(tmp_path: Path) -> None:
    """Tags in inches count, and those of an Aperio file whose description has no resolution."""
    with open_slide(write_slide(tmp_path / "s.tiff", PICTURE, 0.25, unit="INCH")) as slide:
        assert slide.mpp == pytest.approx(0.25)
    with open_slide(write_slide(tmp_path / "s.svs", PICTURE, 0.4, description=aperio(PICTURE, None))) as slide:
        assert slide.mpp == pytest.approx(0.4)


def test_resolution_given_that_agrees_leaves_that_of_the_file(tmp_path: Path) -> None:
    """Within 5 % the file's own resolution is used."""
    with open_slide(write_slide(tmp_path / "s.tiff", PICTURE, 0.2525), 0.25) as slide:
        assert slide.mpp == pytest.approx(0.2525)


@pytest.mark.parametrize(
    ("mpp", "given_um", "found"),
    [
        (None, None, "no resolution; expected um per pixel"),
        (0.25, 0.5, "0.25 um/px in the file and 0.5 given; expected one resolution"),
        (0.5, 0.53, "0.5 um/px in the file and 0.53 given"),
        (0.5, float("nan"), "0.5 um/px in the file and nan given"),
        (None, float("nan"), "nan um/px"),
        (None, -0.25, "-0.25 um/px; expected 0.1 to 1 um/px"),
        ((0.5, 0.51), None, "0.5 x 0.51 um/px; expected square pixels"),
        (0.05, None, "0.05 um/px; expected 0.1 to 1 um/px"),
        (2.0, None, "2 um/px; expected 0.1 to 1 um/px"),
        (None, 250.0, "250 um/px; expected 0.1 to 1 um/px"),
        (0.6, None, "0.6 um/px: too coarse for 20x tiles"),
        (1.0, None, "1 um/px: too coarse for 20x tiles"),
    ],
)
def test_uncertain_resolution_is_refused(
    tmp_path: Path, mpp: float | tuple[float, float] | None, given_um: float | None, found: str
) -> None:
    """A resolution that is unknown, contradicted, anisotropic or outside 0.1 to 0.55 um/px is refused in words."""
    path = write_slide(tmp_path / "s.tiff", PICTURE, mpp)

    with pytest.raises(InputError) as refused:
        open_slide(path, given_um)
    assert found in str(refused.value)
    assert str(refused.value).startswith(str(path))


def test_slightly_different_axes_are_accepted(tmp_path: Path) -> None:
    """Scanners state axes that differ by a fraction of a percent; their mean is used."""
    with open_slide(write_slide(tmp_path / "s.tiff", PICTURE, (0.2500, 0.2510))) as slide:
        assert slide.mpp == pytest.approx(0.2505)


def text_file(path: Path) -> None:
    """Write text under the name of a slide."""
    path.write_text("not a slide\n" * 50)


def strips(path: Path) -> None:
    """Write an RGB TIFF without tiles."""
    tifffile.imwrite(path, PICTURE, photometric="rgb", rowsperstrip=64, resolution=(20000, 20000), resolutionunit=3)


def cut(share: float, levels: int = 2) -> Callable[[Path], None]:
    """Return a writer of a truncated slide."""

    def write(path: Path) -> None:
        truncate(write_slide(path, PICTURE, 0.5, levels=levels, compression="jpeg"), share)

    return write


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (text_file, "a file that is no slide"),
        (lambda path: path.touch(), "an empty file"),
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: None, "no such file"),
        (strips, r"(a TIFF must be tiled)"),
        (cut(0.3), "a file that is no slide, or a damaged one"),
        (cut(0.99), "a damaged slide (Cannot hash TIFF tiles: Short read of file s.tiff"),
    ],
)
def test_what_is_no_whole_slide_is_refused(tmp_path: Path, write: Callable[[Path], object], found: str) -> None:
    """Text, nothing, a folder, untiled TIFF and truncated files are refused, each in words."""
    write(path := tmp_path / "s.tiff")

    with pytest.raises(InputError) as refused:
        open_slide(path)
    assert found in str(refused.value)


def test_file_cut_where_openslide_does_not_look_is_refused(tmp_path: Path) -> None:
    """OpenSlide reads the coarsest level when it opens a file; here level 0 lies behind it and is cut off."""
    path = tmp_path / "s.tiff"
    with tifffile.TiffWriter(path) as tiff:
        for picture, reduced in ((halved(PICTURE), 0), (PICTURE, 1)):
            tiff.write(picture, photometric="rgb", tile=(128, 128), compression="deflate", subfiletype=reduced)
    open_slide(path, 0.5).close()
    whole = path.stat().st_size
    truncate(path, 0.9)

    with pytest.raises(InputError, match=rf"{path.stat().st_size} bytes: truncated; expected {whole} bytes"):
        open_slide(path, 0.5)


def test_slides_in_several_files_are_refused(scans: dict[str, Path], tmp_path: Path) -> None:
    """The digest of one file would not tell whether the pixels in the others are the same."""
    path = tmp_path / "s.mrxs"
    shutil.copy(scans["0.5"], path)

    with pytest.raises(InputError, match=r"\.mrxs, a slide in several files"):
        open_slide(path)


def test_slide_longer_than_glass_is_refused(scans: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A length of decimetres is a wrong resolution, or a file made to exhaust memory."""
    monkeypatch.setattr(slides, "LONGEST_MM", 0.3)

    with pytest.raises(InputError, match=r"0\.35 mm along one side; expected at most 0\.3 mm"):
        open_slide(scans["0.5"])


@pytest.mark.parametrize("compression", ["jpeg", "deflate"])
def test_damaged_tile_is_named_and_the_slide_stays_refused(tmp_path: Path, compression: str) -> None:
    """A tile that cannot be decoded is an error with its place; nothing more is read of this slide, which is said."""
    path = write_slide(tmp_path / "s.tiff", PICTURE, 0.5, levels=2, compression=compression)
    damage_tile(path, 6)
    with open_slide(path) as slide:
        assert slide.region(0, 0, 100, 100).shape == (100, 100, 3)
        with pytest.raises(
            InputError, match=r"cannot be decoded within .* of level 0 at x 126, y 126 of level 0"
        ) as bad:
            slide.region(129, 129, 64, 64)
        with pytest.raises(InputError, match="at x 126, y 126 of level 0"):
            slide.region(0, 0, 100, 100)

    assert str(bad.value).startswith(f"{path}: found ")
    assert str(path) not in bad.value.found


def test_close_may_be_called_twice(scans: dict[str, Path]) -> None:
    """Closing again does nothing."""
    slide = open_slide(scans["0.5"])
    slide.close()
    slide.close()


def test_content_digest_follows_the_pixels_only(tmp_path: Path) -> None:
    """Another name, resolution, description and pyramid leave it; another scan, a part of it and a change do not."""
    digests = []
    changed = PICTURE.copy()
    changed[330:370] -= 1
    for picture, mpp, levels, tags in (
        (PICTURE, 0.5, 1, {}),
        (PICTURE, 0.25, 3, {"description": "again", "software": "S"}),
        (tissue(700, 600, seed=1), 0.5, 1, {}),
        (PICTURE[:-2], 0.5, 1, {}),
        (changed, 0.5, 1, {}),
    ):
        path = write_slide(tmp_path / f"{len(digests)}.tiff", picture, mpp, levels=levels, tile_px=256, **tags)
        with open_slide(path) as slide:
            digests.append(slide.content_sha256())

    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_tile_and_resolution_are_those_of_the_model() -> None:
    """The judge may not import a model: the grid on which it reads slides is declared twice and must agree."""
    from models import histology_spatial_survival as model

    assert (slides.MPP, slides.TILE_PX) == (model.MPP, model.TILE_PX)
