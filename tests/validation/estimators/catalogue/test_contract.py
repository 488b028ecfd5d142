"""What holds for every estimator that can be asked for by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.reference import gbsg
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import BinarySample, Estimator, Settings, SurvivalSample
from validation.estimators.catalogue.survival import SURVIVAL
from validation.estimators.estimate import UndefinedEstimate

DOCS = Path(__file__).parents[4] / "docs" / "estimates.md"
SETTINGS = Settings(0.95, 3.0, threshold=0.4, cutoff=0.3, replicates=200, seed=1)


def survival_sample(entry: Estimator[SurvivalSample]) -> SurvivalSample:
    """The gbsg cohort, as the entry wants it."""
    data = gbsg()
    column = "pA3" if entry.of == "risk" or "cutoff" in entry.needs else "lpA"
    settings = SETTINGS if entry.horizon != "none" else replace(SETTINGS, horizon=None)
    return SurvivalSample(
        time=data.time.to_numpy(),
        event=data.status.to_numpy() == 1,
        prediction=data[column].to_numpy(),
        settings=settings,
        other=data.pB3.to_numpy(),
        horizons=np.array([1.0, 3.0, 5.0]),
        risks=data[["pA1", "pA3", "pA5"]].to_numpy(),
    )


def binary_sample() -> BinarySample:
    """Event within three years among those known there."""
    data = gbsg()[gbsg().known3 == 1]
    return BinarySample(data.y3.to_numpy() == 1, data.pA3.to_numpy(), SETTINGS, data.pB3.to_numpy())


CASES: list[Any] = [
    *(pytest.param(entry, survival_sample(entry), id=f"survival-{name}") for name, entry in SURVIVAL.items()),
    *(pytest.param(entry, binary_sample(), id=f"binary-{name}") for name, entry in BINARY.items()),
]


AT_HORIZONS = [
    case
    for case in CASES
    if isinstance(case.values[1], SurvivalSample)
    and (case.values[0].horizon == "required" or "grid" in case.values[0].needs)
]


def reordered(sample: Any, order: np.ndarray) -> Any:
    """The same rows in another order."""
    if isinstance(sample, BinarySample):
        return replace(
            sample, event=sample.event[order], prediction=sample.prediction[order], other=sample.other[order]
        )
    return replace(
        sample,
        time=sample.time[order],
        event=sample.event[order],
        prediction=sample.prediction[order],
        other=sample.other[order],
        risks=sample.risks[order],
    )


@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_estimate_is_whole(entry: Estimator[Any], sample: Any) -> None:
    """Value inside its interval and bounds, with level, n, events and a method in words."""
    estimate = entry.estimate(sample)
    low, high = entry.bounds

    assert low < estimate.value < high
    assert estimate.lower < estimate.upper
    assert (estimate.level, 0 < estimate.events < estimate.n <= 686) == (0.95, True)
    assert len(estimate.method) > 20
    if entry.horizon == "required":
        assert estimate.horizon == 3.0


@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_a_prediction_upside_down_is_within_the_bounds(entry: Estimator[Any], sample: Any) -> None:
    """A model worse than none is bad, not impossible: evidence on it can be written."""
    rank = np.argsort(np.argsort(sample.prediction))
    estimate = entry.estimate(replace(sample, prediction=np.sort(sample.prediction)[::-1][rank]))
    low, high = entry.bounds

    assert low <= estimate.value <= high


@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_wider_at_a_higher_level(entry: Estimator[Any], sample: Any) -> None:
    """The level asked for is the level used."""
    narrow = entry.estimate(replace(sample, settings=replace(sample.settings, level=0.5)))
    wide = entry.estimate(replace(sample, settings=replace(sample.settings, level=0.99)))

    assert wide.lower < narrow.lower
    assert wide.upper > narrow.upper
    assert (narrow.level, wide.level) == (0.5, 0.99)


@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_row_order_does_not_matter(entry: Estimator[Any], sample: Any) -> None:
    """Value, and limits unless they are drawn, are those of the reversed table."""
    order = np.arange(len(sample.event))[::-1]
    estimate, other = entry.estimate(sample), entry.estimate(reordered(sample, order))

    assert other.value == pytest.approx(estimate.value, abs=1e-9)
    if "replicates" not in entry.needs:
        assert (other.lower, other.upper) == pytest.approx((estimate.lower, estimate.upper), abs=1e-8)


@pytest.mark.parametrize(("entry", "sample"), [case for case in CASES if isinstance(case.values[1], SurvivalSample)])
def test_time_unit_does_not_matter(entry: Estimator[SurvivalSample], sample: SurvivalSample) -> None:
    """Years or months: the same estimate, with the horizon in that unit."""
    horizon = sample.settings.horizon
    months = replace(
        sample,
        time=sample.time * 12,
        horizons=sample.horizons * 12,
        settings=replace(sample.settings, horizon=None if horizon is None else horizon * 12),
    )
    estimate, other = entry.estimate(sample), entry.estimate(months)

    assert (other.value, other.lower) == pytest.approx((estimate.value, estimate.lower), abs=1e-9)


@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_repeats_itself(entry: Estimator[Any], sample: Any) -> None:
    """The same sample gives the same estimate, bootstrap included."""
    assert entry.estimate(sample) == entry.estimate(replace(sample))


def with_nan(sample: Any) -> Any:
    """One prediction is not a number."""
    spoilt = np.arange(len(sample.event)) == 7
    changes: dict[str, Any] = {"prediction": np.where(spoilt, np.nan, sample.prediction)}
    if isinstance(sample, SurvivalSample):
        changes["risks"] = np.where(spoilt[:, None], np.nan, sample.risks)
    return replace(sample, **changes)


def one_short(sample: Any) -> Any:
    """One prediction is missing."""
    changes: dict[str, Any] = {"prediction": sample.prediction[:-1]}
    if isinstance(sample, SurvivalSample):
        changes["risks"] = sample.risks[:-1]
    return replace(sample, **changes)


@pytest.mark.parametrize(("spoil", "reason"), [(with_nan, "finite"), (one_short, "values for|shape")])
@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_refuses_bad_predictions(entry: Estimator[Any], sample: Any, spoil: Callable[[Any], Any], reason: str) -> None:
    """NaN and another length never give a number."""
    with pytest.raises(UndefinedEstimate, match=reason):
        entry.estimate(spoil(sample))


WITHOUT_CASES = {f"binary-{name}" for name in ("specificity", "ppv", "npv", "accuracy", "net_benefit")}
"""Shares of controls, of those positive or of everybody: defined for a binary outcome that nobody has."""


@pytest.mark.parametrize(("entry", "sample"), [case for case in CASES if case.id not in WITHOUT_CASES])
def test_refuses_a_cohort_without_events(entry: Estimator[Any], sample: Any) -> None:
    """Without events nothing about them can be estimated."""
    with pytest.raises(UndefinedEstimate, match=r"no event|0 cases|no case|one class"):
        entry.estimate(replace(sample, event=np.zeros(len(sample.event), dtype=bool)))


WITH_ONE_EVENT = {
    *("accuracy", "average_precision", "brier", "brier_t", "calibration_intercept", "calibration_slope", "ibs", "ipa"),
    *("ipa_t", "kaplan_meier_by_cutoff", "net_benefit", "npv", "oe_ratio", "ppv", "sensitivity", "specificity"),
    *("standardized_net_benefit", "youden"),
}
"""Defined by one event: shares and means over everybody, whose variance sees it, and models that one event can fit."""


@pytest.mark.parametrize(
    ("entry", "sample"), [case for case in CASES if str(case.id).partition("-")[2] not in WITH_ONE_EVENT]
)
def test_refuses_a_single_event(entry: Estimator[Any], sample: Any) -> None:
    """What compares events among themselves, or with few others, is undefined with one, and more would help."""
    first = int(np.flatnonzero(sample.event)[0])
    with pytest.raises(UndefinedEstimate) as caught:
        entry.estimate(replace(sample, event=np.arange(len(sample.event)) == first))

    assert caught.value.too_few


@pytest.mark.parametrize(("entry", "sample"), AT_HORIZONS)
def test_everybody_censored_before_the_horizon(entry: Estimator[SurvivalSample], sample: SurvivalSample) -> None:
    """Nothing is said about a horizon that nobody reached."""
    kept = sample.time < 2.9
    short = reordered(sample, np.flatnonzero(kept & ~sample.event | kept & sample.event & (np.arange(686) % 3 == 0)))
    with pytest.raises(UndefinedEstimate, match="beyond follow-up"):
        entry.estimate(replace(short, horizons=np.array([3.0, 5.0]), risks=short.risks[:, 1:]))


@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_clustered_rows_are_heeded_or_refused(entry: Estimator[Any], sample: Any) -> None:
    """Rows entered twice do not narrow an interval once their clusters are known."""
    rows = np.arange(len(sample.event))
    twice = replace(reordered(sample, np.tile(rows, 2)), cluster=np.tile(rows, 2))
    if entry.influence is None and not entry.handles_clusters:
        with pytest.raises(UndefinedEstimate, match="rows of one cluster are not independent"):
            entry.estimate(twice)
        return
    clustered, single = entry.estimate(twice), entry.estimate(sample)
    assert clustered.upper - clustered.lower == pytest.approx(single.upper - single.lower, rel=0.15)


@pytest.mark.parametrize("name", sorted({*SURVIVAL, *BINARY}))
def test_documented(name: str) -> None:
    """Every name has its row in docs/estimates.md."""
    assert f"| `{name}` |" in DOCS.read_text(encoding="utf-8")
