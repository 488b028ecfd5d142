"""The table of what is in the registry."""

from __future__ import annotations

from functools import partialmethod
from pathlib import Path

import pytest

from registry.connection import mlflow_store
from registry.status import Figure, registered_models
from tests.registry.conftest import Maker


def test_no_store_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at a store that does not exist shows nothing and creates nothing."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")

    assert registered_models() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("store")
def test_empty_store_no_rows() -> None:
    """A store without models shows nothing."""
    assert registered_models() == []


@pytest.mark.usefixtures("store")
def test_rows(submit: Maker) -> None:
    """One row per version with its aliases, verdict, digest and figures by cohort."""
    champion, refused = submit(), submit("FAIL", shift=1.0)
    champion.register()
    champion.promote()
    refused.register()
    rows = registered_models()

    assert [(row.version, row.aliases, row.verdict, row.synthetic) for row in rows] == [
        (1, ("champion",), "PASS", True),
        (2, ("candidate",), "FAIL", True),
    ]
    assert [champion.artefact.digest, refused.artefact.digest] == [row.artefact_sha256 for row in rows]
    assert list(rows[0].cohorts) == ["mri_external"]
    figures = rows[0].cohorts["mri_external"]
    assert figures[0] == Figure("concordance", "PASS", 0.74, 0.71, 0.77)
    assert [figure.gate for figure in figures] == ["concordance", "slope", "independence", "images"]
    assert rows[1].cohorts["mri_external"][0].state == "FAIL"


@pytest.mark.usefixtures("store")
def test_versions_of_somebody_else_are_shown() -> None:
    """A version made elsewhere is a row with what is known of it."""
    with mlflow_store() as client:
        client.create_registered_model("a 'foreign' name")
        client.create_model_version("a 'foreign' name", source="s3://bucket/model")
        client.set_registered_model_alias("a 'foreign' name", "champion", "1")
    (row,) = registered_models()

    assert (
        row.name,
        row.version,
        row.aliases,
        row.verdict,
        row.artefact_sha256,
        row.synthetic,
    ) == ("a 'foreign' name", 1, ("champion",), None, None, None)


@pytest.mark.usefixtures("store")
def test_many_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """More models than fit on one page are all shown."""
    from mlflow import MlflowClient

    two_a_page = partialmethod(MlflowClient.search_registered_models, max_results=2)
    monkeypatch.setattr(MlflowClient, "search_registered_models", two_a_page)
    names = [f"model{number}" for number in range(5)]
    with mlflow_store() as client:
        for name in names:
            client.create_registered_model(name)
            client.create_model_version(name, source="s3://bucket/model")

    assert [row.name for row in registered_models()] == names
