"""From twenty features to the few of the score: cut-offs, univariable screen, correlated pairs, stepwise Cox (Qi 2023).

All four steps look at the outcomes: hazard ratios and P values of what they choose are too good. The honest figures are
those of patients whom the whole selection, from the cut-offs on, has not seen; see `risk`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.histology_spatial_survival import FAMILIES
from validation.estimators.cutoffs.maximally_selected import maximally_selected_log_rank
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.survival.cox import fit_cox
from validation.estimators.survival.cox_summary import cox_summary
from validation.estimators.survival.stepwise import Direction, Step, stepwise_cox

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

SIGNIFICANT = 0.05
LARGEST_CORRELATION = 0.7  # absolute Pearson coefficient of two features that may both stay
DIRECTIONS: tuple[Direction, ...] = ("both", "backward", "forward")
METHOD = (
    "each feature high at or above the cut-off with the largest log-rank statistic (10 to 90 % of the patients low); "
    f"univariable Cox regression, likelihood-ratio P < {SIGNIFICANT}; of two features with an absolute Pearson "
    f"correlation above {LARGEST_CORRELATION} the overall share stays, else the one with the smaller P; stepwise Cox "
    "regression by AIC, backward, forward and both, the least AIC of the three"
)


@dataclass(frozen=True)
class Screened:
    """One feature alone.

    Attributes:
        name: The feature.
        cutoff: High is at or above it; a single-precision number; None if there is none.
        search_p_value: Of the log-rank statistic there, corrected for the search; for the reader, the screen does not
            use it; None without cut-off.
        hazard_ratio: High against low; None if undefined.
        p_value: Of the likelihood-ratio test, not corrected for the search; 1 if undefined: no screen lets it pass.
        reason: Why cut-off or hazard ratio is undefined (constant feature, a group without an event); else None.
    """

    name: str
    cutoff: float | None
    search_p_value: float | None
    hazard_ratio: Estimate | None
    p_value: float
    reason: str | None


@dataclass(frozen=True)
class Correlated:
    """A feature set aside because it says nearly the same as another.

    Attributes:
        name: The feature.
        kept: The one that stays.
        correlation: Their Pearson coefficient, as continuous features.
    """

    name: str
    kept: str
    correlation: float


@dataclass(frozen=True)
class Path:
    """One stepwise regression.

    Attributes:
        direction: Way of the search.
        steps: All models from the first to the last; empty if undefined.
        reason: Why it is undefined (a model on the way has no finite maximum); else None.
    """

    direction: str
    steps: tuple[Step, ...]
    reason: str | None


@dataclass(frozen=True)
class Selection:
    """The chosen features and the way to them.

    Attributes:
        screened: Every feature alone.
        correlated: Features that passed the screen and were set aside for another.
        paths: Stepwise regressions.
        cutoffs: Of the chosen features, by name, in the order of the features.
        hazard_ratios: Of the chosen features together, high against low.
        method: In words.
    """

    screened: tuple[Screened, ...]
    correlated: tuple[Correlated, ...]
    paths: tuple[Path, ...]
    cutoffs: Mapping[str, float]
    hazard_ratios: Mapping[str, Estimate]
    method: str = METHOD

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def select_features(names: Sequence[str], features: Array, event: Bools, time_months: Array) -> Selection:
    """Choose the features of the score.

    Args:
        names: Names of the P features, "family_tissue".
        features: (N, P), complete, single-precision numbers.
        event: (N,) death observed.
        time_months: (N,) months to death or censoring.

    Raises:
        ValueError: No feature passes the screen, or none is left by the stepwise regressions.
        UndefinedEstimate: None of the stepwise regressions is defined.
    """
    screened = screen(names, features, event, time_months)
    passed = [row for row in screened if row.p_value < SIGNIFICANT]
    if not passed:
        smallest = min(screened, key=lambda row: row.p_value)
        found = f"the smallest P of {len(screened)} is {smallest.p_value:.3g}, of {smallest.name}"
        raise ValueError(f"no feature passes the screen: {found}; expected one below {SIGNIFICANT}")
    columns = dict(zip(names, features.T, strict=True))
    correlated = drop_correlated({row.name: (columns[row.name], row.p_value) for row in passed})
    dropped = {pair.name for pair in correlated}
    cutoffs = {row.name: row.cutoff for row in passed if row.name not in dropped and row.cutoff is not None}
    high = {name: (columns[name] >= cutoff).astype(np.float64) for name, cutoff in cutoffs.items()}
    paths = stepwise(high, event, time_months)
    chosen = _chosen(paths, names)
    summary = cox_summary(fit_cox(time_months, event, np.column_stack([high[name] for name in chosen])), chosen)
    return Selection(screened, correlated, paths, {name: cutoffs[name] for name in chosen}, summary.hazard_ratios)


def screen(names: Sequence[str], features: Array, event: Bools, time_months: Array) -> tuple[Screened, ...]:
    """Dichotomise each feature where survival differs most, and test it alone.

    A feature that cannot be dichotomised, and one of which a group has no event so that its hazard ratio has no finite
    maximum, stays in the table with the reason and does not pass.
    """
    return tuple(_screened(name, column, event, time_months) for name, column in zip(names, features.T, strict=True))


def _screened(name: str, feature: Array, event: Bools, time_months: Array) -> Screened:
    cutoff = search_p_value = None
    try:
        selected = maximally_selected_log_rank(time_months, event, feature)
        cutoff, search_p_value = _single(selected.value), selected.p_value
        summary = cox_summary(fit_cox(time_months, event, (feature >= cutoff)[:, None]), [name])
    except UndefinedEstimate as undefined:
        return Screened(name, cutoff, search_p_value, None, 1.0, str(undefined))
    return Screened(
        name, cutoff, search_p_value, summary.hazard_ratios[name], summary.likelihood_ratio.p_value, reason=None
    )


def drop_correlated(features: Mapping[str, tuple[Array, float]]) -> tuple[Correlated, ...]:
    """Return the features to set aside so that no two of the others correlate by more than 0.7 in absolute value.

    An overall share is preferred to any other feature, as in the paper, where the distal shares of debris and of
    lymphocytes fall to the overall ones although distal debris has the larger hazard ratio; else the smaller P.

    Args:
        features: By name, the continuous values (N,) and the P value.
    """
    preferred = sorted(features, key=lambda name: (not name.startswith(FAMILIES[0]), features[name][1]))
    kept: list[str] = []
    dropped = []
    for name in preferred:
        correlations = {other: float(np.corrcoef(features[name][0], features[other][0])[0, 1]) for other in kept}
        rival = next((other for other, r in correlations.items() if abs(r) > LARGEST_CORRELATION), None)
        if rival is None:
            kept.append(name)
        else:
            dropped.append(Correlated(name, rival, correlations[rival]))
    return tuple(dropped)


def stepwise(high: Mapping[str, Array], event: Bools, time_months: Array) -> tuple[Path, ...]:
    """Return the three stepwise regressions on features (N,) that are 1 = high, 0 = low.

    Raises:
        UndefinedEstimate: None of the three is defined; says why.
    """
    paths = []
    for direction in DIRECTIONS:
        try:
            paths.append(Path(direction, stepwise_cox(time_months, event, high, direction=direction).path, None))
        except UndefinedEstimate as undefined:
            paths.append(Path(direction, (), str(undefined)))
    if not any(path.steps for path in paths):
        reasons = "; ".join(f"{path.direction}: {path.reason}" for path in paths)
        raise UndefinedEstimate(f"stepwise Cox regression on {', '.join(high)}: {reasons}", too_few=True)
    return tuple(paths)


def _chosen(paths: Sequence[Path], names: Sequence[str]) -> tuple[str, ...]:
    """Return the terms of the path with the least AIC, the first of equals, in the order of the features."""
    best = min((path.steps[-1] for path in paths if path.steps), key=lambda step: step.aic)
    if not best.terms:
        raise ValueError(f"the stepwise Cox regressions leave no feature: AIC {best.aic:.4g} without any")
    return tuple(name for name in names if name in best.terms)


def _single(cutoff: float) -> float:
    """Return the least single-precision number at or above a cut-off: it divides single-precision features alike."""
    single = np.float32(cutoff)
    return float(single if single >= cutoff else np.nextafter(single, np.float32(np.inf)))
