"""What every training leaves behind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.logistic import LogisticModel
from models.results import out_of_fold
from models.risk_models import RiskModels
from tests.models.test_cox import MODEL


def test_out_of_fold_table_holds_scores_and_what_the_risk_models_make_of_them() -> None:
    """Scores come first, then missing covariates counted, then every output of every risk model, row by row."""
    names = MODEL.names
    response = LogisticModel(("score",), (0.5,), (1.0,), -0.2, 30, 12)
    risk_models = RiskModels({"one": MODEL}, {}, "by hand", {"response": response})
    values = np.arange(3.0 * len(names)).reshape(3, -1) / 10
    values[1, 0] = np.nan
    covariates = pd.DataFrame(values, columns=list(names), index=[7, 8, 9])
    scores = pd.DataFrame({"patient_id": ["a", "b", "c"], "score": [1.0, 2.0, 3.0]})

    table = out_of_fold(scores, covariates, risk_models)

    risks = [f"risk_one_{months:g}m" for months in MODEL.horizons_months]
    assert list(table) == ["patient_id", "score", "missing_covariates", "response_prob", "lp_one", *risks]
    assert table["missing_covariates"].tolist() == [0, 1, 0]
    np.testing.assert_allclose(table["lp_one"], MODEL.linear_predictor(values))
    np.testing.assert_allclose(table[risks], MODEL.risk(values))
    assert table["response_prob"].tolist() == pytest.approx([1 / (1 + np.exp(0.2 - 0.5 * (s - 1))) for s in (1, 2, 3)])
