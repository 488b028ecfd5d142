"""Quantiles, box plots, densities and histograms: R's values, by hand, coverage, and what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from tests.reference import FOLDER, gbsg
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.groups.distribution import box_plot, density, histogram, quantile_exact

R = json.loads((FOLDER / "descriptive.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("column", "probability", "name"), [("age", 0.25, "age_25"), ("nodes", 0.5, "nodes_50"), ("lpA", 0.75, "lp_75")]
)
def test_quantiles_equal_r(column: str, probability: float, name: str) -> None:
    """Value of type 7, limits at the ranks that qbinom gives."""
    estimate, expected = quantile_exact(gbsg()[column], probability), R["quantiles"][name]

    assert estimate.value == pytest.approx(expected["value"], abs=1e-12)
    assert (estimate.lower, estimate.upper) == pytest.approx(expected["limits"], abs=1e-12)


def test_median_of_ten_by_hand() -> None:
    """The median lies between the 2nd and 9th of ten values with 97.9 %, between the 3rd and 8th with 89.1 %."""
    estimate = quantile_exact(range(10, 0, -1), 0.5)

    assert (estimate.value, estimate.lower, estimate.upper) == (5.5, 2, 9)


def test_quantile_interval_covers_at_least_as_often_as_it_says() -> None:
    """Also in small samples of a skewed distribution."""
    rng = np.random.default_rng(0)
    truth = float(stats.expon.ppf(0.25))
    estimates = [quantile_exact(sample, 0.25) for sample in rng.exponential(size=(2000, 25))]
    covered = np.mean([e.lower <= truth <= e.upper for e in estimates])

    assert covered >= 0.945


def test_box_plot_by_hand() -> None:
    """Quartiles 3 and 7, whiskers at the last values within 1.5 times 4 of them, one value beyond."""
    box = box_plot([1, 2, 3, 4, 5, 6, 7, 8, 99])

    assert (box.lower_quartile, box.median, box.upper_quartile) == (3, 5, 7)
    assert (box.lower_whisker, box.upper_whisker, box.outside) == (1, 8, 1)


@pytest.mark.parametrize("column", ["age", "nodes"])
def test_density_has_the_bandwidth_of_r(column: str) -> None:
    """The heights are those of scipy's normal kernel with R's bandwidth, and enclose an area of 1."""
    values = gbsg()[column].to_numpy(dtype=float)
    at, height = density(values)
    kernel = stats.gaussian_kde(values, bw_method=R["bandwidth"][column] / values.std(ddof=1))

    np.testing.assert_allclose(height, kernel(at), rtol=1e-9, atol=1e-12)
    assert np.trapezoid(height, at) == pytest.approx(1, abs=0.01)


def test_density_of_values_that_are_mostly_equal() -> None:
    """Where the quartiles coincide the standard deviation gives the bandwidth."""
    at, height = density([1.0] * 20 + [2.0])

    assert np.isfinite(height).all()
    assert at[0] < 1
    assert at[-1] > 2


def test_histogram_counts_every_value_once() -> None:
    """A value at an inner edge counts to the right, at the last edge to the left."""
    assert histogram([0, 1, 1, 1.5, 2], [0, 1, 2]).tolist() == [1, 4]


def test_refusals() -> None:
    """What cannot be described must be refused, with its reason."""
    with pytest.raises(UndefinedEstimate, match="5 values are too few for a 95 % interval"):
        quantile_exact([1, 2, 3, 4, 5], 0.5)
    with pytest.raises(UndefinedEstimate, match="probability 1 does not lie between"):
        quantile_exact([1, 2, 3], 1.0)
    with pytest.raises(UndefinedEstimate, match="not finite"):
        box_plot([1, np.nan])
    with pytest.raises(UndefinedEstimate, match="the value is 2 for all 3 patients"):
        density([2, 2, 2])
    with pytest.raises(UndefinedEstimate, match="lie beyond the edges"):
        histogram([0, 3], [0, 1, 2])
    with pytest.raises(UndefinedEstimate, match="do not ascend"):
        histogram([0, 1], [0, 0, 2])
