"""Youden cut-off: equal to R's pROC, ties, and what it refuses."""

from __future__ import annotations

import pytest

from tests.reference import from_r, gbsg
from validation.estimators.cutoffs.youden import youden_cutoff, youden_cutoff_at_horizon
from validation.estimators.estimate import UndefinedEstimate


def test_equals_r() -> None:
    """Threshold, sensitivity and specificity of pROC::coords("best", best.method="youden")."""
    expected = from_r()["bin"]["youden"]
    cutoff = youden_cutoff_at_horizon(gbsg().time * 12, gbsg().status, gbsg().pA3, 36)

    found = (cutoff.value, cutoff.sensitivity, cutoff.specificity)
    assert found == pytest.approx([expected[key] for key in ("threshold", "sensitivity", "specificity")], abs=1e-12)
    assert (cutoff.n, cutoff.events) == (555, 224)


def test_lies_between_neighbours() -> None:
    """Halfway between the highest low and the lowest high prediction."""
    cutoff = youden_cutoff([0, 0, 1, 1], [1, 2, 4, 5])

    assert (cutoff.value, cutoff.sensitivity, cutoff.specificity) == (3, 1, 1)


def test_lowest_of_several() -> None:
    """Cut-offs 1.5 and 3.5 are equally good; the lower one misses no case."""
    cutoff = youden_cutoff([0, 1, 0, 1], [1, 2, 3, 4])

    assert (cutoff.value, cutoff.sensitivity, cutoff.specificity) == (1.5, 1, 0.5)


def test_neighbouring_floats() -> None:
    """Where nothing lies between two predictions the upper one is the cut-off."""
    above = 1 + 2**-52

    assert youden_cutoff([0, 1], [1, above]).value == above


@pytest.mark.parametrize(
    ("case", "prediction", "reason"),
    [
        ([1, 1], [1, 2], "2 cases among 2 patients: one class only"),
        ([0, 0], [1, 2], "one class only"),
        ([0, 1], [2, 2], "prediction is 2 for all"),
    ],
)
def test_refuses(case: list[int], prediction: list[float], reason: str) -> None:
    """A cut-off needs both classes and predictions that differ."""
    with pytest.raises(UndefinedEstimate, match=reason):
        youden_cutoff(case, prediction)
