"""What defines a synthetic cohort, and what a disease and modality must bring to be simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.synthetic.survival import Hazard
from validation.sealing.seal import SEALED

PATIENTS, OUTCOMES = "patients.csv", "outcomes.csv"


@dataclass(frozen=True)
class Site:
    """A scanner at a centre and its share of the cohort's patients; shares add up to 1."""

    centre: str
    scanner: str
    share: float


@dataclass(frozen=True)
class Artefact:
    """A defect of one scanner, present with a probability that may depend on the outcome (then it is a shortcut).

    Attributes:
        scanner: The defective scanner; every patient with the artefact was examined on it.
        probability_if_event: Probability among patients with the event within 36 months of the time origin.
        probability_if_none: Probability among all others.
    """

    scanner: str
    probability_if_event: float
    probability_if_none: float


@dataclass(frozen=True)
class Population:
    """Who was recruited.

    Attributes:
        counts: Per categorical variable the published number of patients of each category, in the order in which the
            underlying normal variable runs through them.
        age_mean_years: Published mean age.
        age_sd_years: Published standard deviation of age.
        latent_means: Mean of each latent variable (standard deviation 1); 0 in development.
        measurements: Published mean and standard deviation of each measured variable, by name with unit.
        quartiles: Published lower quartile, median and upper quartile of each measured variable, by name with unit.
        groups: The same figures by outcome label, where the paper prints them so; by the label's categories.
    """

    counts: Mapping[str, Mapping[str, int]]
    age_mean_years: float
    age_sd_years: float
    latent_means: Mapping[str, float]
    measurements: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    quartiles: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    groups: Mapping[str, Population] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """Columns that are empty together, completely at random, with this probability."""

    columns: tuple[str, ...]
    probability: float


@dataclass(frozen=True)
class Described:
    """Patients as the disease describes them, one row each.

    Attributes:
        patients: Columns of the patient table, nothing missing yet.
        predictors: Latent variables and covariate indicators, by the names of the hazard's log ratios.
        labels: Binary outcomes (0 or 1) that need no follow-up, by column of the outcome table.
        truth: What else the oracle knows.
    """

    patients: pd.DataFrame
    predictors: pd.DataFrame
    labels: pd.DataFrame = field(default_factory=pd.DataFrame)
    truth: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Patient:
    """What a renderer knows of a patient: where the generators start, the biology, the scanner, the defect."""

    seed: int
    cohort: str
    position: int
    latents: Mapping[str, float]
    scanner: str
    artefact: bool


@dataclass(frozen=True)
class Disease:
    """A disease imaged by one modality: everything that cohorts of it have in common.

    Attributes:
        schema: Folder in validation/schemas.
        modality: "MR", "CT" or "SM".
        source: Paper whose frequencies and sizes the cohorts have.
        endpoint: Prefix of the outcome columns of the endpoint whose event times `hazard` draws, for instance "dmfs".
        endpoints: Endpoints as cohort.yaml states them.
        eligibility: Who is in the cohorts.
        latents: Latent variables that drive hazard and images.
        normals: Standard normals per patient that `describe` needs.
        hazard: True hazard of `endpoint`, the same in all cohorts.
        missing: Which columns have gaps.
        describe: Normals (one row per patient) and population to covariates.
        observe: True event times and months to the closing of the registry, both (n,), with the normals of the
            follow-up to the outcome columns of all endpoints.
        render: Writes the images of one patient into a folder; returns file name by image name.
        labels: Columns of `Described.labels` that stand in the outcome table.
        horizons_months: Horizons of the oracle's risks.
    """

    schema: str
    modality: str
    source: str
    endpoint: str
    endpoints: Mapping[str, Mapping[str, str]]
    eligibility: str
    latents: tuple[str, ...]
    normals: tuple[str, ...]
    hazard: Hazard
    missing: tuple[Missing, ...]
    describe: Callable[[pd.DataFrame, Population], Described]
    observe: Callable[[NDArray[np.float64], NDArray[np.float64], pd.DataFrame], pd.DataFrame]
    render: Callable[[Patient, Path], Mapping[str, str]]
    labels: tuple[str, ...] = ()
    horizons_months: tuple[int, ...] = (12, 24, 36)


@dataclass(frozen=True)
class CohortDefinition:
    """One synthetic cohort.

    Attributes:
        name: Folder in data/cohorts; also keys the random generators, so no two cohorts share a patient.
        disease: What its patients have.
        role: "development", "internal" or "external".
        id_prefix: First letters of the patient ids.
        published_n: Size at scale 1.
        period: First and last day of surgery (the time origin).
        follow_up_until: Day on which the registry was closed.
        sites: Centres and scanners.
        population: Who was recruited.
        artefact: The defect and how it was distributed; None where there is none.
        note: What a reader of cohort.yaml must know beyond the mechanism.
    """

    name: str
    disease: Disease
    role: str
    id_prefix: str
    published_n: int
    period: tuple[date, date]
    follow_up_until: date
    sites: tuple[Site, ...]
    population: Population
    artefact: Artefact | None = None
    note: str = ""

    @property
    def sealed(self) -> bool:
        """Whether the outcomes are sealed: those of every cohort but those that models learn from."""
        return self.role != "development"

    @property
    def centres(self) -> list[str]:
        """Centres in the order of the sites."""
        return list(dict.fromkeys(site.centre for site in self.sites))

    def meta(self, provenance: str) -> dict[str, Any]:
        """Return the content of cohort.yaml."""
        return {
            "name": self.name,
            "schema": self.disease.schema,
            "modality": self.disease.modality,
            "role": self.role,
            "centres": self.centres,
            "period": {"start": f"{self.period[0]:%Y-%m}", "end": f"{self.period[1]:%Y-%m}"},
            "endpoints": {name: dict(endpoint) for name, endpoint in self.disease.endpoints.items()},
            "eligibility": self.disease.eligibility,
            "ethics": "Simulated: no person was examined, no approval is needed.",
            "licence": "Apache-2.0, as the repository.",
            "provenance": f"{provenance} {self.note}".strip(),
            "synthetic": True,
            "tables": {"patients": PATIENTS, "outcomes": SEALED if self.sealed else OUTCOMES},
        }
