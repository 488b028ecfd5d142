"""Tests of the arrangement of tissues: shares, what each latent variable changes, tiles of cells."""

from __future__ import annotations

import numpy as np
import pytest

from models.histology_spatial_survival import TISSUES
from pipelines.synthetic.liver_layout import GLASS, SIDES_TILES, Layout, draw_layout, growth_pattern

BIOLOGY = ("z_debris", "z_lymph", "z_parenchyma", "z_margin")
MEAN = dict.fromkeys(BIOLOGY, 0.0)


def _draw(seed: int, **biology: float) -> Layout:
    return draw_layout(MEAN | biology, np.random.default_rng(seed))


def _share(layouts: list[Layout], tissue: str) -> float:
    """Return the mean share of a tissue among the cells of slides."""
    return float(np.mean([(layout.cells == TISSUES.index(tissue)).mean() for layout in layouts]))


def test_a_tile_is_what_most_of_it_is() -> None:
    """The commonest tissue counts, glass only above one half, and an incomplete tile is left out."""
    cells = np.full((20, 17), TISSUES.index("TUM"), np.int8)
    cells[:8, :8] = TISSUES.index("STR")
    cells[:8, 8:16] = GLASS
    cells[:4, 8:16] = TISSUES.index("HEP")
    cells[8:13, :8] = GLASS
    cells[13:16, :8] = TISSUES.index("LYM")
    tiles = Layout(cells).tiles()
    assert tiles.tolist() == [[TISSUES.index("STR"), TISSUES.index("HEP")], [GLASS, TISSUES.index("TUM")]]


def test_the_same_generator_gives_the_same_slide() -> None:
    """Another start gives another."""
    np.testing.assert_array_equal(_draw(7).cells, _draw(7).cells)
    assert _draw(7).cells.shape != _draw(9).cells.shape or (_draw(7).cells != _draw(9).cells).any()


def test_a_slide_has_every_tissue_a_margin_of_glass_and_enough_tumour() -> None:
    """About a tenth is glass; every tissue is on nearly every slide; the tumour has about 65 tiles."""
    layouts = [_draw(seed) for seed in range(60)]
    glass = np.array([(layout.cells == GLASS).mean() for layout in layouts])
    assert 0.05 < glass.mean() < 0.13
    for tissue in TISSUES:
        present = [tissue for layout in layouts if (layout.cells == TISSUES.index(tissue)).any()]
        assert len(present) > 55, tissue
    tumour = np.array([(layout.tiles() == TISSUES.index("TUM")).sum() for layout in layouts])
    assert 58 < tumour.mean() < 72
    assert {side for layout in layouts for side in layout.tiles().shape} <= set(SIDES_TILES)


@pytest.mark.parametrize(("latent", "tissue"), [("z_debris", "DEB"), ("z_lymph", "LYM"), ("z_parenchyma", "HEP")])
def test_a_latent_variable_shows_as_its_tissue(latent: str, tissue: str) -> None:
    """One standard deviation more makes more of it, on the same slides."""
    low, high = ([_draw(seed, **{latent: z}) for seed in range(15)] for z in (-1.0, 1.0))
    assert _share(high, tissue) > 1.5 * _share(low, tissue)


def test_borders_do_not_follow_the_tiles() -> None:
    """Most tiles at the edge of the tumour are mixed."""
    cells = _draw(7).cells
    rows, columns = (size // 8 * 8 for size in cells.shape)
    tumour = cells[:rows, :columns] == TISSUES.index("TUM")
    share = tumour.reshape(rows // 8, 8, columns // 8, 8).mean(axis=(1, 3))
    assert ((share > 0.05) & (share < 0.95)).sum() > 20


def test_growth_patterns_follow_the_margin() -> None:
    """A thick rim is desmoplastic, none is replacement."""
    assert growth_pattern(np.array([-1.0, 0.5, 2.0])).tolist() == ["desmoplastic", "pushing", "replacement"]


def test_necrosis_lies_within_the_tumour() -> None:
    """No debris touches glass, fat or liver: living tumour or mucus is around it."""
    allowed = {TISSUES.index(name) for name in ("DEB", "TUM", "MUC")}
    for seed in range(10):
        cells = np.pad(_draw(seed, z_debris=1.0).cells, 1, mode="edge")  # the slide may end within the tumour
        debris = np.argwhere(cells[1:-1, 1:-1] == TISSUES.index("DEB")) + 1
        around = {int(cells[row + i, column + j]) for row, column in debris for i in (-1, 0, 1) for j in (-1, 0, 1)}
        assert around <= allowed
