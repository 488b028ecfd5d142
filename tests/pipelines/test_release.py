"""Register and promote: what comes first, and what may be absent."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.histology_spatial_survival import SPEC as SLIDES
from models.mri_distant_metastasis import SPEC as VOLUMES
from pipelines import release
from registry.errors import Refusal
from tests.validation import specimens


def test_refusal_comes_before_the_dvc_pointer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict that is not PASS is a refusal even where neither artefact nor dvc.lock is there."""
    verdict = specimens.judged(specimens.protocol(tmp_path), "parity", value=None)
    params = SimpleNamespace(model=lambda name: SimpleNamespace(registered_name="registered"))
    monkeypatch.setattr(release, "load_params", lambda: params)
    monkeypatch.setattr(release, "current_verdict", lambda params, model: verdict)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(Refusal, match="champion of registered to mri_challenger: the verdict is FAIL"):
        release.promote("mri_challenger")


def test_without_git_no_commit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git, and a folder that is no repository, give tags without commit."""
    monkeypatch.chdir(tmp_path)
    assert release.provenance_tags() == {}
    monkeypatch.setenv("PATH", str(tmp_path))

    assert release.provenance_tags() == {}


@pytest.mark.parametrize(("architecture", "loader"), [(SLIDES.name, "pipelines.serving"), (VOLUMES.name, None)])
def test_a_model_that_reads_slides_is_registered_with_its_loader(
    architecture: str, loader: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow is told of the loader where model.onnx is not the whole model, and nowhere else."""
    entry = SimpleNamespace(registered_name="registered", architecture=architecture)
    given: dict[str, Any] = {}
    monkeypatch.setattr(release, "load_params", lambda: SimpleNamespace(model=lambda name: entry))
    monkeypatch.setattr(release, "current_verdict", lambda params, model: SimpleNamespace(to_dict=dict))
    monkeypatch.setattr(release, "read_artefact", lambda folder: folder)
    monkeypatch.setattr(release, "judged_files", lambda params, model: [])
    monkeypatch.setattr(release, "register_version", lambda *args, **options: given.update(options))

    release.register("model")

    assert (given["serving"] and given["serving"].loader) == loader
