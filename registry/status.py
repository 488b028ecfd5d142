"""What is in the registry, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.connection import mlflow_store, store_exists
from registry.package import VERDICT
from registry.store import FIGURES


@dataclass(frozen=True)
class Figure:
    """A gate's number on one cohort.

    Attributes:
        gate: Gate in the protocol.
        state: PASS, FAIL or INCONCLUSIVE (or what a descriptive gate says).
        value: Estimate.
        lower: Lower confidence limit, None if there is none.
        upper: Upper confidence limit, None if there is none.
    """

    gate: str
    state: str
    value: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class RegistryRow:
    """One version of a registered name; None where a version was not made by `registry.store`.

    Attributes:
        name: Registered name.
        version: Number in MLflow.
        model: Entry of params.yaml.
        aliases: Sorted.
        verdict: PASS, FAIL or INCONCLUSIVE, of the evidence registered last.
        artefact_sha256: Digest of the artefact.
        verdict_sha256: Digest of verdict.json as registered last.
        synthetic: Whether cohorts behind the verdict are synthetic.
        cohorts: Figures by cohort.
    """

    name: str
    version: int
    model: str | None
    aliases: tuple[str, ...]
    verdict: str | None
    artefact_sha256: str | None
    verdict_sha256: str | None
    synthetic: bool | None
    cohorts: Mapping[str, tuple[Figure, ...]]


def registered_models() -> list[RegistryRow]:
    """Return every version of every registered name, by name and version; no store, no rows.

    Raises:
        InputError: The store does not answer.
    """
    if not store_exists():
        return []
    with mlflow_store() as client:
        aliases = {model.name: model.aliases for model in _pages(client.search_registered_models)}
        versions = [version for version in _pages(client.search_model_versions) if version.name in aliases]
        rows = [_row(version, aliases[version.name]) for version in versions]
    return sorted(rows, key=lambda row: (row.name, row.version))


def _pages(search: Any) -> list[Any]:
    """Collect all pages of a search."""
    page = search()
    found = list(page)
    while page.token:
        page = search(page_token=page.token)
        found += page
    return found


def _row(version: Any, aliases: Mapping[str, Any]) -> RegistryRow:
    """Read one version from its tags, and from the aliases of its registered name."""
    tags: Mapping[str, str] = version.tags
    return RegistryRow(
        name=str(version.name),
        version=int(version.version),
        model=tags.get("model"),
        aliases=tuple(sorted(alias for alias, number in aliases.items() if int(number) == int(version.version))),
        verdict=tags.get("verdict"),
        artefact_sha256=tags.get("artefact_sha256"),
        verdict_sha256=tags.get(VERDICT),
        synthetic=json.loads(tags["synthetic"]) if "synthetic" in tags else None,
        cohorts={
            key.removeprefix(FIGURES): tuple(Figure(**figure) for figure in json.loads(value))
            for key, value in sorted(tags.items())
            if key.startswith(FIGURES)
        },
    )
