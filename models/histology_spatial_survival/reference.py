"""What Qi et al. published of the score itself (iScience 2023;26:107702, and the authors' R vignette).

Nobody can compute the published score of a new slide: the cut-offs that turn features into high and low are not
published, nor are the details of the mixture. What can be computed is what follows once the four features of a patient
are known to be high or low, and there two sets of coefficients differ:

- `AS_PRINTED`: s = 0.31 overall DEB - 0.41 overall LYM - 0.31 distal HEP + 0.29 interaction HEP, with the cut-off -0.35.
- `REFITTED`: the Cox model of the vignette, with standard errors and the cut-off -0.346837 that its grid search finds.

The cut-off belongs to the refitted coefficients and to R's centred linear predictor, which is 0 for a patient at the mean
of each feature; -0.35 is that number, rounded. On s as printed it is another rule: a patient with high distal HEP alone
has s = -0.31, which is high, where the vignette's predictor lies below its cut-off. The means (the share of patients high
in each feature) are not published. Standard errors near 2 / sqrt(179 events) are those of splits near the median, so that
`NEAR_MEDIAN` is our guess of them; they shift the predictor by 0.0175 only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

PUBLISHED_FEATURES = ("overall_deb", "overall_lym", "distal_hep", "interaction_hep")
NEAR_MEDIAN = (0.5, 0.5, 0.5, 0.5)


@dataclass(frozen=True)
class PublishedScore:
    """Coefficients of the four features, each 1 = high, 0 = low, and a cut-off.

    Attributes:
        coefficients: Log hazard ratios of `PUBLISHED_FEATURES`.
        cutoff: High risk is at or above it.
        centred: Whether the cut-off is one of the centred linear predictor.
        standard_errors: Of the coefficients; None if not published.
        patients: Fitted on.
        events: Deaths among them; None if not published.
        concordance: In the patients fitted on; None if not published.
        likelihood_ratio: Test statistic of all coefficients being zero; None if not published.
        aic: -2 log-likelihood + 2 coefficients; None if not published.
    """

    coefficients: tuple[float, ...]
    cutoff: float
    centred: bool
    standard_errors: tuple[float, ...] | None
    patients: int
    events: int | None
    concordance: float | None
    likelihood_ratio: float | None
    aic: float | None

    def linear_predictor(self, high: Bools, means: tuple[float, ...] = NEAR_MEDIAN) -> Array:
        """Return the score (N,), higher = earlier death, centred if the cut-off is.

        Args:
            high: (N, 4) whether each of `PUBLISHED_FEATURES` is high.
            means: Share of the discovery patients high in each; looked at only where the score is centred.
        """
        origin = np.array(means) if self.centred else np.zeros(len(PUBLISHED_FEATURES))
        return np.asarray((high - origin) @ np.array(self.coefficients))

    def high_risk(self, high: Bools, means: tuple[float, ...] = NEAR_MEDIAN) -> Bools:
        """Return whether the score (N,) lies at or above the cut-off; arguments as `linear_predictor`."""
        return np.asarray(self.linear_predictor(high, means) >= self.cutoff)


AS_PRINTED = PublishedScore(
    coefficients=(0.31, -0.41, -0.31, 0.29),
    cutoff=-0.35,
    centred=False,
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
    centred=True,
    standard_errors=(0.159, 0.155, 0.166, 0.156),
    patients=433,
    events=179,
    concordance=0.619,
    likelihood_ratio=28.4,
    aic=1893.4,
)
