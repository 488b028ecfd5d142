"""The file of risk models between training and export."""

from __future__ import annotations

from pathlib import Path

from models.logistic import LogisticModel
from models.risk_models import RiskModels
from tests.models.test_cox import MODEL


def test_round_trip(tmp_path: Path) -> None:
    """What is read is what was written."""
    response = LogisticModel(("x",), (0.5,), (1.0,), -0.2, 30, 12)
    risk_models = RiskModels({"one": MODEL}, {"lp_one": 0.25}, "by hand", {"response": response})
    risk_models.write(tmp_path / "risk_models.json")

    assert RiskModels.read(tmp_path / "risk_models.json") == risk_models
