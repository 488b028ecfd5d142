"""The Cox model of overall survival: univariable screen, multivariable model, nomogram (Hu 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.cox import CoxModel, fit_cox
from models.ct_chemo_response.associations import (
    SIGNIFICANT,
    Array,
    Association,
    Bools,
    hazard_ratios,
    significant,
    univariable_hazard_ratios,
)
from models.ct_chemo_response.clinical import DL_LOGIT, require_coefficients_below
from models.missing import known_means

METHOD = (
    f"covariates with P < {SIGNIFICANT} alone enter a multivariable Cox model; those with P < {SIGNIFICANT} in it make "
    "the nomogram, refitted; the deep-learning signature is always kept; hazard ratios per standard deviation, "
    "missing values count as the development mean"
)


@dataclass(frozen=True)
class OverallSurvival:
    """The nomogram of overall survival and the way to it.

    The paper's hazard ratios look like those of z-scored covariates. A z-score changes the unit of a coefficient and
    nothing else, so that what ships takes covariates as they are: its coefficient times the standard deviation is the
    log hazard ratio of the tables.

    Attributes:
        model: What ships; coefficients per unit of each covariate.
        standard_deviations: Of the known values of the model's covariates in development, divisor n - 1.
        univariable: Each covariate alone, among the patients who have it, per standard deviation.
        multivariable: The covariates that passed the screen, together, per standard deviation.
        nomogram: Hazard ratios of `model`, per standard deviation.
        method: In words.
    """

    model: CoxModel
    standard_deviations: tuple[float, ...]
    univariable: tuple[Association, ...]
    multivariable: tuple[Association, ...]
    nomogram: tuple[Association, ...]
    method: str = METHOD

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def fit_overall_survival(
    names: Sequence[str],
    covariates: Array,
    dl_logit: Array,
    event: Bools,
    time_months: Array,
    horizons_months: Sequence[float],
) -> OverallSurvival:
    """Screen the covariates, then fit the Cox model that ships.

    Args:
        names: Names of the P clinical covariates.
        covariates: (N, P), NaN = missing.
        dl_logit: (N,) out-of-fold logit of the deep-learning signature.
        event: (N,) death observed.
        time_months: (N,) months to death or censoring.
        horizons_months: Horizons of the risks.

    Raises:
        ValueError: The signature does not vary, or a horizon lies beyond follow-up.
        UndefinedEstimate: As many coefficients as events, collinear covariates, or separation.
    """
    all_names, table = (DL_LOGIT, *names), np.column_stack([dl_logit, covariates])
    deviations = _standard_deviations(table)
    scaled = table / deviations
    univariable = univariable_hazard_ratios(all_names, scaled, event, time_months)
    screened = _with_signature(significant(univariable))
    multivariable = _together(screened, all_names, scaled, event, time_months)
    kept = _with_signature(significant(multivariable))
    nomogram = _together(kept, all_names, scaled, event, time_months)
    columns = [all_names.index(name) for name in kept]
    return OverallSurvival(
        model=fit_cox(kept, table[:, columns], event, time_months, horizons_months),
        standard_deviations=tuple(deviations[columns].tolist()),
        univariable=univariable,
        multivariable=multivariable,
        nomogram=nomogram,
    )


def _standard_deviations(table: Array) -> Array:
    """Return the standard deviation (P,) of the known values; 1 for a column that has none, whose row then says so."""
    known = [column[~np.isnan(column)] for column in table.T]
    deviations = [values.std(ddof=1) if len(values) > 1 else 0.0 for values in known]
    return np.array([deviation if deviation > 0 else 1.0 for deviation in deviations])


def _with_signature(names: tuple[str, ...]) -> tuple[str, ...]:
    return (DL_LOGIT, *(name for name in names if name != DL_LOGIT))


def _together(
    chosen: tuple[str, ...], names: tuple[str, ...], scaled: Array, event: Bools, time_months: Array
) -> tuple[Association, ...]:
    require_coefficients_below(len(chosen), int(event.sum()), f"Cox regression on {', '.join(chosen)}")
    columns = scaled[:, [names.index(name) for name in chosen]]
    filled = np.where(np.isnan(columns), known_means(chosen, columns), columns)
    return hazard_ratios(chosen, filled, event, time_months)
