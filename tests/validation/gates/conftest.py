"""The small sound protocol, read once."""

from __future__ import annotations

import pytest

from tests.validation import specimens
from validation.protocol import Protocol


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Protocol:
    """A protocol with every kind of gate and two external cohorts."""
    return specimens.protocol(tmp_path_factory.mktemp("protocol"))
