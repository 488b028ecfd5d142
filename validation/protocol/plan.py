"""What a protocol says, once it has been read and found consistent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from validation.descriptive.base import Descriptive
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import Estimator
from validation.estimators.catalogue.survival import SURVIVAL
from validation.gates.base import GateSpec


@dataclass(frozen=True)
class EstimateSpec:
    """One estimate as the protocol declares it.

    Attributes:
        id: Name in protocol and evidence.
        estimator: Name in the catalogue of its kind of endpoint.
        prediction: Column of the predictions.
        horizon_months: Horizon, if the estimator takes one.
        endpoint: Endpoint of the outcome tables.
        binary: Whether that endpoint is binary.
    """

    id: str
    estimator: str
    prediction: str
    horizon_months: float | None
    endpoint: str
    binary: bool = False

    @property
    def entry(self) -> Estimator[Any]:
        """Its entry in the catalogue."""
        return (BINARY if self.binary else SURVIVAL)[self.estimator]


@dataclass(frozen=True)
class SubgroupSpec:
    """Estimates that are made in parts of a cohort too.

    Attributes:
        id: Name in the protocol.
        by: Groupings; see `validation.cohort_table`.
        role: "claim" where the intended use says something of these patients, else "descriptive".
        estimates: Ids of the estimates made in every group.
        minimum_events: A group with fewer has no estimate; None where any number will do.
        reason: Why these groups are looked at.
    """

    id: str
    by: tuple[str, ...]
    role: Literal["claim", "descriptive"]
    estimates: tuple[str, ...]
    minimum_events: int | None
    reason: str


@dataclass(frozen=True)
class Analysis:
    """What is estimated, on which cohorts.

    Attributes:
        endpoint: Endpoint of the estimates that name no other.
        endpoints: Every endpoint, with time or binary; a cohort may lack one.
        horizons_months: Every horizon that estimates and descriptive analyses use, ascending.
        follow_up_months: Longest planned follow-up.
        level: Two-sided confidence level of every interval.
        analysis_set: Whose patients count: all that were declared.
        seed: Of what is drawn at random and names no seed of its own.
        external: External cohorts on which the model is judged.
        internal: Patients of the development centre, kept out of training; evaluated, never judged.
        estimates: In the order of the protocol.
        subgroups: In the order of the protocol.
        descriptive: What is analysed and shown, never judged, in the order of the protocol.
        digest: Of the whole block `analysis`.
        estimates_digest: Of the block without its cohorts, its descriptive analyses and the lists that only bound
            horizons. Evidence on a cohort is bound to this one, so that a further cohort or descriptive analysis leaves
            the evidence on the others valid.
        descriptive_digest: Of the block without its cohorts.
    """

    endpoint: str
    endpoints: tuple[str, ...]
    horizons_months: tuple[float, ...]
    follow_up_months: float
    level: float
    analysis_set: str
    seed: int
    external: tuple[str, ...]
    internal: tuple[str, ...]
    estimates: tuple[EstimateSpec, ...]
    subgroups: tuple[SubgroupSpec, ...]
    descriptive: tuple[Descriptive, ...]
    digest: str
    estimates_digest: str
    descriptive_digest: str


@dataclass(frozen=True)
class Margin:
    """By how much a model may be worse than an earlier one, and where that number comes from."""

    margin: float
    source: str


@dataclass(frozen=True)
class Margins:
    """Margins of non-inferiority; no gate judges them yet.

    Attributes:
        estimate: Id of the estimate that is compared, on the same patients.
        original: Against the first model released.
        last_release: Against the last one.
    """

    estimate: str
    original: Margin
    last_release: Margin


@dataclass(frozen=True)
class Multiplicity:
    """How several gates together keep the chance of a false PASS: the rule, and why it is right."""

    rule: str
    reason: str


@dataclass(frozen=True)
class RepeatedUse:
    """What looking at a cohort costs.

    Attributes:
        alpha_per_opening: One-sided error of a gate's limit, spent whenever outcomes are opened for a model.
        alpha_budget: How much may be spent on one cohort in all.
        reason: Why that much.
    """

    alpha_per_opening: float
    alpha_budget: float
    reason: str


@dataclass(frozen=True)
class Protocol:
    """A protocol that has been read and found consistent.

    Attributes:
        file: It was read from.
        model: Architecture.
        version: Version of the protocol.
        intended_use: What the model is for.
        analysis: What is estimated.
        gates: What is demanded, in the order of the protocol.
        gates_digest: Digest of the block `gates`.
        margins: Against earlier models, if declared.
        multiplicity: Over the gates.
        repeated_use: Of the cohorts.
        digest: Of the whole document: layout and comments do not count.
    """

    file: Path
    model: str
    version: int
    intended_use: str
    analysis: Analysis
    gates: tuple[GateSpec, ...]
    gates_digest: str
    margins: Margins | None
    multiplicity: Multiplicity
    repeated_use: RepeatedUse
    digest: str
