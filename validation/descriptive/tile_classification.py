"""How well a classifier of tiles tells the tissues that a pathologist has named on slides of the cohort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from validation.cohort_table import TILE_PROBABILITY, TILE_TISSUE, CohortTable
from validation.descriptive.base import DIGITS, Description, Descriptive, Figure, Row, Series, estimate_row, thinned
from validation.errors import InputError
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import BinarySample
from validation.estimators.discrimination.curves import roc_curve
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.influence import Influence
from validation.estimators.samples import MINIMUM_CLUSTERS, Bools, Floats, require_clusters


@dataclass(frozen=True, eq=False)
class _Tiles:
    """The named tiles that the classifier was shown.

    Attributes:
        slide: (n,) patient of each tile.
        tissue: (n,) index of the tissue that was named.
        probability: (n, tissues).
        blank: Named tiles that were taken for blank, and so not shown.
        without_prediction: Slides among them whose patient has no prediction.
    """

    slide: NDArray[np.object_]
    tissue: NDArray[np.intp]
    probability: Floats
    blank: int
    without_prediction: int

    @property
    def slides(self) -> int:
        """Number of slides."""
        return len(np.unique(self.slide))

    @property
    def note(self) -> str:
        """What rests on them, for the method."""
        note = f"; {len(self.tissue)} tiles" + (f", {self.blank} more taken for blank" if self.blank else "")
        return note + (f"; {self.without_prediction} slides without prediction" if self.without_prediction else "")


@dataclass(frozen=True, kw_only=True)
class TileClassification(Descriptive):
    """Accuracy, areas under the ROC curves of one tissue against the others, and the confusion matrix.

    Tiles of one slide are alike: intervals are clustered by slide, and `n` and `events` of a row count slides, the
    latter those on which the tissue was named. Slides of patients without prediction count too: a classifier that
    misses the tumour makes its slide fail. Without 30 slides in all, and for an area with the tissue and without it,
    there is no interval; the reason then holds the value.

    Attributes:
        tissues: Classes of the classifier, in the order of its output.
    """

    kind: ClassVar[str] = "tile_classification"
    tissues: tuple[str, ...]

    def describe(self, cohort: CohortTable) -> Description:
        """Return accuracy and AUC rows, the confusion matrix (a series per named tissue) and the ROC curves."""
        tiles = self._tiles(cohort)
        read = tiles.probability.argmax(axis=1)
        rows = [self._accuracy(tiles, read == tiles.tissue, cohort.level)]
        matrix, curves = [], []
        for index, tissue in enumerate(self.tissues):
            case = tiles.tissue == index
            rows.append(self._area(tiles, index, case, cohort.level))
            counts = np.bincount(read[case], minlength=len(self.tissues))
            matrix.append(Series(tissue, {"x": np.arange(len(self.tissues)), "y": counts}))
            if case.any() and not case.all():
                curves.append(_curve(tissue, case, tiles.probability[:, index]))
        figures = (
            Figure("tissue read", "tiles", tuple(matrix)),
            Figure("1 - specificity", "sensitivity", tuple(curves)),
        )
        return Description(tuple(rows), figures)

    def _tiles(self, cohort: CohortTable) -> _Tiles:
        if cohort.tiles is None:
            raise UndefinedEstimate("no tile predictions were kept")
        named = cohort.tiles[cohort.tiles[TILE_TISSUE].notna()]
        if named.empty:
            raise UndefinedEstimate("no tile of the cohort was named by a pathologist")
        sizes = [len(tissue) for tissue in named[TILE_TISSUE]]
        tissue = np.concatenate(named[TILE_TISSUE].to_list()).astype(np.intp)
        flat = np.concatenate(named[TILE_PROBABILITY].to_list()).astype(np.float64)
        if flat.size != tissue.size * len(self.tissues) or not (tissue >= 0).all() or tissue.max() >= len(self.tissues):
            found = f"{tissue.size} tiles of {len(np.unique(tissue))} tissues with {flat.size} probabilities"
            expected = f"one of {len(self.tissues)} tissues and as many probabilities per tile"
            raise InputError(self.where("tissues"), found, expected, "Name the classes of the classifier, in order.")
        probability = flat.reshape(-1, len(self.tissues))
        shown = ~np.isnan(probability).any(axis=1)
        if not shown.any():
            raise UndefinedEstimate("every named tile was taken for blank")
        slide = np.repeat(named["patient_id"].to_numpy(dtype=object), sizes)[shown]
        without = len(set(slide) - set(cohort.table["patient_id"]))
        return _Tiles(slide, tissue[shown], probability[shown], int((~shown).sum()), without)

    def _accuracy(self, tiles: _Tiles, right: Bools, level: float) -> Row:
        slides = tiles.slides

        def make() -> Estimate:
            share = float(right.mean())
            method = "share of tiles whose likeliest tissue is the named one"
            influence = Influence(share, (right - share) / right.size, right.size, int(right.sum()), method)
            _require_slides("there are tiles", slides, share)
            return _of_slides(influence.estimate(scale="logit", level=level, cluster=tiles.slide), slides, slides)

        return estimate_row("accuracy", "all tissues", make, n=slides, events=slides, note=tiles.note)

    def _area(self, tiles: _Tiles, index: int, case: Bools, level: float) -> Row:
        slides, with_tissue = tiles.slides, len(np.unique(tiles.slide[case]))
        influence_of: Callable[[BinarySample], Influence] | None = BINARY["auc"].influence

        def make() -> Estimate:
            if influence_of is None:
                raise UndefinedEstimate("the area has no influence function")
            influence = influence_of(BinarySample(case, tiles.probability[:, index]))
            _require_slides("named", with_tissue, influence.value)
            _require_slides("other tissues named", len(np.unique(tiles.slide[~case])), influence.value)
            estimate = influence.estimate(scale="logit", level=level, cluster=tiles.slide)
            return _of_slides(estimate, slides, with_tissue)

        return estimate_row("auc", self.tissues[index], make, n=slides, events=with_tissue, note=tiles.note)


def _require_slides(what: str, slides: int, value: float) -> None:
    """Refuse an interval on fewer slides than make one, and tell the value all the same."""
    try:
        require_clusters(slides)
    except UndefinedEstimate as undefined:
        found = f"{what} on {slides} slides: an interval needs at least {MINIMUM_CLUSTERS}; value {value:.{DIGITS}g}"
        raise UndefinedEstimate(found, too_few=undefined.too_few) from None


def _of_slides(estimate: Estimate, slides: int, with_tissue: int) -> Estimate:
    """Return an estimate that counts slides, which are what is independent, not tiles."""
    return replace(estimate, n=slides, events=with_tissue)


def _curve(tissue: str, case: Bools, probability: Floats) -> Series:
    curve = roc_curve(case, probability)
    return Series(tissue, thinned({"x": 1 - curve.specificity, "y": curve.sensitivity}))
