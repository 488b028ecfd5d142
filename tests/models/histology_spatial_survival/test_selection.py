"""From features to those of the score: every rule by itself, then together."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.histology_spatial_survival.selection import (
    DIRECTIONS,
    Path,
    _chosen,
    _single,
    drop_correlated,
    screen,
    select_features,
    stepwise,
)
from tests.reference import gbsg
from tests.validation.estimators.survival.reference import survival_reference
from validation.estimators.cutoffs.maximally_selected import maximally_selected_log_rank
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.cox import fit_cox, null_log_likelihood
from validation.estimators.survival.stepwise import Step

NAMES = ("overall_deb", "overall_lym", "distal_deb", "distal_hep", "interaction_hep", "interaction_muc")


def patients(n: int = 400, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Features of which overall debris harms and lymphocytes protect; distal debris follows overall debris."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, len(NAMES)))
    x[:, 2] = x[:, 0] + 0.5 * x[:, 2]
    hazard = 0.02 * np.exp(0.8 * (x[:, 0] > 0) - 0.8 * (x[:, 1] > 0.3))
    death, censoring = rng.exponential(1 / hazard), rng.uniform(30, 150, n)
    return x.astype(np.float32).astype(np.float64), death <= censoring, np.minimum(death, censoring)


def test_features_that_matter_are_chosen() -> None:
    """Debris and lymphocytes are in the score, the twin of debris is set aside for it."""
    x, event, time = patients()
    found = select_features(NAMES, x, event, time)

    assert {"overall_deb", "overall_lym"} <= set(found.cutoffs)
    assert [(pair.name, pair.kept) for pair in found.correlated] == [("distal_deb", "overall_deb")]
    assert found.correlated[0].correlation == pytest.approx(np.corrcoef(x[:, 0], x[:, 2])[0, 1])
    assert found.hazard_ratios["overall_deb"].value > 1.5
    assert found.hazard_ratios["overall_lym"].value < 0.7
    assert list(found.cutoffs) == [name for name in NAMES if name in found.cutoffs]
    assert tuple(path.direction for path in found.paths) == DIRECTIONS
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["cutoffs"] == found.cutoffs


def test_screen_is_a_likelihood_ratio_test_at_the_best_cutoff() -> None:
    """Cut-off and P are those of the estimators on their own."""
    x, event, time = patients()
    row = screen(NAMES, x, event, time)[1]
    selected = maximally_selected_log_rank(time, event, x[:, 1])
    assert row.cutoff is not None
    fit = fit_cox(time, event, (x[:, 1] >= row.cutoff)[:, None])

    assert row.cutoff == pytest.approx(selected.value, abs=1e-6)
    np.testing.assert_array_equal(x[:, 1] >= row.cutoff, x[:, 1] >= selected.value)
    assert row.search_p_value == selected.p_value
    assert row.hazard_ratio is not None
    assert np.log(row.hazard_ratio.value) == pytest.approx(fit.coefficients[0])
    assert 0 < row.p_value < row.search_p_value < 1e-3


def test_a_constant_feature_and_one_without_a_cutoff_do_not_pass() -> None:
    """They stay in the table with the reason, and the screen goes on."""
    x, event, time = patients()
    x[:, 4] = 0.0
    x[:, 5] = 0.0
    x[:5, 5] = 1.0  # 1.25 % of the patients
    rows = screen(NAMES, x, event, time)

    assert (rows[4].cutoff, rows[4].hazard_ratio, rows[4].p_value) == (None, None, 1.0)
    assert "the prediction is 0 for all 400 patients" in str(rows[4].reason)
    assert "no cut-off leaves 40 to 360 of 400 patients low" in str(rows[5].reason)
    assert all(row.reason is None for row in rows[:4])


def test_a_group_without_an_event_is_survived() -> None:
    """Nobody of the high group dies: the hazard ratio has no maximum, the row says so, and the others go on."""
    x, event, time = patients()
    event = event & (x[:, 3] < 0.5)
    rows = screen(NAMES, x, event, time)
    found = select_features(NAMES, x, event, time)

    assert rows[3].cutoff is not None
    assert rows[3].hazard_ratio is None
    assert "separate the events" in str(rows[3].reason)
    assert "distal_hep" not in found.cutoffs
    assert "overall_lym" in found.cutoffs


def test_of_two_correlated_features_the_overall_one_stays() -> None:
    """Whatever the P value; between others the smaller P stays; the sign of the correlation does not matter."""
    rng = np.random.default_rng(0)
    base, other = rng.normal(size=(2, 200))
    twin, opposite = base + 0.3 * rng.normal(size=200), -base + 0.3 * rng.normal(size=200)
    by_family = drop_correlated({"distal_deb": (twin, 1e-6), "overall_deb": (base, 0.04), "distal_hep": (other, 0.03)})
    by_p = drop_correlated({"distal_deb": (base, 0.02), "interaction_deb": (opposite, 0.01)})

    assert [(pair.name, pair.kept) for pair in by_family] == [("distal_deb", "overall_deb")]
    assert [(pair.name, pair.kept) for pair in by_p] == [("distal_deb", "interaction_deb")]
    assert by_p[0].correlation < -0.9


def test_the_limit_of_correlation_is_seven_tenths() -> None:
    """At 0.7 both stay, beyond it one goes; what correlates with a dropped feature only, stays."""
    x = np.array([1.0, 1, -1, -1])
    y = np.array([1.0, -1, 1, -1])

    def with_correlation(r: float) -> NDArray[np.float64]:
        return r * x + np.sqrt(1 - r**2) * y

    assert drop_correlated({"overall_str": (x, 0.01), "distal_str": (with_correlation(0.69), 0.02)}) == ()
    assert len(drop_correlated({"overall_str": (x, 0.01), "distal_str": (with_correlation(0.71), 0.02)})) == 1
    chain = {
        "overall_str": (x, 0.01),
        "distal_str": (with_correlation(0.8), 0.02),
        "distal_lym": (with_correlation(0.2), 0.03),
    }
    assert np.corrcoef(chain["distal_str"][0], chain["distal_lym"][0])[0, 1] > 0.7
    assert [pair.name for pair in drop_correlated(chain)] == ["distal_str"]


def test_stepwise_equals_the_best_of_all_subsets() -> None:
    """Where greedy search can find it, each direction ends in the subset with the least AIC of all 32."""
    rng = np.random.default_rng(5)
    high = {f"overall_{k}": (rng.random(300) < 0.5).astype(float) for k in range(5)}
    hazard = np.exp(0.9 * high["overall_0"] - 0.7 * high["overall_3"])
    time, event = rng.exponential(1 / hazard), rng.random(300) < 0.8
    aic = {(): -2 * null_log_likelihood(time, event)}
    for size in range(1, 6):
        for names in combinations(high, size):
            fit = fit_cox(time, event, np.column_stack([high[name] for name in names]))
            aic[names] = -2 * fit.log_likelihood + 2 * size
    best = min(aic, key=lambda names: aic[names])

    for path in stepwise(high, event, time):
        assert tuple(sorted(path.steps[-1].terms)) == best
        assert path.steps[-1].aic == pytest.approx(aic[best])
        assert np.all(np.diff([step.aic for step in path.steps]) < 0)


def test_stepwise_equals_r() -> None:
    """On factors of the German breast cancer study the three traces are those of MASS::stepAIC."""
    data = gbsg()
    age, size, grade = (data[name].to_numpy() for name in ("age", "size", "grade"))
    terms = {
        "ages": np.column_stack([(age > 45) & (age <= 60), age > 60]).astype(float),
        "meno": data.meno.to_numpy(dtype=float),
        "sizes": np.column_stack([(size > 20) & (size <= 50), size > 50]).astype(float),
        "grade": np.column_stack([grade == 2, grade == 3]).astype(float),
        "lnodes": data.lnodes.to_numpy(),
        "hormon": data.hormon.to_numpy(dtype=float),
    }
    for path in stepwise(terms, data.status.to_numpy() == 1, data.time.to_numpy(dtype=float)):
        expected = survival_reference()["stepwise"][path.direction]
        assert [step.change for step in path.steps] == expected["Step"]
        assert [step.aic for step in path.steps] == pytest.approx(expected["AIC"], abs=1e-8)


def test_an_undefined_path_leaves_the_others() -> None:
    """A path with its reason does not hide the rest; the least AIC of all wins; none defined is refused."""
    good = Path("forward", (Step("", (), 30.0), Step("+ b", ("b",), 20.0)), None)
    better = replace(good, direction="both", steps=(Step("", ("b", "a"), 18.0),))
    undefined = Path("backward", (), "the Cox model has no finite maximum")

    assert _chosen((undefined, good), ("a", "b")) == ("b",)
    assert _chosen((undefined, good, better), ("a", "b")) == ("a", "b")
    time = np.arange(1.0, 41)
    with pytest.raises(UndefinedEstimate, match=r"stepwise Cox regression on overall_str: both: .*separate"):
        stepwise({"overall_str": (time < 20).astype(float)}, time < 20, time)


def test_no_feature_left_is_refused() -> None:
    """No feature passes the screen: the smallest P is named. None is left by AIC: so is that."""
    _, event, time = patients()
    constant = np.zeros((400, 2))
    constant[::2, 1] = 1.0  # every other patient: no effect

    with pytest.raises(ValueError, match=r"no feature passes the screen: the smallest P of 2 is [01.]+.* below 0\.05"):
        select_features(("overall_str", "distal_str"), constant, event, time)
    with pytest.raises(ValueError, match="leave no feature: AIC 30 without any"):
        _chosen((Path("both", (Step("", (), 30.0),), None),), NAMES)


def test_order_of_patients_does_not_matter() -> None:
    """The same people in another order give the same selection."""
    x, event, time = patients()
    order = np.random.default_rng(3).permutation(len(x))
    again = select_features(NAMES, x[order], event[order], time[order])

    assert again.cutoffs == select_features(NAMES, x, event, time).cutoffs


def test_cutoffs_divide_single_precision_features_alike() -> None:
    """Rounded upwards: between neighbouring numbers the cut-off is the upper one, in either precision."""
    below = np.float32(0.1)
    above = np.nextafter(below, np.float32(1))
    halfway = (float(below) + float(above)) / 2

    assert _single(halfway) == float(above)
    assert _single(float(below)) == float(below)
    assert _single(0.5) == 0.5
