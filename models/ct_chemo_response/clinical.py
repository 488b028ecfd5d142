"""The clinical signature and its fusion with the deep-learning signature, for a good response (Hu 2023).

Covariates are columns: a factor enters as one 0/1 column per level but the reference, and each level is chosen or left
by itself, as the rows of the paper's tables are. A missing value counts as the development mean wherever several
covariates are fitted together, and the patient is left out where the covariate is fitted alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from models.ct_chemo_response.associations import (
    SIGNIFICANT,
    Array,
    Association,
    Bools,
    odds_ratios,
    significant,
    univariable_odds_ratios,
)
from models.logistic import LogisticModel, fit_logistic
from models.missing import known_means
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.regression import logistic as estimators_logistic
from validation.estimators.regression.lasso import LassoFit, cross_validated_lasso

DL_LOGIT = "dl_logit"
LARGEST_CORRELATION = 0.9  # absolute Spearman coefficient of two covariates that may both stay; open in the paper
CLINICAL_METHOD = (
    f"of two covariates with an absolute Spearman correlation above {LARGEST_CORRELATION} the one with the smaller "
    "univariable P stays; LASSO at the penalty of least cross-validated deviance, and if that keeps none, the "
    "covariate with the smallest univariable P; logistic regression without penalty on what remains"
)
DLCS_METHOD = (
    "logistic regression on the logit of the deep-learning signature and the covariates with univariable "
    f"P < {SIGNIFICANT} (logistic regression, Wald's test)"
)


@dataclass(frozen=True)
class Correlated:
    """A covariate set aside because it says nearly the same as another.

    Attributes:
        name: The covariate.
        kept: The one that stays.
        correlation: Their Spearman coefficient, -1 to 1.
    """

    name: str
    kept: str
    correlation: float


@dataclass(frozen=True)
class LassoSelection:
    """What the LASSO chose, and what from.

    Attributes:
        names: Covariates it could choose from.
        coefficients: Of each at the chosen penalty, log odds ratio per unit; 0 = left out.
        penalty: The chosen penalty.
        penalties: All that were tried, descending.
        cv_deviance: Mean deviance per held-out patient at each.
        cv_standard_error: Of `cv_deviance`.
    """

    names: tuple[str, ...]
    coefficients: tuple[float, ...]
    penalty: float
    penalties: tuple[float, ...]
    cv_deviance: tuple[float, ...]
    cv_standard_error: tuple[float, ...]


@dataclass(frozen=True)
class ClinicalSignature:
    """The clinical signature and the way to it.

    Attributes:
        model: What ships.
        univariable: Each covariate alone; one that is undefined alone (constant, separating) is no candidate.
        correlated: Covariates set aside for another.
        lasso: The selection.
        multivariable: Odds ratios of `model`.
        method: In words.
    """

    model: LogisticModel
    univariable: tuple[Association, ...]
    correlated: tuple[Correlated, ...]
    lasso: LassoSelection
    multivariable: tuple[Association, ...]
    method: str = CLINICAL_METHOD

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Fusion:
    """The fusion (DLCS) and the way to it.

    Attributes:
        model: What ships; its first covariate is `dl_logit`.
        univariable: Each clinical covariate alone.
        multivariable: Odds ratios of `model`.
        method: In words.
    """

    model: LogisticModel
    univariable: tuple[Association, ...]
    multivariable: tuple[Association, ...]
    method: str = DLCS_METHOD

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def fit_clinical_signature(
    names: Sequence[str], covariates: Array, case: Bools, fold: NDArray[np.integer[Any]]
) -> ClinicalSignature:
    """Fit the clinical signature: Spearman filter, LASSO, multivariable logistic regression.

    Args:
        names: Names of the P covariates.
        covariates: (N, P), NaN = missing.
        case: (N,) good response.
        fold: (N,) folds of the LASSO's cross-validation, at least 3; for instance from `stratified_folds`.

    Raises:
        UndefinedEstimate: No covariate can be fitted alone, as many coefficients as patients of the rarer class,
            separation, or as `cross_validated_lasso`.
    """
    univariable = univariable_odds_ratios(names, covariates, case)
    candidates = [row for row in univariable if row.estimate is not None]
    if not candidates:
        reasons = "; ".join(f"{row.name}: {row.reason}" for row in univariable)
        raise UndefinedEstimate(f"clinical signature: no covariate can be fitted alone ({reasons})", too_few=True)
    ordered = tuple(row.name for row in sorted(candidates, key=lambda row: row.p_value))  # stable: ties as given
    correlated = spearman_filter(ordered, _filled(ordered, names, covariates))
    dropped = {pair.name for pair in correlated}
    kept = tuple(row.name for row in candidates if row.name not in dropped)
    lasso = cross_validated_lasso(case, _filled(kept, names, covariates), kept, fold, rule="minimum")
    chosen = lasso.selected or ordered[:1]
    model, multivariable = _fit(chosen, _columns(chosen, names, covariates), case)
    return ClinicalSignature(model, univariable, correlated, _plain(lasso), multivariable)


def fit_fusion(names: Sequence[str], covariates: Array, dl_logit: Array, case: Bools) -> Fusion:
    """Fit the DLCS: the deep-learning signature together with the covariates that are significant alone.

    Args:
        names: Names of the P clinical covariates.
        covariates: (N, P), NaN = missing.
        dl_logit: (N,) out-of-fold logit of the deep-learning signature.
        case: (N,) good response.

    Raises:
        UndefinedEstimate: As many coefficients as patients of the rarer class, collinear covariates, or separation.
    """
    univariable = univariable_odds_ratios(names, covariates, case)
    chosen = significant(univariable)
    columns = np.column_stack([dl_logit, _columns(chosen, names, covariates)])
    model, multivariable = _fit((DL_LOGIT, *chosen), columns, case)
    return Fusion(model, univariable, multivariable)


def spearman_filter(names: Sequence[str], covariates: Array) -> tuple[Correlated, ...]:
    """Return the covariates to set aside so that no two of the others correlate by more than 0.9 in absolute value.

    Args:
        names: Names of the P covariates, the ones to prefer first.
        covariates: (N, P), complete, none constant.
    """
    correlation = np.atleast_2d(np.corrcoef(rankdata(covariates, axis=0), rowvar=False))
    kept: list[int] = []
    dropped = []
    for column, name in enumerate(names):
        rivals = [other for other in kept if abs(correlation[column, other]) > LARGEST_CORRELATION]
        if rivals:
            dropped.append(Correlated(name, names[rivals[0]], float(correlation[column, rivals[0]])))
        else:
            kept.append(column)
    return tuple(dropped)


def require_coefficients_below(coefficients: int, events: int, what: str) -> None:
    """Refuse a model with as many coefficients as events (or patients of the rarer class): it can fit anything.

    Raises:
        UndefinedEstimate: Says both numbers.
    """
    if coefficients >= events:
        raise UndefinedEstimate(f"{what}: {coefficients} coefficients for {events} events", too_few=True)


def _fit(names: tuple[str, ...], columns: Array, case: Bools) -> tuple[LogisticModel, tuple[Association, ...]]:
    """Fit the model that ships, and the table of its odds ratios."""
    rarer = min(int(case.sum()), int((~case).sum()))
    require_coefficients_below(len(names), rarer, f"logistic regression on {', '.join(names)}")
    model = fit_logistic(names, columns, case)
    filled = np.where(np.isnan(columns), np.array(model.means), columns)
    return model, odds_ratios(estimators_logistic.fit_logistic(case, filled), names)


def _columns(chosen: Sequence[str], names: Sequence[str], covariates: Array) -> Array:
    """Return the chosen columns in their order, missing values still missing."""
    return np.asarray(covariates[:, [list(names).index(name) for name in chosen]])


def _filled(chosen: Sequence[str], names: Sequence[str], covariates: Array) -> Array:
    """Return the chosen columns, missing values replaced by the mean of the known ones."""
    columns = _columns(chosen, names, covariates)
    return np.where(np.isnan(columns), known_means(chosen, columns), columns)


def _plain(lasso: LassoFit) -> LassoSelection:
    return LassoSelection(
        names=lasso.names,
        coefficients=tuple(lasso.coefficients.tolist()),
        penalty=lasso.penalty,
        penalties=tuple(lasso.path.penalty.tolist()),
        cv_deviance=tuple(lasso.cv_deviance.tolist()),
        cv_standard_error=tuple(lasso.cv_standard_error.tolist()),
    )
