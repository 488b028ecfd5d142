"""The tables of a synthetic cohort, without images."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from pipelines.synthetic.definition import CohortDefinition, Patient
from pipelines.synthetic.randomness import standard_normals
from pipelines.synthetic.survival import DAYS_PER_MONTH, FOLLOW_UP_NORMALS, REFERENCE_MONTHS
from validation.errors import InputError

RECRUITMENT_NORMALS = ("surgery_date", "site", "artefact")


@dataclass(frozen=True)
class SimulatedCohort:
    """Tables of a cohort, one row per patient in the same order.

    Attributes:
        patients: Patient table as delivered, with gaps, without image columns.
        outcomes: Outcome table.
        oracle: True linear predictor, risks, latent variables, artefact and what else is known, by patient_id.
        renderings: What the renderer needs of each patient.
    """

    patients: pd.DataFrame
    outcomes: pd.DataFrame
    oracle: pd.DataFrame
    renderings: tuple[Patient, ...]


def simulate(definition: CohortDefinition, scale: float, seed: int) -> SimulatedCohort:
    """Draw a cohort of round(published n * scale) patients.

    Raises:
        InputError: The scale leaves no patient.
    """
    n = round(definition.published_n * scale)
    if n < 1:
        raise InputError(
            "params.yaml", f"scale {scale} of {definition.name}", "at least one patient", "Raise the scale."
        )
    disease, hazard = definition.disease, definition.disease.hazard
    described = disease.describe(
        standard_normals(seed, definition.name, n, "covariates", disease.normals), definition.population
    )
    follow_up = standard_normals(seed, definition.name, n, "follow-up", FOLLOW_UP_NORMALS)
    recruitment = standard_normals(seed, definition.name, n, "recruitment", RECRUITMENT_NORMALS)
    linear_predictor = hazard.linear_predictor(described.predictors)
    event_months = hazard.event_months(linear_predictor, ndtr(follow_up["event"].to_numpy(float)))
    surgery = _dates(definition, recruitment["surgery_date"].to_numpy(float))
    months = np.array([(definition.follow_up_until - day).days for day in surgery]) / DAYS_PER_MONTH
    observed = disease.observe(event_months, months, follow_up)

    ids = pd.Series([f"{definition.id_prefix}{number:04d}" for number in range(1, n + 1)], name="patient_id")
    artefact = _artefact(definition, observed, recruitment["artefact"].to_numpy(float))
    sites = _sites(definition, artefact, recruitment["site"].to_numpy(float))
    patients = pd.concat([ids, sites, described.patients], axis=1).assign(surgery_date=[d.isoformat() for d in surgery])
    latents = described.predictors[list(disease.latents)]
    risks = {f"risk_{h}m": hazard.risk(linear_predictor, h) for h in disease.horizons_months}
    return SimulatedCohort(
        patients=_with_gaps(definition, patients, seed),
        outcomes=pd.concat([ids, observed, described.labels[list(disease.labels)]], axis=1),
        oracle=pd.concat(
            [
                ids,
                pd.DataFrame({"linear_predictor": linear_predictor, **risks}),
                latents,
                artefact.rename("artefact"),
                described.truth,
            ],
            axis=1,
        ),
        renderings=tuple(
            Patient(
                seed, definition.name, position, dict(zip(disease.latents, latent, strict=True)), scanner, bool(defect)
            )
            for position, (latent, scanner, defect) in enumerate(
                zip(latents.to_numpy(float).tolist(), sites["scanner"], artefact, strict=True)
            )
        ),
    )


def _dates(definition: CohortDefinition, normal: NDArray[np.float64]) -> list[date]:
    """Spread surgery evenly over the period."""
    first, last = definition.period
    days = np.floor(ndtr(normal) * ((last - first).days + 1)).astype(int)
    return [first + timedelta(days=int(day)) for day in days]


def _artefact(definition: CohortDefinition, observed: pd.DataFrame, normal: NDArray[np.float64]) -> pd.Series[bool]:
    """Decide who was examined with the defect, given the outcome at 36 months."""
    endpoint, artefact = definition.disease.endpoint, definition.artefact
    if artefact is None:
        return pd.Series(False, index=observed.index)
    early = (observed[f"{endpoint}_event"] == 1) & (observed[f"{endpoint}_time_months"] <= REFERENCE_MONTHS)
    probability = np.where(early, artefact.probability_if_event, artefact.probability_if_none)
    return pd.Series(ndtr(normal) < probability)


def _sites(definition: CohortDefinition, artefact: pd.Series[bool], normal: NDArray[np.float64]) -> pd.DataFrame:
    """Send each patient to a centre and scanner; those with the artefact to the defective scanner."""
    upper = np.cumsum([site.share for site in definition.sites])[:-1]
    chosen = np.searchsorted(upper, ndtr(normal), side="right")
    if definition.artefact is not None:
        defective = [site.scanner for site in definition.sites].index(definition.artefact.scanner)
        chosen = np.where(artefact, defective, chosen)
    sites = [definition.sites[i] for i in chosen]
    return pd.DataFrame({"centre": [s.centre for s in sites], "scanner": [s.scanner for s in sites]})


def _with_gaps(definition: CohortDefinition, patients: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Empty cells completely at random."""
    missing = definition.disease.missing
    names = [" ".join(gap.columns) for gap in missing]
    uniform = ndtr(standard_normals(seed, definition.name, len(patients), "missing", names).to_numpy(float))
    gappy = patients.astype(object)
    for gap, column in zip(missing, uniform.T, strict=True):
        gappy.loc[column < gap.probability, list(gap.columns)] = None
    return gappy
