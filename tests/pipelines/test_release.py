"""Register and promote: what comes first, and what may be absent."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

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
