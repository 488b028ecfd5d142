"""The published score: what its numbers say, and where they contradict one another."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.special import chdtrc

from models.histology_spatial_survival import FEATURES
from models.histology_spatial_survival.reference import AS_PRINTED, NEAR_MEDIAN, PUBLISHED_FEATURES, REFITTED

PATTERNS = np.array(list(product((False, True), repeat=4)))
NAMES = ("DEB", "LYM", "HEP", "HEP*")


def low(high_risk: np.ndarray) -> set[str]:
    """Patterns in the low group, by the features that are high."""
    rows = PATTERNS[~high_risk]
    return {" ".join(name for name, high in zip(NAMES, row, strict=True) if high) for row in rows}


def test_features_are_among_those_that_are_screened() -> None:
    """The four published features are four of the twenty."""
    assert set(PUBLISHED_FEATURES) < set(FEATURES)


def test_score_as_printed() -> None:
    """The score with nothing high, of everything high, of each extreme."""
    patients = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 1], [0, 1, 1, 0]], dtype=bool)

    assert AS_PRINTED.linear_predictor(patients) == pytest.approx([0, -0.12, 0.60, -0.72])
    assert AS_PRINTED.high_risk(patients).tolist() == [True, True, True, False]


def test_the_printed_formula_and_the_vignette_divide_patients_differently() -> None:
    """Of sixteen patterns two change sides if the vignette's cut-off is put on the printed coefficients."""
    printed, vignette = low(AS_PRINTED.high_risk(PATTERNS)), low(REFITTED.high_risk(PATTERNS))

    assert vignette == {"HEP", "LYM", "LYM HEP", "LYM HEP HEP*"}
    assert printed == {"LYM", "LYM HEP", "LYM HEP HEP*", "DEB LYM HEP"}


def test_centring_near_the_median_leaves_the_groups() -> None:
    """The predictor moves by 0.0175; nobody changes sides."""
    moved = REFITTED.linear_predictor(PATTERNS, NEAR_MEDIAN) - REFITTED.linear_predictor(PATTERNS)

    np.testing.assert_allclose(moved, -0.0175)
    np.testing.assert_array_equal(REFITTED.high_risk(PATTERNS, NEAR_MEDIAN), REFITTED.high_risk(PATTERNS))


def test_the_cutoff_lies_just_above_a_predictor_that_is_not_centred() -> None:
    """The search steps by 0.0001: a predictor lies that close below it, here that of distal HEP, to its rounding."""
    below = REFITTED.linear_predictor(PATTERNS[~REFITTED.high_risk(PATTERNS)])

    assert REFITTED.cutoff - below.max() == pytest.approx(0.0001, abs=0.0005)


def test_figures_of_the_vignette_fit_together() -> None:
    """Each coefficient and the model differ from zero; standard errors are near 2 / sqrt(events)."""
    assert REFITTED.standard_errors is not None
    assert REFITTED.events is not None
    assert REFITTED.likelihood_ratio is not None
    wald = np.abs(np.divide(REFITTED.coefficients, REFITTED.standard_errors))

    assert (wald > 1.96).all()
    assert chdtrc(4, REFITTED.likelihood_ratio) < 1.1e-5
    assert REFITTED.standard_errors == pytest.approx([2 / np.sqrt(REFITTED.events)] * 4, rel=0.12)
    np.testing.assert_allclose(AS_PRINTED.coefficients, REFITTED.coefficients, atol=0.13)
