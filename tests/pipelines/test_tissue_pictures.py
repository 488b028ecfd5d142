"""The picture of a tissue map: colours, outlines, scale bars, and that nothing is cut off."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models import MODELS
from models.maps import SlideMap, slide_map
from pipelines.tissue_pictures import (
    TissuePicture,
    TissueRow,
    bar_um,
    borders,
    colours_of,
    draw_tissue_map,
    length_text,
    panels,
)

DEFICIENCIES = {  # of colour vision, complete: Machado, IEEE Trans Vis Comput Graph 2009;15:1291; of linear RGB
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
TOLD_APART = 15.0  # CIE 1976 difference; 2.3 is just noticeable side by side


def slide_maps() -> list[SlideMap]:
    """Of every model that reads slides."""
    return [slide_map(spec) for spec in MODELS.values() if spec.tiles is not None]


def lab(colour: str, deficiency: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* of "#rrggbb" as it is seen."""
    share = np.array(list(bytes.fromhex(colour[1:]))) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(deficiency @ linear, 0, 1) / XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_every_slide_map_is_of_its_model() -> None:
    """A tissue per class of the classifier, an output and features that the model has, a tumour that is one."""
    for spec in (spec for spec in MODELS.values() if spec.tiles is not None):
        declared, outputs = slide_map(spec), {tensor.name: tensor for tensor in spec.outputs}
        assert spec.tiles is not None
        assert len(declared.tissues) == len(spec.tiles.tissues)
        assert declared.tissues[declared.tumour].name == "tumour"
        assert outputs[declared.output].shape == ()
        assert outputs[declared.features].labels


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_can_be_told_apart_by_everybody(deficiency: str) -> None:
    """Any two tissues, and any tissue and the white of dropped tiles, also with a colour vision deficiency."""
    for declared in slide_maps():
        seen = [lab(colour, DEFICIENCIES[deficiency]) for colour in (*(t.colour for t in declared.tissues), "#ffffff")]
        assert min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2)) > TOLD_APART


LEGEND = (TissueRow("A", "first", "#ff0000", 0.25), TissueRow("B", "second", "#0000ff", 0.75))


def test_tiles_have_the_colour_of_the_legend() -> None:
    """White where dropped."""
    found = colours_of(np.array([[0, 1, -1]], dtype=np.int8), LEGEND)

    np.testing.assert_array_equal(found, [[[255, 0, 0], [0, 0, 255], [255, 255, 255]]])


@pytest.mark.parametrize(
    ("width_um", "expected"),
    [(400, "100 µm"), (1300, "200 µm"), (1700, "500 µm"), (3400, "1 mm"), (24_000, "5 mm"), (60_000, "10 mm")],
)
def test_the_scale_bar_is_a_round_length_that_fits(width_um: float, expected: str) -> None:
    """1, 2 or 5 of a power of ten, not above three tenths of the width."""
    assert length_text(bar_um(width_um)) == expected
    assert 0.1 < bar_um(width_um) / width_um <= 0.3


def test_outlines_follow_the_edges_of_tiles() -> None:
    """A single tile has four edges, two side by side six; the rim of the map counts."""
    one = np.zeros((2, 3), dtype=bool)
    one[1, 2] = True
    two = one.copy()
    two[1, 1] = True

    assert sorted(borders(one)) == [((2, 1), (2, 2)), ((2, 1), (3, 1)), ((2, 2), (3, 2)), ((3, 1), (3, 2))]
    assert len(borders(two)) == 6
    assert borders(np.zeros((2, 3), dtype=bool)) == []


@pytest.mark.parametrize("size_um", [(9000.0, 30_000.0), (20_000.0, 21_000.0), (40_000.0, 9000.0)])
def test_panels_keep_the_shape_of_the_slide(size_um: tuple[float, float]) -> None:
    """Neither stretched nor on each other."""
    (width, height), ((x, y), (x_of_map, y_of_map)) = panels(size_um)

    assert height / width == pytest.approx(size_um[0] / size_um[1])
    assert x_of_map >= x + width or y_of_map >= y + height


def drawn_texts(figure: Figure) -> list[Any]:
    """Every text of a figure that is not empty."""
    axes = [text for one in figure.axes for text in (*one.texts, one.title)]
    return [text for text in (*figure.texts, *axes) if text.get_text()]


@pytest.mark.parametrize("shape", [(60, 40), (12, 90), (90, 8), (3, 3)])
def test_no_text_is_cut_off_or_covers_another(
    shape: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tall, wide and tiny slides with long names and a long reason: every text lies on the page, alone."""
    figures: list[Figure] = []
    monkeypatch.setattr("pipelines.tissue_pictures.save", lambda figure, _path: figures.append(figure))
    (declared,) = slide_maps()
    tissue = np.random.default_rng(0).integers(-1, 7, shape).astype(np.int8)
    picture = TissuePicture(
        title="A-HOSPITAL-PATIENT-0001   sof = -10.25",
        meaning="slide: the largest tumour region holds 12 tumour tiles, expected at least 50 " * 5,
        note="SYNTHETIC cohort liver_external, model histology_spatial_survival, classifier 6c05ba75aa74",
        overview=np.full((shape[0] * 4, shape[1] * 4, 3), 200, dtype=np.uint8),
        overview_um=28.0,
        size_um=(shape[0] * 112.0 + 5, shape[1] * 112.0 + 9),
        tissue=tissue,
        tile_um=112.0,
        outlined=tissue == declared.tumour,
        legend=tuple(
            TissueRow(code, t.name, t.colour, 1.0) for code, t in zip("ABCDEFG", declared.tissues, strict=True)
        ),
    )
    draw_tissue_map(picture, tmp_path / "map.png")
    (figure,) = figures
    page = figure.bbox
    boxes = [text.get_window_extent() for text in drawn_texts(figure)]

    assert len(boxes) > 20
    for box in boxes:
        assert page.x0 <= box.x0, box
        assert box.x1 <= page.x1, box
        assert page.y0 <= box.y0, box
        assert box.y1 <= page.y1, box
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
