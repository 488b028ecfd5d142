"""How much of the achievable discrimination a model reaches, where the truth is known: on synthetic cohorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipelines.layout import cohort_folder, evidence_file, oracle_table
from validation.cohort import endpoint_in_months, load_cohort, load_outcomes
from validation.errors import InputError
from validation.estimators.discrimination.auc import auc_at_horizon
from validation.estimators.discrimination.concordance import harrell_c
from validation.evidence import read_evidence

HORIZON_MONTHS = 36


@dataclass(frozen=True)
class AgainstOracle:
    """A model's estimate beside that of the true linear predictor, on the same patients.

    Attributes:
        quantity: What is compared.
        model: The model's estimate, as in its evidence.
        oracle: The estimate of the true linear predictor.
        share: Share of the oracle's distance above 0.5 that the model reaches.
    """

    quantity: str
    model: Mapping[str, Any]
    oracle: Mapping[str, Any]
    share: float


def against_oracle(model: str, cohort: str, prediction: str = "nomogram") -> tuple[AgainstOracle, ...]:
    """Compare Harrell's C and the 36-month AUC of a model with the oracle's on a synthetic cohort, same patients.

    Patients whom the model could not process are left out on both sides.

    Args:
        model: Entry of params.yaml.
        cohort: A synthetic external cohort on which it was evaluated.
        prediction: Which of the model's predictions: the estimates `c_<prediction>` and `auc36_<prediction>`.

    Raises:
        InputError: No evidence, no oracle, or an estimate is undefined.
    """
    folder = load_cohort(cohort_folder(cohort))
    evidence = read_evidence(evidence_file(model, cohort))
    endpoint = endpoint_in_months(folder.meta, evidence["endpoint"])
    failed = [patient["patient_id"] for patient in evidence["patients"]["failed"]]
    outcomes = load_outcomes(folder)
    outcomes = outcomes[~outcomes["patient_id"].isin(failed)]
    truth = pd.read_parquet(oracle_table(cohort)).set_index("patient_id").loc[outcomes["patient_id"]]
    time, event = outcomes[endpoint.time].to_numpy(), outcomes[endpoint.event].to_numpy()
    oracle = {
        f"c_{prediction}": harrell_c(time, event, truth["linear_predictor"].to_numpy()),
        f"auc36_{prediction}": auc_at_horizon(time, event, truth["linear_predictor"].to_numpy(), HORIZON_MONTHS),
    }
    names = {f"c_{prediction}": "Harrell C", f"auc36_{prediction}": "AUC at 36 months"}
    estimates = {e["id"]: e for e in evidence["estimates"]}
    for name in oracle:
        if estimates.get(name, {}).get("value") is None:
            raise InputError(str(evidence_file(model, cohort)), f"no value of {name}", "an estimate", "Run dvc repro.")
    return tuple(
        AgainstOracle(
            names[name], estimates[name], best.to_dict(), (estimates[name]["value"] - 0.5) / (best.value - 0.5)
        )
        for name, best in oracle.items()
    )


def oracle_text(comparison: Sequence[AgainstOracle]) -> str:
    """Return model and oracle side by side as a plain table, with intervals and the share that was reached."""
    lines = [f"{'':18}{'model':>24}{'oracle':>24}{'share above 0.5':>18}      n  events"]
    lines += [
        f"{row.quantity:18}{with_interval(row.model):>24}{with_interval(row.oracle):>24}{row.share:>18.0%}"
        f"{row.oracle['n']:>7}{row.oracle['events']:>8}"
        for row in comparison
    ]
    return "\n".join(lines)


def with_interval(estimate: Mapping[str, Any]) -> str:
    """Return an estimate as "0.771 [0.731, 0.806]"."""
    return f"{estimate['value']:.3f} [{estimate['lower']:.3f}, {estimate['upper']:.3f}]"
