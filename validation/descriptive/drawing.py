"""Figure data that several kinds of analysis share: quartiles, boxes, densities and histograms by group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from validation.descriptive.base import Figure, Row, Series, estimate_row, thinned
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.distribution import box_plot, density, histogram, quantile_exact
from validation.estimators.samples import Floats

QUARTILES = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
Parts = Mapping[str, Floats]
"""Values that are known, by group."""


def quartile_rows(subject: str, parts: Parts, level: float, note: str) -> list[Row]:
    """Return quartiles with intervals, three rows per group."""
    return [
        estimate_row(
            quantity,
            subject,
            lambda values=values, share=share: quantile_exact(values, share, level=level),  # type: ignore[misc]
            n=values.size,
            events=0,
            group=group,
            note=note,
        )
        for group, values in parts.items()
        for quantity, share in QUARTILES.items()
    ]


def box_figure(subject: str, by: str, parts: Parts) -> Figure:
    """Return one box per group, at 1, 2, ...; groups of fewer than two patients have none."""
    series = []
    for place, (group, values) in enumerate(parts.items(), start=1):
        if values.size < 2:
            continue
        box = box_plot(values)
        of_box: dict[str, ArrayLike] = {
            "lower_whisker": [box.lower_whisker],
            "lower_quartile": [box.lower_quartile],
            "upper_quartile": [box.upper_quartile],
            "upper_whisker": [box.upper_whisker],
            "outside": [box.outside],
        }
        series.append(Series(group, {"x": [place], "y": [box.median], **of_box, "n": [values.size]}))
    return Figure(by, subject, tuple(series))


def density_figure(subject: str, parts: Parts) -> Figure:
    """Return the density of each group, the outline of a violin; a group without spread has none."""
    series = []
    for group, values in parts.items():
        try:
            at, height = density(values)
        except UndefinedEstimate:
            continue
        series.append(Series(group, thinned({"x": at, "y": height})))
    return Figure(subject, "density", tuple(series))


def histogram_figure(subject: str, parts: Parts, bins: int) -> Figure:
    """Return the patients of each group per bin, bins of one width over the values of all groups.

    Args:
        subject: What the values are.
        parts: The values by group.
        bins: Number of bins.

    Raises:
        UndefinedEstimate: No value, or all values equal.
    """
    everybody = np.concatenate(list(parts.values()))
    if everybody.size == 0 or everybody.min() == everybody.max():
        raise UndefinedEstimate(f"{subject} has no two different values", too_few=True)
    edges = np.linspace(everybody.min(), everybody.max(), bins + 1)
    series = [
        Series(group, {"x": (edges[1:] + edges[:-1]) / 2, "y": counts, "left": edges[:-1], "right": edges[1:]})
        for group, values in parts.items()
        if values.size > 1
        for counts in (histogram(values, edges),)
    ]
    return Figure(subject, "patients", tuple(series))
