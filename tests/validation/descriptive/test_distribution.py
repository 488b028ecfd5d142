"""Distribution: every patient in one bin, quartiles, groups, and values that do not vary."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.descriptive.specimens_curves import cohort, described, frame, line, row
from validation.descriptive.distribution import EVERYBODY, Distribution
from validation.errors import InputError


def test_everybody() -> None:
    """Bins of one width from the smallest to the largest value hold every patient once."""
    result, data = described(Distribution(id="d", prediction="prob", bins=10)), frame()
    bars = line(result, 0, EVERYBODY)

    assert sum(bars["y"]) == 686
    assert (bars["left"][0], bars["right"][-1]) == pytest.approx((data.prob.min(), data.prob.max()), rel=1e-3)
    assert bars["y"] == np.histogram(data.prob, 10)[0].tolist()
    assert row(result, "median", "prob")["value"] == pytest.approx(data.prob.median())


def test_by_group() -> None:
    """The same bins for all groups; those of unknown group are left out and counted."""
    result = described(Distribution(id="d", prediction="prob", by="early"))
    cases, controls = line(result, 0, "yes"), line(result, 0, "no")

    assert cases["left"] == controls["left"]
    assert (sum(cases["y"]), sum(controls["y"])) == (224, 331)
    assert row(result, "median", "prob", group="yes")["method"].endswith("131 patients of unknown early left out")


def test_values_that_do_not_vary() -> None:
    """There is nothing to draw; the whole analysis says why."""
    result = described(Distribution(id="d", prediction="prob"), cohort(frame().assign(prob=0.3)))

    assert result["reason"] == "prob has no two different values"


def test_refuses_bins() -> None:
    """No bin, or more than a line may have."""
    with pytest.raises(InputError, match="analysis d key bins"):
        Distribution(id="d", prediction="prob", bins=0)
