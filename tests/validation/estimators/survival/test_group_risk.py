"""Risk within a group: equal to survfit, contributions equal to its residuals, and where follow-up ends."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.reference import FOLDER, from_r, gbsg
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.survival.group_risk import joint_risk

BEYOND = json.loads((FOLDER / "classification.json").read_text(encoding="utf-8"))["group_km"]


@pytest.mark.parametrize("expected", BEYOND, ids=[str(row["threshold"]) for row in BEYOND])
def test_equals_r(expected: dict[str, float]) -> None:
    """With everybody in the group: survfit's survival, Greenwood error and infinitesimal-jackknife residuals."""
    group = gbsg()[gbsg().pA5 >= expected["threshold"]]
    time, event = group.time.to_numpy(), group.status.to_numpy() == 1
    risk, contributions = joint_risk(time, event, np.ones(len(group), dtype=bool), 5)

    assert risk == pytest.approx(1 - expected["surv"], abs=1e-12)
    assert np.sqrt(np.sum(contributions**2)) == pytest.approx(expected["se"], abs=1e-12)
    assert -contributions == pytest.approx(np.asarray(expected["residuals"]), abs=1e-12)


def test_equals_r_for_a_part() -> None:
    """Share of the group times its risk, as dcurves gives it; contributions add up to zero."""
    data, expected = gbsg(), from_r()["dca"]["survival_5y"][25]
    assert (expected["variable"], expected["threshold"]) == ("A", 0.5)
    group = data.pA5.to_numpy() >= 0.5
    risk, contributions = joint_risk(data.time.to_numpy(), data.status.to_numpy() == 1, group, 5)

    assert risk == pytest.approx(expected["tp_rate"], abs=1e-12)
    assert contributions.sum() == pytest.approx(0, abs=1e-12)


def test_without_censoring() -> None:
    """A plain share of all patients, with its binomial error."""
    time, event = np.arange(1, 9.0), np.ones(8, dtype=bool)
    risk, contributions = joint_risk(time, event, time % 2 == 0, 5)

    assert risk == pytest.approx(2 / 8)
    assert np.sum(contributions**2) == pytest.approx(0.25 * 0.75 / 8)


def test_edges() -> None:
    """Nobody in the group: zero. All dead before the horizon: known, though follow-up ends there. Else refused."""
    time, event = np.asarray([1.0, 2, 3, 8]), np.asarray([True, True, False, False])

    assert joint_risk(time, event, np.zeros(4, dtype=bool), 5)[0] == 0
    assert joint_risk(time, event, time < 3, 5)[0] == 0.5
    with pytest.raises(UndefinedEstimate, match="follow-up of a group of 3 ends at 3, before the horizon 5") as refusal:
        joint_risk(time, event, time < 8, 5)
    assert refusal.value.too_few
