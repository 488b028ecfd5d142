"""Seeded tables of patients with known log odds ratios and log hazard ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NAMES = ("diameter_cm", "ct1_2", "cea_positive", "borrmann_iv", "albumin_g_l", "glucose_mmol_l")
LOG_ODDS = {"diameter_cm": -0.35, "ct1_2": 1.2}
LOG_HAZARD = {"diameter_cm": 0.25, "cea_positive": 0.6}
DL_LOG_ODDS, DL_LOG_HAZARD = 0.9, -0.5


@dataclass(frozen=True, eq=False)
class Patients:
    """Made-up patients; 1 in 40 has an unknown CEA."""

    covariates: NDArray[np.float64]
    dl_logit: NDArray[np.float64]
    good: NDArray[np.bool_]
    event: NDArray[np.bool_]
    time_months: NDArray[np.float64]

    def column(self, name: str) -> NDArray[np.float64]:
        """One covariate."""
        return np.asarray(self.covariates[:, NAMES.index(name)])

    def combined(self, effects: dict[str, float]) -> NDArray[np.float64]:
        """The sum of effect times covariate."""
        return np.asarray(sum(effect * self.column(name) for name, effect in effects.items()))


def patients(n: int = 1500, seed: int = 0) -> Patients:
    """Covariates drawn at random, response and survival from them and from the deep-learning logit."""
    rng = np.random.default_rng(seed)
    covariates = np.column_stack(
        [
            rng.lognormal(1.5, 0.4, n),
            rng.random(n) < 0.15,
            rng.random(n) < 0.3,
            rng.random(n) < 0.1,
            rng.normal(40, 4, n),
            rng.lognormal(1.7, 0.2, n),
        ]
    )
    dl_logit = rng.normal(-1.2, 1.5, n)
    complete = Patients(covariates.copy(), dl_logit, np.empty(0, bool), np.empty(0, bool), np.empty(0))
    log_odds = -0.3 + DL_LOG_ODDS * (dl_logit + 1.2) + complete.combined(LOG_ODDS)
    good = rng.random(n) < 1 / (1 + np.exp(-log_odds))
    hazard = 0.012 * np.exp(DL_LOG_HAZARD * (dl_logit + 1.2) + complete.combined(LOG_HAZARD) - 1.2)
    death, censoring = rng.exponential(1 / hazard), rng.uniform(24, 84, n)
    covariates[::40, NAMES.index("cea_positive")] = np.nan
    return Patients(covariates, dl_logit, good, death <= censoring, np.minimum(death, censoring))
