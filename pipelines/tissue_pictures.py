"""Pictures for people: a slide beside its tissue map, with scale bars and a legend. Draws arrays; knows no model."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

READ_NOT_WHY = "What the classifier read, not why a patient died; no evidence, and no gate looks at it."
BESIDE_IN, STACKED_IN = (4.0, 6.0), (8.3, 4.0)  # width and height at most of a panel beside, or above, the other
WIDE = 1.6  # times as wide as high: the panels are stacked
LEGEND_IN, PAGE_IN_MIN = 3.1, 8.0  # width; the page has room for the notes
MARGIN_IN, GAP_IN, STACK_GAP_IN, TOP_IN, BOTTOM_IN = 0.3, 0.3, 0.55, 1.0, 0.85
LEGEND_ROW_IN = 0.27
BAR_BELOW_IN, BAR_GAP_SHARE = 0.14, 0.02
BAR_SHARE_MAX = 0.3  # of the width of a panel
OUTLINE, OUTLINE_POINTS = "black", 0.9
CHARACTERS_PER_IN = 12  # of the line below the title, at least
OUTSIDE = "#ffffff"


@dataclass(frozen=True)
class TissueRow:
    """A line of the legend.

    Attributes:
        code: Short name of the tissue.
        name: Full name.
        colour: "#rrggbb" on the map.
        share: Of the classified tiles.
    """

    code: str
    name: str
    colour: str
    share: float


@dataclass(frozen=True, eq=False)
class TissuePicture:
    """What a picture of one tissue map shows.

    Attributes:
        title: Patient and predicted score.
        meaning: Of the score, or why there is none.
        note: Cohort, whether it is synthetic, model and classifier.
        overview: (rows, columns, 3) RGB of the whole slide.
        overview_um: Side of one of its pixels.
        size_um: Height and width of the slide.
        tissue: (rows, columns) index of each tile into the legend; negative where dropped.
        tile_um: Side of a tile.
        outlined: (rows, columns) whether a tile lies in a tumour region.
        legend: The tissues.
    """

    title: str
    meaning: str
    note: str
    overview: NDArray[np.uint8]
    overview_um: float
    size_um: tuple[float, float]
    tissue: NDArray[np.int8]
    tile_um: float
    outlined: NDArray[np.bool_]
    legend: tuple[TissueRow, ...]


def draw_tissue_map(picture: TissuePicture, path: Path) -> None:
    """Write a PNG: the slide, beside it (or below, of a wide one) its tissue map at the same scale, and the legend."""
    from matplotlib.figure import Figure

    (width, height), corners = panels(picture.size_um)
    used = max(x for x, _ in corners) + width, max(y for _, y in corners) + height
    room = max(used[1], LEGEND_ROW_IN * (len(picture.legend) + 3))
    page = (max(PAGE_IN_MIN, 2 * MARGIN_IN + used[0] + GAP_IN + LEGEND_IN), TOP_IN + room + BOTTOM_IN)
    figure = Figure(figsize=page)
    slide, tissue = (
        _axes(figure, page, (MARGIN_IN + x, page[1] - TOP_IN - y - height, width, height)) for x, y in corners
    )
    legend = _axes(figure, page, (page[0] - MARGIN_IN - LEGEND_IN, BOTTOM_IN, LEGEND_IN, room))
    left = MARGIN_IN / page[0]
    meaning = fill(picture.meaning, int(CHARACTERS_PER_IN * (page[0] - 2 * MARGIN_IN)), max_lines=2)
    figure.text(left, 1 - 0.12 / page[1], picture.title, fontsize=12, va="top")
    figure.text(left, 1 - 0.38 / page[1], meaning, fontsize=9, va="top")
    figure.text(left, 0.1 / page[1], f"{picture.note}\n{READ_NOT_WHY}", fontsize=8, va="bottom")
    rows, columns = picture.overview.shape[:2]
    _show(slide, picture, "slide", (picture.overview, rows * picture.overview_um, columns * picture.overview_um))
    rows, columns = picture.tissue.shape
    coloured = colours_of(picture.tissue, picture.legend)
    _show(tissue, picture, "tissue map", (coloured, rows * picture.tile_um, columns * picture.tile_um))
    _legend(legend, picture, room)
    save(figure, path)


def panels(size_um: tuple[float, float]) -> tuple[tuple[float, float], tuple[tuple[float, float], tuple[float, float]]]:
    """Return width and height of both panels, and the upper left corners (x, y) of each, in inches from above."""
    wide = size_um[1] > WIDE * size_um[0]
    width_max, height_max = STACKED_IN if wide else BESIDE_IN
    scale = min(width_max / size_um[1], height_max / size_um[0])
    width, height = size_um[1] * scale, size_um[0] * scale
    second = (0.0, height + STACK_GAP_IN) if wide else (width + GAP_IN, 0.0)
    return (width, height), ((0.0, 0.0), second)


def colours_of(tissue: NDArray[np.int8], legend: tuple[TissueRow, ...]) -> NDArray[np.uint8]:
    """Return the tiles in their colours, (rows, columns, 3), white where dropped."""
    palette = np.array([list(bytes.fromhex(colour[1:])) for colour in (*(row.colour for row in legend), OUTSIDE)])
    return palette[np.where(tissue < 0, len(legend), tissue)].astype(np.uint8)


def bar_um(width_um: float) -> float:
    """Return the length of a scale bar: 1, 2 or 5 times a power of ten, at most three tenths of the width."""
    longest = BAR_SHARE_MAX * width_um
    power = 10.0 ** floor(log10(longest))
    return max(step * power for step in (1, 2, 5) if step * power <= longest)


def length_text(um: float) -> str:
    """Return a length for people: in millimetres from 1 mm on, else in micrometres."""
    return f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"


def borders(inside: NDArray[np.bool_]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the edges of tiles between inside and outside, each as two corners (x, y) of the grid."""
    padded = np.pad(inside, 1)
    across = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])  # horizontal edges: (y, x) of their left corner
    along = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])  # vertical edges: (y, x) of their upper corner
    edges = [((int(x), int(y)), (int(x) + 1, int(y))) for y, x in across]
    return edges + [((int(x), int(y)), (int(x), int(y) + 1)) for y, x in along]


def _axes(figure: Figure, page: tuple[float, float], box: tuple[float, float, float, float]) -> Axes:
    """Return axes at left, bottom, width and height in inches."""
    left, bottom, width, height = box
    axes: Axes = figure.add_axes((left / page[0], bottom / page[1], width / page[0], height / page[1]))
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def _show(axes: Axes, picture: TissuePicture, title: str, image: tuple[NDArray[np.uint8], float, float]) -> None:
    """Draw pixels with their height and width in um, the tumour regions around, and a scale bar below."""
    from matplotlib.collections import LineCollection

    pixels, height_um, width_um = image
    axes.imshow(pixels, extent=(0, width_um, height_um, 0), interpolation="nearest", aspect="auto")
    axes.set_xlim(0, picture.size_um[1])
    axes.set_ylim(picture.size_um[0], 0)
    axes.set_title(title, fontsize=9)
    edges = np.array(borders(picture.outlined)).reshape(-1, 2, 2) * picture.tile_um
    for colour, points in ((OUTSIDE, 3 * OUTLINE_POINTS), (OUTLINE, OUTLINE_POINTS)):  # a halo, for dark tissue
        axes.add_collection(LineCollection(list(edges), colors=colour, linewidths=points, capstyle="round"))
    for side in axes.spines.values():
        side.set(color="grey", linewidth=0.6)
    length = bar_um(picture.size_um[1])
    below = axes.get_xaxis_transform()
    (_, height), _ = panels(picture.size_um)
    bar_at = -BAR_BELOW_IN / height
    axes.plot(
        (0, length), (bar_at, bar_at), transform=below, clip_on=False, color="black", linewidth=3, solid_capstyle="butt"
    )
    gap = BAR_GAP_SHARE * picture.size_um[1]
    axes.text(length + gap, bar_at, length_text(length), transform=below, fontsize=9, va="center")


def _legend(axes: Axes, picture: TissuePicture, room: float) -> None:
    """Write a line per tissue: colour, short and full name, share; then what is dropped and what the line means."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    axes.set_axis_off()
    axes.set_xlim(0, LEGEND_IN)
    axes.set_ylim(room, 0)  # inches from above
    classified = int((picture.tissue >= 0).sum())
    axes.text(0, 0.1, f"share of {classified} classified tiles of {picture.tile_um:g} µm", fontsize=9, va="center")
    lines = [(row.colour, row.code, row.name, f"{row.share:.1%}") for row in picture.legend]
    lines.append((OUTSIDE, "", "dropped: mostly blank", f"{(picture.tissue < 0).sum()} tiles"))
    for number, (colour, code, name, share) in enumerate(lines, start=1):
        y = 0.1 + number * LEGEND_ROW_IN
        axes.add_patch(Rectangle((0, y - 0.08), 0.26, 0.16, facecolor=colour, edgecolor="grey", linewidth=0.6))
        axes.text(0.36, y, code, fontsize=9, va="center", family="monospace")
        axes.text(0.78 if code else 0.36, y, name, fontsize=9, va="center")
        axes.text(LEGEND_IN, y, share, fontsize=9, va="center", ha="right")
    y = 0.1 + (len(lines) + 1) * LEGEND_ROW_IN
    axes.add_line(Line2D((0, 0.26), (y, y), color=OUTLINE, linewidth=1.5))
    axes.text(0.36, y, "tumour region", fontsize=9, va="center")
