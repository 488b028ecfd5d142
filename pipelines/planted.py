"""How well a model that reads slides finds what was planted in synthetic ones: its features against the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from pipelines.layout import oracle_table, predictions_table, training_folder
from pipelines.oracle import read_table
from validation.documents import read_json
from validation.errors import InputError
from validation.estimators.association.pearson import pearson
from validation.estimators.estimate import UndefinedEstimate

SLIDES = "histology_spatial_survival"


@dataclass(frozen=True)
class Recovered:
    """A feature as the model measures it beside the planted one, on the same patients.

    Attributes:
        cohort: Where.
        feature: Its name.
        correlation: Pearson's, with interval, n and method; None where it is undefined.
        reason: Why it is; None if it is not.
    """

    cohort: str
    feature: str
    correlation: dict[str, Any] | None
    reason: str | None


def recovered_features(model: str, cohort: str) -> tuple[Recovered, ...]:
    """Compare the spatial organisation features of a model with those of the tissues that were planted.

    Both split infiltrating from distal tiles where the model does, so that what differs is the reading of the slides.
    The truth of a tile is its commonest tissue. Patients that the model could not process are left out.

    Args:
        model: Entry of params.yaml, of the architecture `histology_spatial_survival`.
        cohort: A synthetic cohort that it predicted.

    Raises:
        InputError: No training, predictions or oracle.
    """
    from models.histology_spatial_survival import FEATURES
    from pipelines.synthetic.liver_metastasis import LATENTS, layout_of, true_features

    facts = training_folder(model) / "training.json"
    training = read_json(facts)
    if training is None:
        raise InputError(str(facts), "no such file", "a finished training", f"Run dvc repro train@{model}.")
    cuts = training["sof"]["model"]["cut_tiles"]
    predictions = read_table(predictions_table(model, cohort)).query("status == 'ok'").set_index("patient_id")
    latents = read_table(oracle_table(cohort)).set_index("patient_id").loc[predictions.index, list(LATENTS)]
    truth = pd.DataFrame(
        [
            true_features(layout_of(dict(zip(LATENTS, row, strict=True))).tiles(), cuts)
            for row in latents.to_numpy(float)
        ],
        index=predictions.index,
        columns=list(FEATURES),
    )
    return tuple(_recovered(cohort, name, predictions[f"feature_{name}"], truth[name]) for name in FEATURES)


def _recovered(cohort: str, name: str, found: pd.Series[float], planted: pd.Series[float]) -> Recovered:
    known = planted.notna()  # of a slide with too little true tumour there is nothing to compare with
    try:
        estimate = pearson(found[known].to_numpy(float), planted[known].to_numpy(float))
    except UndefinedEstimate as error:
        return Recovered(cohort, name, None, str(error))
    return Recovered(cohort, name, asdict(estimate), None)


def planted_text(features: Sequence[Recovered]) -> str:
    """Return the correlations as a plain table."""
    wide = max(len(row.feature) for row in features)
    return "\n".join(
        f"{row.feature:{wide}}  {row.cohort}  "
        + (
            f"undefined: {row.reason}"
            if row.correlation is None
            else "{value:.3f} [{lower:.3f}, {upper:.3f}], n {n}".format(**row.correlation)
        )
        for row in features
    )
