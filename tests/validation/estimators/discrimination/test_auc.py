"""AUC with DeLong's variance: equal to R's pROC, by hand, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tests.reference import from_r, gbsg
from tests.validation.estimators.strategies import Cohort, cohorts
from validation.estimators.bootstrap import resampling
from validation.estimators.discrimination.auc import (
    auc,
    auc_at_horizon,
    auc_at_horizon_influence,
    auc_bootstrap,
    auc_influence,
    auc_replicates,
)
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.influence import paired_difference


def test_equals_r() -> None:
    """Value and interval are those of pROC::ci.auc(method="delong")."""
    known = gbsg()[gbsg().known3 == 1]
    for column, name in (("pA3", "aucA_ci"), ("pB3", "aucB_ci")):
        estimate = auc(known.y3, known[column], interval="wald")

        found = [estimate.lower, estimate.value, estimate.upper]
        assert found == pytest.approx(from_r()["bin"][name], abs=1e-12)
        assert (estimate.n, estimate.events) == (555, 224)


def test_at_horizon_equals_r() -> None:
    """With times in months the same patients are known, and the 131 lost before are counted."""
    data = gbsg()
    estimate = auc_at_horizon(data.time * 12, data.status, data.pA3, 36)

    assert estimate.value == pytest.approx(from_r()["bin"]["aucA"], abs=1e-12)
    assert (estimate.n, estimate.events, estimate.horizon) == (555, 224, 36)
    assert "131 patients lost before 36 left out" in estimate.method


def test_tiny_sample() -> None:
    """Cases 3 and 1 against controls 2 and 1: 1 + 1 + 0 + 1/2 of four pairs; variance by hand."""
    estimate = auc([1, 1, 0, 0], [3, 1, 2, 1], interval="wald")

    assert estimate.value == pytest.approx(2.5 / 4)
    placements = np.var([1, 0.25], ddof=1) / 2 + np.var([0.5, 0.75], ddof=1) / 2
    assert estimate.upper - estimate.value == pytest.approx(1.959963984540054 * np.sqrt(placements))


@given(cohorts(ties=False))
@settings(max_examples=40, deadline=None)
def test_symmetries(cohort: Cohort) -> None:
    """Reversing prediction or class gives 1 - AUC; a monotone scale changes nothing."""
    _, case, prediction = cohort
    separation = abs(np.mean(prediction[case][:, None] > prediction[~case]) - 0.5)
    assume(separation < 0.5)
    estimate = auc(case, prediction)

    assert auc(case, -prediction).value == pytest.approx(1 - estimate.value)
    assert auc(~case, prediction).value == pytest.approx(1 - estimate.value)
    assert auc(case, np.exp(prediction / 5)).lower == pytest.approx(estimate.lower)


@pytest.mark.parametrize(
    ("case", "prediction", "reason"),
    [
        ([1, 1, 1], [1, 2, 3], "3 cases and 0 controls"),
        ([1, 0, 0], [1, 2, 3], "1 cases and 2 controls"),
        ([1, 1, 0, 0], [3, 4, 1, 2], "edge of its range"),
        ([1, 1, 0, 0], [1, 1, 1, 1], "prediction is 1 for all 4 patients"),
        ([1, 1, 0, 0], [1, np.inf, 1, 1], "not finite for 1 of 4"),
        ([1, 1, 0, 0.5], [1, 2, 1, 1], "other values than 0 and 1"),
    ],
)
def test_refuses(case: list[float], prediction: list[float], reason: str) -> None:
    """One class, perfect separation or bad arrays have no AUC with an interval."""
    with pytest.raises(UndefinedEstimate, match=reason):
        auc(case, prediction)


def test_paired_difference_equals_r() -> None:
    """The difference of two models is that of pROC::roc.test(paired = TRUE): interval, z and P."""
    known, expected = gbsg()[gbsg().known3 == 1], from_r()["bin"]["delong"]
    difference = paired_difference(*(auc_influence(known.y3, known[column]) for column in ("pA3", "pB3")))

    assert [difference.lower, difference.upper] == pytest.approx(expected["ci_diff"], abs=1e-12)
    assert difference.value / (difference.standard_error or 0) == pytest.approx(expected["z"], abs=1e-9)
    assert difference.p_value == pytest.approx(expected["p"], rel=1e-9)


def test_covariance_equals_r() -> None:
    """Variance and covariance of the contributions are pROC::var and pROC::cov."""
    known, expected = gbsg()[gbsg().known3 == 1], from_r()["bin"]
    first, second = (auc_influence(known.y3, known[column]).contributions for column in ("pA3", "pB3"))

    assert first @ first == pytest.approx(expected["aucA_var"], abs=1e-14)
    assert first @ second == pytest.approx(expected["cov_AB"], abs=1e-14)


def test_subgroups_equal_r() -> None:
    """AUC and variance within subgroups are those of pROC on each subgroup."""
    known, expected = gbsg()[gbsg().known3 == 1], from_r()["bin"]["subgroup_meno"]
    for menopausal in (0, 1):
        group = known[known.meno == menopausal]
        estimate = auc(group.y3, group.pA3)

        assert estimate.value == pytest.approx(expected[f"auc{menopausal}"], abs=1e-12)
        assert (estimate.standard_error or 0) ** 2 == pytest.approx(expected[f"var{menopausal}"], abs=1e-14)


def test_contributions_at_horizon_cover_every_patient() -> None:
    """Patients lost before the horizon are there with no share, so that two models stay paired."""
    data = gbsg()
    influence = auc_at_horizon_influence(data.time, data.status, data.pA3, 3)

    assert influence.contributions.shape == (686,)
    assert not influence.contributions[data.known3 == 0].any()


@given(cohorts(), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_bootstrap_counts_repeated_patients(cohort: Cohort, seed: int) -> None:
    """The AUC of a bootstrap sample is that of the patients repeated as often as drawn, NaN without both classes."""
    _, case, prediction = cohort
    plan = resampling(len(case), 100, seed)
    values = auc_replicates(case, prediction, plan)

    for replicate in range(3):
        drawn = np.repeat(np.arange(len(case)), plan.counts(replicate))
        cases, controls = prediction[drawn][case[drawn]], prediction[drawn][~case[drawn]]
        wins = np.sign(cases[:, None] - controls[None, :]) / 2 + 0.5
        expected = wins.mean() if wins.size else np.nan
        assert values[replicate] == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_bootstrap_agrees_with_delong() -> None:
    """The percentile interval of a regular sample lies near DeLong's, and keeps to its threads."""
    known = gbsg()[gbsg().known3 == 1]
    delong = auc(known.y3, known.pA3, interval="wald")
    bootstrap = auc_bootstrap(known.y3, known.pA3, replicates=4000, seed=1)
    plan = resampling(555, 200, 1)

    assert [bootstrap.lower, bootstrap.upper] == pytest.approx([delong.lower, delong.upper], abs=0.004)
    np.testing.assert_array_equal(
        auc_replicates(known.y3, known.pA3, plan), auc_replicates(known.y3, known.pA3, plan, threads=2)
    )


def test_bootstrap_refuses_too_few_of_one_class() -> None:
    """With two cases among 40, one bootstrap sample in eight holds none: there is no interval."""
    case = np.arange(40) < 2
    with pytest.raises(UndefinedEstimate, match="bootstrap replicates are undefined"):
        auc_bootstrap(case, np.arange(40) % 7, replicates=500, seed=1)


def test_bootstrap_of_clusters_of_unequal_size() -> None:
    """A cluster of a third of 60 000 rows may be drawn several times; sums of pairs still fit, as weights show."""
    rng = np.random.default_rng(1)
    n = 60_000
    case, cluster = rng.random(n) < 0.05, np.minimum(np.arange(n) // 1000, 40)
    prediction = rng.normal(size=n) + 2.5 * case
    plan = resampling(n, 100, 1, cluster)
    values = auc_replicates(case, prediction, plan)

    assert ((values > 0.9) & (values < 1)).all()
    for replicate in np.argsort([plan.counts(r).sum() for r in range(100)])[-3:]:
        weight = plan.counts(int(replicate))
        expected = roc_auc_score(case, prediction, sample_weight=weight)
        assert values[replicate] == pytest.approx(expected, abs=1e-12)
