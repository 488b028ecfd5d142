"""Pictures for people: a map over a crop, and a sheet of DeepSMOTE's images. Draws arrays; knows no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 120
COLOURS = "viridis"  # perceptually uniform: equal steps of the map look equally large
OPACITY = 0.45  # of the map over the crop; the lines have the full colours of the bar
LEVELS = (0, 0.25, 0.5, 0.75, 1)
NO_EVIDENCE = "Where the network found what moved its score; no evidence, and no gate looks at it."


@dataclass(frozen=True, eq=False)
class MapPicture:
    """What a picture of one map shows.

    Attributes:
        title: Patient, map and predicted value.
        explains: What the map is of.
        note: Cohort, whether it is synthetic, and layer.
        crop: (rows, columns) of the network's input.
        grey: The values of the crop drawn black and white.
        crop_title: Which part of the input the crop is.
        values: (rows, columns) of the map, 0 to 1; None if there is none.
        reason: Why there is no map; None if there is one.
    """

    title: str
    explains: str
    note: str
    crop: NDArray[np.floating[Any]]
    grey: tuple[float, float]
    crop_title: str
    values: NDArray[np.float32] | None
    reason: str | None


def draw_map(picture: MapPicture, path: Path) -> None:
    """Write a PNG: the crop in grey, and beside it the crop under the map, with the map's colour bar."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 4.9), layout="constrained")
    plain, mapped = figure.subplots(1, 2)
    figure.suptitle(f"{picture.title}\n{picture.explains}", fontsize=11)
    figure.supxlabel(f"{picture.note}\n{NO_EVIDENCE}", fontsize=8)
    _show(plain, picture.crop, picture.grey, picture.crop_title)
    _show(mapped, picture.crop, picture.grey, "Grad-CAM" if picture.values is not None else "no map")
    if picture.values is None:
        middle = 0.5, 0.5, fill(str(picture.reason), width=40)
        mapped.text(*middle, ha="center", va="center", transform=mapped.transAxes, backgroundcolor="white", fontsize=8)
    else:
        mapped.imshow(picture.values, cmap=COLOURS, vmin=0, vmax=1, alpha=OPACITY)
        mapped.contour(picture.values, levels=LEVELS[1:-1], cmap=COLOURS, vmin=0, vmax=1, linewidths=1.2)
    scale = ScalarMappable(cmap=COLOURS)
    scale.set_clim(0, 1)
    bar = figure.colorbar(scale, ax=mapped, ticks=LEVELS, shrink=0.85)
    bar.set_label("share of the map's largest value; lines at 0.25, 0.5, 0.75", fontsize=8)
    save(figure, path)


def draw_sheet(
    title: str, note: str, rows: Mapping[str, NDArray[np.uint8]], columns: Sequence[str], path: Path
) -> None:
    """Write a PNG with one row of images per kind.

    Args:
        title: Above the sheet.
        note: Below it.
        rows: Images (k, rows, columns), 0 to 255, by what they are; a kind without images has no row.
        columns: What is said above each of the k columns.
        path: File to write.
    """
    from matplotlib.figure import Figure

    drawn = {name: images for name, images in rows.items() if len(images)}
    figure = Figure(figsize=(1.5 * len(columns) + 1.2, 1.5 * len(drawn) + 1.1), layout="constrained")
    grid = figure.subplots(len(drawn), len(columns), squeeze=False)
    for places, (name, images) in zip(grid, drawn.items(), strict=True):
        for axes, image in zip(places, images, strict=True):
            _show(axes, image, (0, 255), "")
        places[0].set_ylabel(name, fontsize=8)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(column, fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.supxlabel(note, fontsize=7)
    save(figure, path)


def _show(axes: Axes, image: NDArray[Any], grey: tuple[float, float], title: str) -> None:
    axes.imshow(image, cmap="gray", vmin=grey[0], vmax=grey[1])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=9)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG that does not name the software that drew it."""
    figure.savefig(path, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
