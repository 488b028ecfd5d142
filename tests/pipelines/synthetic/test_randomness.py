"""Tests of the generators of patients."""

from __future__ import annotations

import numpy as np

from pipelines.synthetic.randomness import patient_generator, standard_normals


def test_a_patient_does_not_depend_on_how_many_there_are() -> None:
    """The first patients of a larger cohort are those of the smaller one."""
    few, many = (standard_normals(1, "a", n, "covariates", ["x", "y"]) for n in (3, 9))
    np.testing.assert_array_equal(few, many.iloc[:3])


def test_seed_cohort_patient_and_purpose_all_matter() -> None:
    """Changing any part of the key changes the numbers."""
    keys = [(1, "a", 0, "p"), (2, "a", 0, "p"), (1, "b", 0, "p"), (1, "a", 1, "p"), (1, "a", 0, "q")]
    assert len({patient_generator(*key).random() for key in keys}) == len(keys)
