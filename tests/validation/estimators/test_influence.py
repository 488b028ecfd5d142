"""Intervals, differences and clusters from influence contributions."""

from __future__ import annotations

import numpy as np
import pytest

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.influence import Influence, as_standard_deviation, paired_difference

CONTRIBUTIONS = np.array([0.03, -0.01, -0.02, 0.02, -0.02])


def influence(value: float = 0.7, scale: float = 1.0) -> Influence:
    """A value with contributions of five patients."""
    return Influence(value, scale * CONTRIBUTIONS, 5, 2, "mean", 36.0)


def test_standard_error_is_the_root_of_the_sum_of_squares() -> None:
    """The infinitesimal jackknife, by hand."""
    assert influence().standard_error() == pytest.approx(np.sqrt(0.0022))


def test_clusters_add_up_before_they_are_squared() -> None:
    """Patients 1 and 2, and 3 to 5, count as two: (0.02, -0.02)."""
    assert influence().standard_error(cluster=["a", "a", "b", "b", "b"]) == pytest.approx(np.sqrt(2 * 0.02**2))


def test_estimate_carries_everything() -> None:
    """Value, interval on the scale asked for, sample, horizon, standard error and words."""
    estimate = influence().estimate(scale="identity", level=0.95)

    assert (estimate.value, estimate.n, estimate.events, estimate.horizon) == (0.7, 5, 2, 36.0)
    assert estimate.upper - estimate.value == pytest.approx(1.959963984540054 * np.sqrt(0.0022))
    assert estimate.standard_error == pytest.approx(np.sqrt(0.0022))
    assert estimate.method == "mean, Wald interval"
    assert influence().estimate(scale="logit", level=0.95).method == "mean, logit interval"


def test_paired_difference_uses_the_covariance() -> None:
    """Twice the same contributions differ by half as much as either of them errs."""
    difference = paired_difference(influence(0.75), influence(0.7, scale=0.5))

    assert difference.value == pytest.approx(0.05)
    assert difference.standard_error == pytest.approx(np.sqrt(0.0022) / 2)
    assert difference.p_value == pytest.approx(0.0330, abs=1e-4)
    assert difference.method.startswith("paired difference: mean")


def test_hypothesis_of_no_effect() -> None:
    """Wald interval and P value of 0."""
    estimate = influence(0.09).tested(0.9)

    assert estimate.p_value == pytest.approx(0.0550, abs=1e-4)
    assert (estimate.level, estimate.method) == (0.9, "mean, Wald interval, Wald test of 0")


def test_few_clusters_have_no_interval() -> None:
    """From two clusters nobody can see how much clusters differ; from thirty on the interval says that it is theirs."""
    with pytest.raises(UndefinedEstimate, match="2 clusters: an interval needs at least 30"):
        influence().estimate(scale="logit", level=0.95, cluster=["a", "a", "b", "b", "b"])
    many = Influence(0.09, np.tile(CONTRIBUTIONS / 4, 16), 80, 30, "mean")
    clustered = many.tested(0.95, cluster=np.arange(80) % 40)

    assert clustered.standard_error == pytest.approx(np.sqrt(np.sum((2 * many.contributions[:40]) ** 2)))
    assert "clustered" in clustered.method


@pytest.mark.parametrize(("value", "error"), [(0.2, 1e-16), (1e6, 1e-8), (0.0, 1e-13)])
def test_rounding_is_no_variance(value: float, error: float) -> None:
    """Contributions that would be zero but for rounding leave no interval; clusters whose sums are, neither."""
    alike = Influence(value, np.array([error, -error]), 2, 1, "mean")
    assert alike.standard_error() == 0
    with pytest.raises(UndefinedEstimate, match="standard error 0"):
        alike.tested(0.95)
    one_cluster = Influence(value, np.array([0.1, 0.2, -0.3]), 3, 1, "mean")
    assert one_cluster.standard_error(cluster=["a", "a", "a"]) == 0


def test_standard_deviation() -> None:
    """R's divisor n - 1 in place of n."""
    assert as_standard_deviation(np.array([0.3, -0.3])) == pytest.approx(np.sqrt(2) * np.array([0.3, -0.3]))


def test_identical_predictions_have_no_difference_to_test() -> None:
    """A difference without variance has no interval."""
    with pytest.raises(UndefinedEstimate, match="standard error 0"):
        paired_difference(influence(), influence())


def test_other_patients_are_not_paired() -> None:
    """A paired difference needs the same patients."""
    with pytest.raises(UndefinedEstimate, match="5 and 2 patients"):
        influence() - Influence(0.5, np.zeros(2), 2, 1, "mean")
