"""Classification at the contract's cut-off: the 2 x 2 table by hand, censoring weights, and never another cut-off."""

from __future__ import annotations

import pytest

from tests.validation.descriptive.specimens_curves import CUTOFFS, cohort, described, frame, row
from validation.descriptive.classification import Classification
from validation.errors import InputError
from validation.estimators.classification.at_horizon import classification_at_horizon
from validation.estimators.classification.proportion import exact_limits

BINARY = Classification(id="classes", endpoint="early", prediction="prob")
TIMED = Classification(id="classes", endpoint="dmfs", prediction="lp", horizon_months=36.0)


def test_by_hand() -> None:
    """Of the known patients, cases at or above 0.5 over cases, and so on, with exact intervals."""
    result = described(BINARY)
    data = frame().dropna(subset="early")
    positive, case = data.prob >= CUTOFFS["prob"], data.early == 1
    shares = {
        "sensitivity": ((positive & case).sum(), case.sum()),
        "specificity": ((~positive & ~case).sum(), (~case).sum()),
        "ppv": ((positive & case).sum(), positive.sum()),
        "npv": ((~positive & ~case).sum(), (~positive).sum()),
        "accuracy": ((positive == case).sum(), len(data)),
    }
    for quantity, (hits, of) in shares.items():
        found = row(result, quantity, "prob")
        assert (found["events"], found["n"]) == (hits, of), quantity
        assert found["value"] == pytest.approx(hits / of)
        assert (found["lower"], found["upper"]) == pytest.approx(exact_limits(hits, of, 0.95))
        assert found["group"] == "prob >= 0.5"
    both = row(result, "sensitivity", "prob")["value"] + row(result, "specificity", "prob")["value"]
    assert row(result, "youden", "prob")["value"] == pytest.approx(both - 1)


def test_at_a_horizon() -> None:
    """Shares with censoring weights are the estimator's; there is no accuracy with time."""
    result = described(TIMED)
    data = frame()
    expected = classification_at_horizon(
        "ppv", data.dmfs_time_months, data.dmfs_event, data.lp, threshold=1.1, horizon=36
    )

    assert [r["quantity"] for r in result["rows"]] == ["sensitivity", "specificity", "ppv", "npv"]
    assert row(result, "ppv", "lp")["value"] == expected.value
    assert row(result, "ppv", "lp")["horizon"] == 36


def test_cutoff_is_that_of_the_contract() -> None:
    """Another contract, another threshold; a prediction without one is bad input, nothing is searched."""
    moved = described(BINARY, cohort(cutoffs={"prob": 0.3}))

    assert "at threshold 0.3" in row(moved, "accuracy", "prob")["method"]
    with pytest.raises(InputError, match=r"contract.json key cutoffs: found no cut-off of prob; expected one"):
        BINARY.describe(cohort(cutoffs={}))


def test_nobody_positive() -> None:
    """The predictive value of a positive has no denominator; the others have."""
    result = described(BINARY, cohort(cutoffs={"prob": 0.999}))

    assert row(result, "ppv", "prob")["value"] is None
    assert "no positive patient" in row(result, "ppv", "prob")["reason"]
    assert row(result, "specificity", "prob")["value"] == 1
