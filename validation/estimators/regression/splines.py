"""Restricted cubic splines."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Floats, finite_vector


def default_knots(values: ArrayLike, count: int = 3) -> Floats:
    """Place 3, 4 or 5 knots at the quantiles that Hmisc::rcspline.eval chooses.

    With 3 knots the outer ones lie at the 10th and 90th percentile, otherwise at the 5th and 95th, the others evenly
    between; below 100 values the outer ones are the fifth lowest and fifth highest value. Hmisc has two more rules for
    values that are often equal: it seeks other knots where two fall together, which is refused here, and moves the
    outer ones where at least 5 % share the lowest or highest value, which is not done here.

    Args:
        values: Shape (n,).
        count: Number of knots.

    Raises:
        UndefinedEstimate: As `finite_vector`; another number of knots; too few distinct values for distinct knots.
    """
    if count not in (3, 4, 5):
        raise UndefinedEstimate(f"{count} knots: 3, 4 or 5 are possible")
    ascending = np.sort(finite_vector("values", values))
    if np.unique(ascending).size < count + 3:
        raise UndefinedEstimate(f"too few distinct values for a spline with {count} knots", too_few=True)
    outer = 0.1 if count == 3 else 0.05
    knots: Floats = np.quantile(ascending, np.linspace(outer, 1 - outer, count))
    if ascending.size < 100:
        knots[[0, -1]] = ascending[[4, -5]]
    if np.any(np.diff(knots) <= 0):
        raise UndefinedEstimate(f"too few distinct values for a spline with {count} knots", too_few=True)
    return knots


def restricted_cubic_spline(values: ArrayLike, knots: ArrayLike) -> Floats:
    """Return the basis of a spline that is cubic between the knots and linear outside them, shape (n, k - 1).

    The first column is `values`, the others equal Hmisc::rcspline.eval(norm = 2): cubic terms divided by the squared
    distance of the outer knots (Stone and Koo 1985; Harrell, Regression Modeling Strategies, 2.4.5).

    Args:
        values: Shape (n,).
        knots: Shape (k,), at least 3, ascending.

    Raises:
        UndefinedEstimate: As `finite_vector`; fewer than 3 knots, or not ascending.
    """
    x = finite_vector("values", values)
    at = finite_vector("knots", knots)
    if at.size < 3 or np.any(np.diff(at) <= 0):
        raise UndefinedEstimate("a restricted cubic spline needs at least 3 ascending knots")
    cubes = np.maximum(x[:, None] - at, 0) ** 3 / (at[-1] - at[0]) ** 2
    before_last, last = at[-2], at[-1]
    terms = cubes[:, :-2] + (cubes[:, [-1]] * (before_last - at[:-2]) - cubes[:, [-2]] * (last - at[:-2])) / (
        last - before_last
    )
    return np.column_stack((x, terms))
