"""Tiles that a pathologist has named: accuracy, areas and confusion by hand, intervals by slide."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.validation.descriptive.specimens_survival import described, patients, specimen
from validation.cohort_table import CohortTable
from validation.descriptive.tile_classification import TileClassification
from validation.errors import InputError

TISSUES = ("STR", "TUM", "LYM")
ANALYSIS = TileClassification(id="tiles", tissues=TISSUES)


def with_tiles(tissue: list[list[int] | None], probability: list[list[float] | None]) -> pd.DataFrame:
    """Patients of whom the first ones have named tiles."""
    table = patients(max(len(tissue), 2)).assign(patient_id=lambda t: [f"P{i:03d}" for i in range(len(t))])
    pad: list[Any] = [None] * (len(table) - len(tissue))
    return table.assign(tile_tissue=pd.Series([*tissue, *pad], dtype=object, index=table.index)).assign(
        tile_probability=pd.Series([*probability, *pad], dtype=object, index=table.index)
    )


def forty_slides(wrong: int) -> pd.DataFrame:
    """Forty slides with a tile of each tissue, read rightly but for one tile of the first slides."""
    rightly = [0.8, 0.1, 0.1, 0.1, 0.8, 0.1, 0.1, 0.1, 0.8]
    wrongly = [0.1, 0.8, 0.1, 0.1, 0.8, 0.1, 0.1, 0.1, 0.8]  # stroma read as tumour
    return with_tiles([[0, 1, 2]] * 40, [wrongly] * wrong + [rightly] * (40 - wrong))


def cohort(table: pd.DataFrame) -> CohortTable:
    """All of them predicted, as evaluation hands them on."""
    return specimen(table, tiles=table[["patient_id", "tile_tissue", "tile_probability"]])


def rows(table: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows by quantity and subject."""
    found = described(ANALYSIS, cohort(table))
    assert found["reason"] is None
    return {(row["quantity"], row["subject"]): row for row in found["rows"]}


def test_accuracy_by_hand_with_the_variance_of_a_share_of_clusters() -> None:
    """Ten of 120 tiles are wrong, one on each of ten slides: sum over slides of squared deviations over n squared."""
    row = rows(forty_slides(10))["accuracy", "all tissues"]
    deviations = np.array([2 - 3 * 11 / 12] * 10 + [3 - 3 * 11 / 12] * 30)

    assert row["value"] == pytest.approx(11 / 12)
    assert row["standard_error"] == pytest.approx(np.sqrt((deviations**2).sum()) / 120)
    assert (row["n"], row["events"]) == (40, 40)
    assert "120 tiles" in row["method"]


def test_area_of_one_tissue_against_the_others_by_hand() -> None:
    """Of stroma ten of forty tiles score 0.1 as all others do, thirty score 0.8: 30/40 + 10/40 / 2."""
    found = rows(forty_slides(10))

    assert found["auc", "STR"]["value"] == pytest.approx(0.875)
    assert found["auc", "LYM"]["reason"]  # perfect: no interval by slide


def test_confusion_matrix_has_a_series_per_named_tissue() -> None:
    """Ten tiles of stroma were read as tumour."""
    figures = described(ANALYSIS, cohort(forty_slides(10)))["figures"]

    assert [series["y"] for series in figures[0]["series"]] == [[30, 10, 0], [0, 40, 0], [0, 0, 40]]
    assert [series["name"] for series in figures[1]["series"]] == list(TISSUES)


def test_tiles_taken_for_blank_are_left_out_and_counted() -> None:
    """A tile that the classifier was not shown is no error of it."""
    table = forty_slides(10)
    table.at[table.index[39], "tile_probability"] = [*[float("nan")] * 3, 0.1, 0.8, 0.1, 0.1, 0.1, 0.8]

    assert "119 tiles, 1 more taken for blank" in rows(table)["accuracy", "all tissues"]["method"]


def test_few_slides_have_no_interval() -> None:
    """Of twenty slides the rows say why, and what was found."""
    row = rows(forty_slides(5).head(20))["accuracy", "all tissues"]

    assert (row["value"], row["too_few"]) == (None, True)
    assert row["reason"] == "there are tiles on 20 slides: an interval needs at least 30; value 0.9167"


@pytest.mark.parametrize(
    ("holding", "reason"),
    [(29, "named on 29 slides: an interval needs at least 30; value 0.7542"), (30, None)],
)
def test_area_of_a_tissue_needs_as_many_slides_that_hold_it(holding: int, reason: str | None) -> None:
    """The slides without it say nothing of how the classifier reads it; accuracy rests on all of them."""
    without = ([1, 2], [0.1, 0.8, 0.1, 0.2, 0.1, 0.7])
    held = ([0, 1, 2], [0.2, 0.7, 0.1, *without[1]])
    slides = [held] * holding + [without] * (59 - holding)
    slides.append(([1, 2], [0.1, 0.8, 0.1, 0.1, 0.1, 0.8]))  # all others hold a tile that scores as stroma does
    found = rows(with_tiles([tissue for tissue, _ in slides], [probability for _, probability in slides]))
    row = found["auc", "STR"]

    assert found["accuracy", "all tissues"]["value"] == pytest.approx(120 / (120 + holding))
    assert (row["n"], row["events"]) == (60, holding)
    assert row.get("reason") == reason
    assert reason is not None or row["value"] == pytest.approx(1 - 59 / 120 / 2)


def test_area_needs_as_many_slides_with_other_tissues() -> None:
    """Stroma on forty slides, tumour on five of them."""
    row = rows(with_tiles([[0, 1]] * 5 + [[0]] * 35, [[0.6, 0.3, 0.1, 0.2, 0.7, 0.1]] * 5 + [[0.1, 0.8, 0.1]] * 35))

    assert row["auc", "STR"]["reason"].startswith("other tissues named on 5 slides: an interval needs at least 30")


def unequal() -> tuple[pd.DataFrame, list[np.ndarray], list[np.ndarray]]:
    """Fifty slides of one to nine tiles, alike within a slide; and their tissues and probabilities."""
    rng = np.random.default_rng(8)
    tissue = [rng.integers(0, 3, size=1 + slide % 9) for slide in range(50)]
    tissue = [np.concatenate([own, [0]]) for own in tissue]
    level = rng.normal(scale=0.7, size=(50, 3))
    scores = [np.exp(1.5 * np.eye(3)[own] + level[k] + rng.normal(size=(own.size, 3))) for k, own in enumerate(tissue)]
    probability = [rows / rows.sum(axis=1, keepdims=True) for rows in scores]
    table = with_tiles([own.tolist() for own in tissue], [rows.ravel().tolist() for rows in probability])
    return table, tissue, probability


def test_accuracy_of_slides_of_unequal_size_by_slide() -> None:
    """A ratio of sums over slides: squared residuals of each slide over the square of all tiles."""
    table, tissue, probability = unequal()
    row = rows(table)["accuracy", "all tissues"]
    right = np.array([(p.argmax(axis=1) == t).sum() for t, p in zip(tissue, probability, strict=True)])
    size = np.array([t.size for t in tissue])
    share = right.sum() / size.sum()

    assert row["value"] == pytest.approx(share)
    assert row["standard_error"] == pytest.approx(np.sqrt(((right - share * size) ** 2).sum()) / size.sum())
    assert row["standard_error"] != pytest.approx(np.sqrt(share * (1 - share) / size.sum()), rel=0.02)  # by tile


def test_area_on_slides_of_unequal_size_by_slide() -> None:
    """Every slide's pairs against all others', less the area, over the number of cases and of controls."""
    table, tissue, probability = unequal()
    row = rows(table)["auc", "STR"]
    case, score = np.concatenate(tissue) == 0, np.concatenate(probability)[:, 0]
    slide = np.repeat(np.arange(50), [t.size for t in tissue])
    wins = np.heaviside(score[case][:, None] - score[~case][None, :], 0.5)
    area = wins.mean()
    cases, controls = (np.sqrt(size / (size - 1)) for size in wins.shape)  # DeLong's variances have n - 1
    of_slide = [
        cases * (wins[slide[case] == k] - area).sum() + controls * (wins[:, slide[~case] == k] - area).sum()
        for k in range(50)
    ]

    assert row["value"] == pytest.approx(area)
    assert row["standard_error"] == pytest.approx(np.sqrt(np.square(of_slide).sum()) / wins.size)


def test_slides_without_prediction_count() -> None:
    """Ten slides failed because the classifier missed their tissue: leaving them out would make it perfect."""
    table = forty_slides(10)
    failed = replace(cohort(table), table=table[10:])
    row = next(row for row in ANALYSIS.to_dict(failed)["rows"] if row["quantity"] == "accuracy")

    assert row["value"] == pytest.approx(11 / 12)
    assert (row["n"], row["events"]) == (40, 40)
    assert row["method"].endswith("; 120 tiles; 10 slides without prediction")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (specimen(patients(4)), "no tile predictions were kept"),
        (cohort(with_tiles([None, None], [None, None])), "no tile of the cohort was named by a pathologist"),
    ],
)
def test_without_named_tiles_it_is_undefined(made: CohortTable, reason: str) -> None:
    """A model of volumes and patients of development, or a cohort without annotations: another reason each."""
    assert ANALYSIS.to_dict(made)["reason"] == reason


def test_other_tissues_than_the_classifier_has_are_refused() -> None:
    """Two names for three probabilities."""
    with pytest.raises(InputError, match="descriptive analysis t key tissues"):
        TileClassification(id="t", tissues=TISSUES[:2]).to_dict(cohort(forty_slides(1)))
