"""Membership model: equal to R fold by fold, about one half without shift, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.reference import FOLDER, gbsg, rotterdam
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.shift.membership import membership_auc

NAMES = ["age", "meno", "lnodes"]


def test_equals_r() -> None:
    """With rows arranged so that the folds are R's: glm on nine folds, pROC on the ten predicted ones."""
    expected = json.loads((FOLDER / "shift.json").read_text(encoding="utf-8"))["membership"]
    rng = np.random.default_rng(4)
    samples = [data[NAMES].to_numpy(dtype=float) for data in (rotterdam(), gbsg())]
    samples = [sample[rng.permutation(len(sample))] for sample in samples]
    estimate = membership_auc(*samples, seed=4)

    assert estimate.value == pytest.approx(expected["auc"], abs=1e-9)
    assert estimate.standard_error == pytest.approx(expected["se"], abs=1e-9)
    assert (estimate.n, estimate.events) == (3668, 686)
    assert estimate.value < expected["apparent"]
    assert "10-fold cross-validated" in estimate.method


def test_no_shift() -> None:
    """Two samples of one distribution: the interval holds one half; units do not matter, the seed hardly."""
    rng = np.random.default_rng(8)
    first, second = rng.normal(size=(300, 3)), rng.normal(size=(200, 3))
    estimate = membership_auc(first, second, seed=1)
    scaled = membership_auc(first * 1e3 + 5, second * 1e3 + 5, seed=1)

    assert estimate.lower < 0.5 < estimate.upper
    assert scaled.value == pytest.approx(estimate.value, abs=1e-9)
    assert membership_auc(first, second, seed=2).value == pytest.approx(estimate.value, abs=0.05)
    assert membership_auc(first, second, seed=1) == estimate


def test_shift_of_known_size() -> None:
    """One normal covariate shifted by one standard deviation: AUC Phi(1 / sqrt 2)."""
    rng = np.random.default_rng(9)
    estimate = membership_auc(rng.normal(size=(4000, 1)), rng.normal(1, 1, size=(4000, 1)), seed=1, folds=5)

    assert estimate.lower < 0.7602499389065233 < estimate.upper


@pytest.mark.parametrize(
    ("development", "external", "reason"),
    [
        (np.zeros((20, 2)), np.zeros((20, 3)), "other columns"),
        (np.zeros(20), np.zeros(20), "other columns"),
        (np.ones((20, 1)), np.ones((5, 1)), "10 folds from seed 1 of 20 and 5"),
        (np.full((20, 1), np.nan), np.zeros((20, 1)), "not finite"),
        (np.arange(20.0)[:, None], np.arange(30.0, 50)[:, None], "separate|no finite maximum"),
    ],
)
def test_refusals(development: np.ndarray, external: np.ndarray, reason: str) -> None:
    """Other columns, too few patients for the folds, missing values and separated cohorts are named."""
    with pytest.raises(UndefinedEstimate, match=reason):
        membership_auc(development, external, seed=1)
