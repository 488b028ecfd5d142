"""Real cohorts enter as .dvc files: pushed to a remote, pulled in a clone, moved from version 1 to 2 and back."""

from pathlib import Path

import pytest

from tests.cohorts import write_cohort
from tests.pipelines.repository import Repository
from validation.check import check_cohort
from validation.digests import folder_sha256

pytestmark = pytest.mark.slow
COHORT = "data/cohorts/hospital"


def committed(repository: Repository, message: str) -> None:
    """Track the cohort by DVC, push its files to the remote and commit the pointer."""
    repository.run("dvc", "add", "-q", COHORT)
    repository.run("dvc", "push", "-q")
    repository.run("git", "add", "-A")
    repository.run("git", "commit", "-qm", message)


def test_cohort_moves_between_versions_and_machines(tmp_path: Path) -> None:
    """A clone that pulls gets the same bytes; checking out version 1 restores it, and it still passes every check."""
    repository, remote = Repository(tmp_path / "site"), tmp_path / "remote"
    repository.folder.mkdir()
    for command in (("init", "-q"), ("config", "user.email", "test@example.org"), ("config", "user.name", "Test")):
        repository.run("git", *command)
    repository.run("dvc", "init", "-q")
    repository.run("dvc", "remote", "add", "-q", "-d", "store", str(remote))
    folder = repository.folder / COHORT

    write_cohort(folder, n=4, seed=1)
    committed(repository, "version 1")
    repository.run("git", "tag", "v1")
    first = folder_sha256(folder)
    write_cohort(folder, n=6, seed=2)
    committed(repository, "version 2")
    second = folder_sha256(folder)

    clone = Repository(tmp_path / "clone")
    repository.run("git", "clone", "-q", str(repository.folder), str(clone.folder))
    clone.run("dvc", "pull", "-q")
    assert first != second
    assert second == folder_sha256(clone.folder / COHORT)
    clone.run("git", "checkout", "-q", "v1")
    clone.run("dvc", "pull", "-q")
    assert first == folder_sha256(clone.folder / COHORT)
    assert check_cohort(clone.folder / COHORT).to_dict()["success"]
