"""A pathologist's annotations: what is refused, and which tiles lie in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.annotations import SAMPLES, Annotation, Annotations, annotated_tiles, read_annotations
from validation.errors import InputError

TISSUES = ("BACK", "DEB", "HEP", "LYM", "MUC", "STR", "TUM")
TILE = 224  # pixels of level 0 of a scan at 0.5 um/px


@dataclass(frozen=True)
class Scan:
    """What is asked of a slide; 6 x 8 tiles, and a partial one along each axis."""

    mpp: float = 0.5
    level0_px: tuple[int, int] = (6 * TILE + 100, 8 * TILE + 50)

    @property
    def size_px(self) -> tuple[int, int]:
        """(rows, columns) at 0.5 um/px."""
        rows, columns = (int(n * self.mpp / 0.5) for n in self.level0_px)
        return rows, columns


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    """Return a rectangle as a ring, in tiles from the upper left corner."""
    x = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return [[a * TILE, b * TILE] for a, b in x]


def feature(tissue: Any, *rings: Any, kind: str = "Polygon") -> dict[str, Any]:
    """Return a feature as QuPath writes it."""
    return {
        "type": "Feature",
        "id": "a8b9",
        "geometry": {"type": kind, "coordinates": list(rings)},
        "properties": {"objectType": "annotation", "classification": {"name": tissue, "color": [200, 0, 0]}},
    }


def write(path: Path, *features: Any, collection: bool = True) -> Path:
    """Write features as QuPath exports them."""
    document = {"type": "FeatureCollection", "features": list(features)} if collection else list(features)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def tiles(path: Path, *features: Any, slide: Scan | None = None) -> np.ndarray[Any, Any]:
    """Return the annotated tiles of features."""
    slide = slide or Scan()
    return annotated_tiles(read_annotations(write(path / "a.geojson", *features), TISSUES, slide), slide)


@pytest.mark.parametrize("collection", [True, False])
def test_tiles_in_a_polygon_have_its_tissue(tmp_path: Path, collection: bool) -> None:
    """Of a rectangle the tiles that lie wholly in it, by hand; a collection and a list of features are the same."""
    path = write(
        tmp_path / "a", feature("HEP", box(1, 2, 4, 5)), feature("TUM", box(5, 0, 6.5, 1)), collection=collection
    )
    expected = np.full((6, 8), -1)
    expected[2:5, 1:4], expected[0, 5] = 2, 6

    found = annotated_tiles(read_annotations(path, TISSUES, Scan()), Scan())
    assert found.dtype == np.int8
    assert np.array_equal(found, expected)


def test_tiles_follow_the_resolution_of_the_slide(tmp_path: Path) -> None:
    """Coordinates are pixels of level 0: at 0.25 um/px a tile spans 448 of them."""
    found = tiles(tmp_path, feature("TUM", box(0, 2, 4, 4)), slide=Scan(0.25))

    assert found.shape == (3, 4)
    assert np.argwhere(found == 6).tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize(("right", "inside"), [(1.0, True), (0.96, True), (0.9, False), (0.5, False)])
def test_nearly_all_of_a_tile_is_enough(tmp_path: Path, right: float, inside: bool) -> None:
    """95 % of a tile must lie in the area, so that a line drawn a little too short costs no tile."""
    assert (tiles(tmp_path, feature("LYM", box(0, 0, right, 1)))[0, 0] == 3) == inside


def test_hole_is_not_inside(tmp_path: Path) -> None:
    """A tile in the hole of a polygon, or with a good part of the hole, has no tissue."""
    found = tiles(tmp_path, feature("STR", box(0, 0, 5, 5), box(2, 2, 3.5, 3)))

    assert np.count_nonzero(found == 5) == 25 - 2
    assert found[2, 2] == found[2, 3] == -1


def test_several_polygons_are_one_area(tmp_path: Path) -> None:
    """A MultiPolygon covers the tiles of its parts, also one that only both together cover."""
    parts = [box(0, 0, 1.5, 1)], [box(1.5, 0, 3, 1)], [box(0, 3, 2, 5), box(0, 3, 1, 4)]
    found = tiles(tmp_path, feature("MUC", *parts, kind="MultiPolygon"))

    assert np.argwhere(found == 4).tolist() == [[0, 0], [0, 1], [0, 2], [3, 1], [4, 0], [4, 1]]


def test_two_tissues_in_one_tile_are_none(tmp_path: Path) -> None:
    """Areas that contradict each other on more than 5 % of a tile leave it out; areas of one tissue may overlap."""
    found = tiles(
        tmp_path,
        feature("TUM", box(0, 0, 3, 1)),
        feature("DEB", box(1, 0, 2, 1)),
        feature("TUM", box(2, 0, 4, 1)),
        feature("HEP", box(3.97, 0, 5, 1)),
    )

    assert found[0].tolist() == [6, -1, 6, 6, 2, -1, -1, -1]


@settings(deadline=None, max_examples=50)
@given(points=st.lists(st.tuples(st.floats(0, 8), st.floats(0, 6)), min_size=3, max_size=12))
def test_tile_lies_in_the_polygon_that_holds_its_points(points: list[tuple[float, float]]) -> None:
    """Of any polygon, self-crossing or not, a tile is inside when 95 % of its points are, each asked by itself."""
    ring = np.array([*points, points[0]]) * TILE
    areas = Annotations("a", TISSUES, (Annotation(1, "TUM", ((ring,),)),))
    found = annotated_tiles(areas, Scan())
    at = (np.arange(8 * SAMPLES) + 0.5) * TILE / SAMPLES
    grid = np.stack(np.meshgrid(at, at[: 6 * SAMPLES]), -1).reshape(-1, 2)
    turns = sum(_turns(ring[i], ring[i + 1], grid) for i in range(len(ring) - 1))
    inside = (turns % 2 == 1).reshape(6, SAMPLES, 8, SAMPLES).mean(axis=(1, 3)) >= 0.95

    assert np.array_equal(found == 6, inside)


def _turns(start: Any, end: Any, points: Any) -> Any:
    """Return for every point whether a ray to its right crosses an edge."""
    (x0, y0), (x1, y1) = start, end
    straddles = (y0 <= points[:, 1]) != (y1 <= points[:, 1])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0)
    return (straddles & (x > points[:, 0])).astype(int)


GOOD = feature("TUM", box(0, 0, 1, 1))
OPEN = feature("TUM", box(0, 0, 1, 1)[:-1])


@pytest.mark.parametrize(
    ("features", "found"),
    [
        ([GOOD, feature("TUMOR", box(0, 0, 1, 1))], "feature 2: found the class 'TUMOR'; expected one of BACK, DEB"),
        ([GOOD, {**GOOD, "properties": {"objectType": "annotation"}}], "feature 2: found no class"),
        ([{**GOOD, "properties": None}], "feature 1: found no class"),
        ([feature(["TUM"], box(0, 0, 1, 1))], "feature 1: found the class"),
        ([GOOD, OPEN], "feature 2: found a ring that is not closed"),
        ([GOOD, GOOD, feature("TUM", box(0, 0, 1, 1), box(0, 0, 1, 1)[1:])], "feature 3: found a ring that is not clo"),
        ([feature("TUM", box(0, 0, 9, 1))], "found feature 1 reaching over x 0 to 2016 and y 0 to 224, outside"),
        ([GOOD, feature("TUM", box(-0.1, 0, 1, 1))], "found feature 2 reaching over x -22.4 to 224"),
        ([feature("TUM", box(0, 0, 1, 1), box(0, 0, 1, 7))], "found feature 1 reaching over"),
        ([feature("TUM", [[0, 0], [1, 1e999], [1, 0], [0, 0]])], "Infinity is not a number"),
        ([feature("TUM", [[0, 0], [1, float("nan")], [1, 0], [0, 0]])], "NaN is not a number"),
        ([feature("TUM", [[0, 0], [1, 10**400], [1, 0], [0, 0]])], "feature 1: found a coordinate that is not finite"),
        ([feature("TUM", [[0, 0], [1, "2"], [1, 0], [0, 0]])], "feature 1: found the point [1, '2']; expected two num"),
        ([feature("TUM", [[0, 0], [1, True], [1, 0], [0, 0]])], "feature 1: found the point [1, True]"),
        ([feature("TUM", [[0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]])], "feature 1: found the point [0, 0, 0]"),
        ([feature("TUM", [[0, 0], [5, 5], [0, 0]])], "feature 1: found a ring of 3 points without area"),
        ([feature("TUM", [[0, 0], [5, 5], [9, 9], [0, 0]])], "feature 1: found a ring of 4 points without area"),
        ([feature("TUM", [])], "feature 1: found no point"),
        ([feature("TUM")], "feature 1: found no ring"),
        ([feature("TUM", kind="MultiPolygon")], "feature 1: found no polygon"),
        ([feature("TUM", [], kind="MultiPolygon")], "feature 1: found no ring"),
        ([feature("TUM", 5, 5, kind="Point")], "feature 1: found the geometry 'Point'; expected a Polygon or"),
        ([{**GOOD, "geometry": None}], "feature 1: found the geometry None"),
        ([{**GOOD, "type": "Polygon"}], "feature 1: found something else; expected a GeoJSON feature"),
        (["TUM"], "feature 1: found something else"),
        ([], "found no feature; expected at least one"),
    ],
)
def test_unsound_annotations_are_refused(tmp_path: Path, features: list[Any], found: str) -> None:
    """Unknown or no class, open rings, points outside or not finite, other geometry and nothing: file and feature."""
    path = write(tmp_path / "a.geojson", *features)

    with pytest.raises(InputError) as refused:
        read_annotations(path, TISSUES, Scan())
    assert str(refused.value).startswith(str(path))
    assert found in str(refused.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "text that is no JSON"),
        (b"\xff\xfe", "text that is no JSON"),
        (b'{"type": "FeatureCollection", "features": [', "text that is no JSON"),
        (b"[" * 200_000, "text that is no JSON"),
        (b'{"type": "FeatureCollection"}', "no list of features"),
        (b'{"type": "Feature"}', "no list of features"),
        (b'"TUM"', "no list of features"),
        (b"[[1e999]]", "feature 1: found something else"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    """What is no JSON, or other JSON, is refused in words."""
    (path := tmp_path / "a.geojson").write_bytes(content)

    with pytest.raises(InputError) as refused:
        read_annotations(path, TISSUES)
    assert found in str(refused.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A path to nothing, and one to a folder, are input errors."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="nothing that can be read"):
            read_annotations(path, TISSUES)


def test_edge_of_the_slide_is_inside(tmp_path: Path) -> None:
    """A box around the whole slide, as QuPath draws it, is accepted without its size being exceeded."""
    rows, columns = Scan().level0_px
    ring = [[0, 0], [columns, 0], [columns, rows], [0, rows], [0, 0]]

    assert (tiles(tmp_path, feature("HEP", ring)) == 2).all()


def test_tissues_are_those_of_the_model() -> None:
    """The judge may not import a model: the classes are declared in the schema, in the order of the classifier."""
    from models.histology_spatial_survival import TISSUES
    from validation.documents import read_yaml
    from validation.schema import SCHEMAS

    declared = read_yaml(SCHEMAS / "liver_histology/images.yaml")["images"]["annotations"]["tissues"]

    assert tuple(declared) == TISSUES
