"""What Qi et al. published of the score itself (iScience 2023;26:107702, and the authors' R vignette).

Nobody can compute the published score of a new slide: the cut-offs that turn features into high and low are not
published, nor are the details of the mixture. What can be computed is what follows once the four features of a patient
are known to be high or low, and there two sets of coefficients differ:

- `AS_PRINTED`: s = 0.31 overall DEB - 0.41 overall LYM - 0.31 distal HEP + 0.29 interaction HEP, cut-off -0.35.
- `REFITTED`: the Cox model of the vignette, with standard errors, and the cut-off -0.346837 of its grid search.

The cut-off belongs to the refitted coefficients; -0.35 is that number, rounded, and on s as printed it is another rule:
it puts a patient in whom distal HEP alone is high (s = -0.31) into the high group, and one in whom everything but
interaction HEP is high (s = -0.41) into the low one; the vignette's rule does the opposite. What remains open is where
the zero of the vignette's predictor lies. Its search takes the first of many P values that are equally small, so that a
patient has a predictor at most 0.0001 below the cut-off. The coefficient of distal HEP is -0.347: that patient is the
one in whom it alone is high, if the predictor is not centred, and R's coxph does not centre covariates of 0 and 1
(argument `nocenter`). Hence `NOT_CENTRED`. Were it centred at features that half of all patients have, as standard
errors near 2 / sqrt(179 events) suggest (`NEAR_MEDIAN`), the groups would be the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

PUBLISHED_FEATURES = ("overall_deb", "overall_lym", "distal_hep", "interaction_hep")
NOT_CENTRED = (0.0, 0.0, 0.0, 0.0)
NEAR_MEDIAN = (0.5, 0.5, 0.5, 0.5)


@dataclass(frozen=True)
class PublishedScore:
    """Coefficients of the four features, each 1 = high, 0 = low, and a cut-off.

    Attributes:
        coefficients: Log hazard ratios of `PUBLISHED_FEATURES`.
        cutoff: High risk is at or above it.
        standard_errors: Of the coefficients; None if not published.
        patients: Fitted on.
        events: Deaths among them; None if not published.
        concordance: In the patients fitted on; None if not published.
        likelihood_ratio: Test statistic of all coefficients being zero; None if not published.
        aic: -2 log-likelihood + 2 coefficients; None if not published.
    """

    coefficients: tuple[float, ...]
    cutoff: float
    standard_errors: tuple[float, ...] | None
    patients: int
    events: int | None
    concordance: float | None
    likelihood_ratio: float | None
    aic: float | None

    def linear_predictor(self, high: Bools, means: tuple[float, ...] = NOT_CENTRED) -> Array:
        """Return the score (N,), higher = earlier death.

        Args:
            high: (N, 4) whether each of `PUBLISHED_FEATURES` is high.
            means: Of each feature in a patient whose score is 0.
        """
        return np.asarray((high - np.array(means)) @ np.array(self.coefficients))

    def high_risk(self, high: Bools, means: tuple[float, ...] = NOT_CENTRED) -> Bools:
        """Return whether the score (N,) lies at or above the cut-off; arguments as `linear_predictor`."""
        return np.asarray(self.linear_predictor(high, means) >= self.cutoff)


AS_PRINTED = PublishedScore(
    coefficients=(0.31, -0.41, -0.31, 0.29),
    cutoff=-0.35,
    standard_errors=None,
    patients=433,
    events=None,
    concordance=None,
    likelihood_ratio=None,
    aic=None,
)
REFITTED = PublishedScore(
    coefficients=(0.432, -0.386, -0.347, 0.336),
    cutoff=-0.346837,
    standard_errors=(0.159, 0.155, 0.166, 0.156),
    patients=433,
    events=179,
    concordance=0.619,
    likelihood_ratio=28.4,
    aic=1893.4,
)
