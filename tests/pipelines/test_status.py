"""The status table: what is on disk and not registered is shown too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines import status
from registry.status import RegistryRow
from validation.digests import file_sha256
from validation.documents import write_json


def test_retrained_model_that_is_not_registered_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An artefact or verdict on disk that no version holds has a line of its own; what is registered has none."""
    monkeypatch.chdir(tmp_path)
    manifest, verdict = Path("artifacts/m/manifest.json"), Path("evidence/m/verdict.json")
    for path in (manifest, verdict):
        write_json(path, {"first": True})
    row = RegistryRow("name", 1, "m", ("champion",), "PASS", file_sha256(manifest), file_sha256(verdict), True, {})
    params = SimpleNamespace(models={"m": None}, model=lambda name: SimpleNamespace(registered_name="name"))
    monkeypatch.setattr(status, "load_params", lambda: params)
    monkeypatch.setattr(status, "registered_models", lambda: [row])
    monkeypatch.setattr(status, "_unregistered", lambda params, model: replace(status._registered(row), model=model))
    monkeypatch.setattr(status, "_problems", lambda params, model: ())

    assert len(status.status_values()) == 1
    for path in (manifest, verdict):
        write_json(path, {"first": False})
        assert [line.model for line in status.status_values()[1:]] == ["m"]
        write_json(path, {"first": True})
