"""The tissue map and its file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.histology_spatial_survival import TISSUES
from models.histology_spatial_survival.tile_map import DROPPED, MapKey, TileMap, load, save

KEY = MapKey("a" * 64, "b" * 64, 0.25, "c" * 64, "e" * 64)


def tile_map(rows: int = 3, columns: int = 4, seed: int = 0) -> TileMap:
    """A map of random tissues, some dropped."""
    rng = np.random.default_rng(seed)
    tissue = rng.integers(DROPPED, len(TISSUES), (rows, columns), dtype=np.int8)
    probability = rng.dirichlet(np.ones(len(TISSUES)), (rows, columns)).astype(np.float16)
    probability[tissue == DROPPED] = np.nan
    return TileMap(tissue, probability)


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), seed=st.integers(0, 99))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: int, columns: int, seed: int) -> None:
    """What was saved is loaded, bit for bit."""
    folder, written = tmp_path_factory.mktemp("maps"), tile_map(rows, columns, seed)
    save(written, KEY, folder)
    read = load(KEY, folder)

    assert read is not None
    np.testing.assert_array_equal(read.tissue, written.tissue)
    assert read.probability.tobytes() == written.probability.tobytes()


def test_equal_maps_give_equal_bytes(tmp_path: Path) -> None:
    """The file holds no clock time, and nothing else remains in the folder."""
    first, second = save(tile_map(), KEY, tmp_path / "a"), save(tile_map(), KEY, tmp_path / "b")

    assert first.read_bytes() == second.read_bytes()
    assert list((tmp_path / "a").iterdir()) == [first]


@pytest.mark.parametrize(
    "changes",
    [{"slide_sha256": "d"}, {"classifier_sha256": "d"}, {"mpp": 0.5}, {"reading_sha256": "d"}, {"reader_sha256": "d"}],
)
def test_every_part_of_the_key_counts(tmp_path: Path, changes: dict[str, str]) -> None:
    """The map of another slide, classifier, resolution, reading or reader is not found, nor taken under its name."""
    other = replace(KEY, **changes)
    path = save(tile_map(), KEY, tmp_path)
    assert load(other, tmp_path) is None

    path.rename(other.path(tmp_path))
    assert load(other, tmp_path) is None


@pytest.mark.parametrize("cut", [0, 10, 300])
def test_torn_file_is_no_map(tmp_path: Path, cut: int) -> None:
    """A damaged file means that the slide is read again."""
    path = save(tile_map(), KEY, tmp_path)
    path.write_bytes(path.read_bytes()[:cut])

    assert load(KEY, tmp_path) is None


def test_no_flipped_byte_gives_another_map(tmp_path: Path) -> None:
    """Wherever the file is damaged, its map is read again or is the one that was written."""
    written = tile_map()
    path = save(written, KEY, tmp_path)
    sound = path.read_bytes()
    for place in range(len(sound)):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 0x21]) + sound[place + 1 :])
        found = load(KEY, tmp_path)
        assert found is None or found.probability.tobytes() == written.probability.tobytes(), place
        assert found is None or np.array_equal(found.tissue, written.tissue), place


def test_smaller_shape_in_the_header_is_found(tmp_path: Path) -> None:
    """A map that is larger than what numpy reads at once: its checksum counts although nobody reads to the end."""
    path = save(tile_map(90, 100), KEY, tmp_path)
    path.write_bytes(path.read_bytes().replace(b"(90, 100", b"(90,  10"))

    assert load(KEY, tmp_path) is None


def test_two_may_write_the_same_map_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that finishes while another writes takes nothing away from it."""
    flush = os.fsync

    def overtaken(file: int) -> None:
        monkeypatch.setattr(os, "fsync", flush)
        save(tile_map(), KEY, tmp_path)
        flush(file)

    monkeypatch.setattr(os, "fsync", overtaken)
    path = save(tile_map(), KEY, tmp_path)

    assert load(KEY, tmp_path) is not None
    assert list(tmp_path.iterdir()) == [path]


def test_refuses_what_is_no_map() -> None:
    """Shapes, types, tissues and dropped tiles must fit."""
    good = tile_map()
    cases = [
        ({"tissue": good.tissue[:2]}, r"expected \(rows, columns\)"),
        ({"tissue": good.tissue.astype(np.int64)}, "expected int8 and float16"),
        ({"probability": good.probability.astype(np.float32)}, "expected int8 and float16"),
        ({"tissue": np.full_like(good.tissue, len(TISSUES))}, "tissues beyond -1 to 6"),
        ({"tissue": np.zeros_like(good.tissue)}, "NaN for the dropped"),
        ({"probability": np.zeros_like(good.probability)}, "NaN for the dropped"),
    ]
    for changes, message in cases:
        with pytest.raises(ValueError, match=message):
            replace(good, **changes)
