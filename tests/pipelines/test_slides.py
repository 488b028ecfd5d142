"""Readers of slides: what makes a finished map another's, and the tiles that a pathologist has named."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.histology_spatial_survival import SPEC
from models.spec import PreprocessingError
from pipelines.export import parity_tiles
from pipelines.patients import prepared_patients
from pipelines.slides import CLASSIFIER, READER_SOURCES, READER_VERSIONS, Reader, labelled_tiles
from tests.pipelines.slide_cohort import TUMOUROUS, annotate, classifier, write_slide_cohort
from validation.cohort import Cohort, load_cohort
from validation.digests import file_sha256
from validation.errors import InputError


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Four patients, the slides of three annotated."""
    folder = write_slide_cohort(tmp_path_factory.mktemp("cohorts") / "liver", {f"P{i}": TUMOUROUS for i in range(4)})
    annotate(folder, "P0", "P2", "P3")
    return load_cohort(folder)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader that has read nothing yet."""
    assert SPEC.tiles is not None
    monkeypatch.chdir(tmp_path)
    return Reader.of(SPEC.tiles, classifier(tmp_path / "networks" / CLASSIFIER).parent)


@pytest.mark.parametrize("changed", [*READER_VERSIONS, *(path.name for path in READER_SOURCES)])
def test_maps_of_another_reader_are_not_taken(
    cohort: Cohort, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """Another library, or other sources that open slides or run the classifier: the slide is read again."""
    path = cohort.folder / "images/P1/slide.tiff"

    def maps() -> int:
        reader.read(path, file_sha256(path), None)
        return len(list(reader.finished.iterdir()))

    assert (maps(), maps()) == (1, 1)
    module, _, attribute = changed.partition(":")
    if attribute:
        monkeypatch.setattr(import_module(module), attribute, "another")
    else:
        (tmp_path / changed).write_text("another")
        others = [tmp_path / changed if source.name == changed else source for source in READER_SOURCES]
        monkeypatch.setattr("pipelines.slides.READER_SOURCES", others)
    assert maps() == 2


def test_classifier_that_changes_meanwhile_ends_the_run(
    cohort: Cohort, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No patient is left out for it, and no map is kept under the digest of another classifier."""
    at_the_start = replace(reader, classifier_sha256="0" * 64)
    monkeypatch.setattr("pipelines.workers.PROCESSES_MAX", 1)
    monkeypatch.setattr("pipelines.patients.Reader.of", lambda *_: at_the_start)

    with pytest.raises(ValueError, match=r"tiles\.onnx: found sha256 .* expected 0000") as raised:
        list(prepared_patients(cohort, SPEC, networks=reader.classifier.parent))
    assert not isinstance(raised.value, InputError | PreprocessingError)
    assert not reader.finished.exists()


def test_parity_is_on_tiles_of_several_slides(cohort: Cohort) -> None:
    """Four tiles of each of the annotated slides; fewer than all are spread over them."""
    assert SPEC.tiles is not None
    rows: list[dict[Any, Any]] = cohort.patients.to_dict("records")
    found = parity_tiles(cohort, "slide", SPEC.tiles)

    assert len(found) == 12
    for row, own in zip((rows[0], rows[2], rows[3]), np.split(found, 3), strict=True):
        first, last = (pixels for pixels, _ in labelled_tiles(cohort, row, "slide", SPEC.tiles, at_most=2))
        np.testing.assert_array_equal(own[[0, -1]], [first, last])
