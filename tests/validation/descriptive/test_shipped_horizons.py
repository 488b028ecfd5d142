"""In the protocols that ship, a risk is compared with what happened by its own horizon."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models import MODELS
from validation.descriptive.calibration import CalibrationCurves
from validation.descriptive.decision_curve import DecisionCurves
from validation.descriptive.over_time import PerformanceOverTime
from validation.protocol import load_protocol

ROOT = Path(__file__).parents[3]
RISK = re.compile(r"risk_\w+_(\d+)m")


def horizon_of(prediction: str) -> float:
    """The horizon in the name of a risk."""
    found = RISK.fullmatch(prediction)
    assert found, prediction
    return float(found[1])


@pytest.mark.parametrize("model", list(MODELS))
def test_risks_and_horizons_agree(model: str) -> None:
    """The horizon in a risk's name is the one declared beside it, and one that ships."""
    for analysis in load_protocol(ROOT / f"validation/protocols/{model}.yaml").analysis.descriptive:
        pairs: list[tuple[str, float]] = []
        if isinstance(analysis, CalibrationCurves) and analysis.horizons_months is not None:
            pairs = list(zip(analysis.predictions, analysis.horizons_months, strict=True))
        if isinstance(analysis, DecisionCurves) and analysis.horizon_months is not None:
            pairs = [(prediction, analysis.horizon_months) for prediction in analysis.predictions]
        assert [horizon_of(prediction) for prediction, _ in pairs] == [horizon for _, horizon in pairs], analysis.id
        if isinstance(analysis, PerformanceOverTime):
            assert set(analysis.risk_horizons_months) <= set(map(float, MODELS[model].horizons_months))
