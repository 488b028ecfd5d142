"""How numbers are distributed: quantiles with exact intervals, box plot, density and histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.samples import Floats, finite_vector, require_between

DENSITY_POINTS = 101
CUT = 3.0  # bandwidths by which a density reaches beyond the sample, as in R
WHISKER = 1.5  # interquartile ranges, Tukey's rule


def quantile_exact(values: ArrayLike, probability: float, *, level: float = 0.95) -> Estimate:
    """Estimate a quantile with its distribution-free interval between two order statistics.

    The value is R's quantile of type 7. Limits are the values of rank qbinom(a / 2, n, p) and qbinom(1 - a / 2, n, p)
    + 1 with a = 1 - level: they hold the quantile at least as often as the level says, whatever the distribution
    (Conover, Practical Nonparametric Statistics 1999, section 3.2). `events` is 0: there is no outcome.

    Args:
        values: Shape (n,).
        probability: For instance 0.5 for the median; strictly between 0 and 1.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: As `finite_vector`; an impossible probability or level; too few values for an interval of
            that level.
    """
    vector = np.sort(finite_vector("values", values))
    require_between("probability", probability, 0, 1)
    require_between("confidence level", level, 0, 1)
    low, high = (int(stats.binom.ppf(tail, vector.size, probability)) for tail in ((1 - level) / 2, (1 + level) / 2))
    if low < 1 or high + 1 > vector.size:
        reason = f"{vector.size} values are too few for a {100 * level:g} % interval of the quantile {probability:g}"
        raise UndefinedEstimate(reason, too_few=True)
    method = f"quantile {probability:g}, distribution-free interval between order statistics (Conover 1999)"
    value = float(np.quantile(vector, probability))
    return Estimate(value, float(vector[low - 1]), float(vector[high]), level, vector.size, 0, method)


@dataclass(frozen=True)
class BoxPlot:
    """Five numbers, and how many values lie beyond the whiskers.

    Attributes:
        lower_whisker: Smallest value not more than 1.5 interquartile ranges below the lower quartile.
        lower_quartile: R's quantile of type 7.
        median: The same.
        upper_quartile: The same.
        upper_whisker: Largest value not more than 1.5 interquartile ranges above the upper quartile.
        outside: Number of values beyond the whiskers.
    """

    lower_whisker: float
    lower_quartile: float
    median: float
    upper_quartile: float
    upper_whisker: float
    outside: int


def box_plot(values: ArrayLike) -> BoxPlot:
    """Return what Tukey's box plot shows (McGill, Tukey and Larsen, Am Stat 1978;32:12).

    Raises:
        UndefinedEstimate: As `finite_vector`.
    """
    vector = finite_vector("values", values)
    lower, median, upper = (float(x) for x in np.quantile(vector, (0.25, 0.5, 0.75)))
    reach = WHISKER * (upper - lower)
    inside = vector[(vector >= lower - reach) & (vector <= upper + reach)]
    return BoxPlot(float(inside.min()), lower, median, upper, float(inside.max()), vector.size - inside.size)


def density(values: ArrayLike) -> tuple[Floats, Floats]:
    """Estimate a density with a normal kernel: 101 values, from 3 bandwidths below to 3 above the sample, and heights.

    The bandwidth is Silverman's, R's bw.nrd0: 0.9 n^(-1/5) times the smaller of the standard deviation and the
    interquartile range over 1.34 (Silverman, Density Estimation 1986, page 48). A violin is this density, mirrored.

    Args:
        values: Shape (n,).

    Raises:
        UndefinedEstimate: As `finite_vector`; all values equal.
    """
    vector = finite_vector("values", values)
    if vector.min() == vector.max():
        raise UndefinedEstimate(f"the value is {vector[0]:g} for all {vector.size} patients: no density")
    lower, upper = np.quantile(vector, (0.25, 0.75))
    deviation = float(vector.std(ddof=1))
    spread = min(deviation, float(upper - lower) / 1.34) or deviation
    bandwidth = 0.9 * spread * vector.size**-0.2
    at = np.linspace(vector.min() - CUT * bandwidth, vector.max() + CUT * bandwidth, DENSITY_POINTS)
    kernels = np.exp(-(((at[:, None] - vector) / bandwidth) ** 2) / 2)
    return at, np.asarray(kernels.sum(axis=1) / (vector.size * bandwidth * math.sqrt(2 * math.pi)))


def histogram(values: ArrayLike, edges: ArrayLike) -> NDArray[np.int64]:
    """Count values between ascending edges; a value at an edge counts to the right of it, at the last one to its left.

    Args:
        values: Shape (n,).
        edges: Shape (k + 1,), ascending.

    Raises:
        UndefinedEstimate: As `finite_vector`; edges that do not ascend, or that leave a value out.
    """
    vector, limits = finite_vector("values", values), finite_vector("edges", edges)
    if np.any(np.diff(limits) <= 0):
        raise UndefinedEstimate("the edges of the histogram do not ascend")
    if vector.min() < limits[0] or vector.max() > limits[-1]:
        raise UndefinedEstimate(f"values from {vector.min():g} to {vector.max():g} lie beyond the edges")
    return np.histogram(vector, limits)[0].astype(np.int64)
