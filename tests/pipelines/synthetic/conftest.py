"""Large cohorts without images, drawn once."""

from __future__ import annotations

import pytest

from pipelines.synthetic.cohorts import COHORTS
from pipelines.synthetic.definition import CohortDefinition
from pipelines.synthetic.simulation import SimulatedCohort, simulate

LARGE_N = 8000


def definition_of(name: str) -> CohortDefinition:
    """Return a cohort definition by name."""
    return next(definition for definition in COHORTS if definition.name == name)


@pytest.fixture(scope="session", params=["mri_development", "mri_external"])
def large(request: pytest.FixtureRequest) -> tuple[CohortDefinition, SimulatedCohort]:
    """Return a definition and about 8000 of its patients."""
    definition = definition_of(request.param)
    return definition, simulate(definition, LARGE_N / definition.published_n, seed=7)
