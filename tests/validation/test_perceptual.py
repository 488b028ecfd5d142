"""The perceptual hash: near for copies, far for others, and silent where it would say nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tests.slides import tissue
from validation.perceptual import BITS, NEAR_BITS, distances, is_hash, near_pairs, perceptual_hash, slide_hash

SHAPE = (12, 48, 44)


def anatomy(seed: int) -> NDArray[np.float32]:
    """Return a made-up volume: a bright body, the same in everyone, with a smooth texture of its own."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    body = 400.0 * (y**2 + x**2 < 0.8) + 100.0 * z
    texture = ndimage.gaussian_filter(rng.normal(size=SHAPE), (0.7, 1.5, 1.5))
    return np.asarray(body + 120 * texture / texture.std(), np.float32)


def hashed(voxels: NDArray[Any]) -> str:
    """Return the hash of a volume that has one."""
    found = perceptual_hash(voxels.astype(np.float32))
    assert found is not None
    return found


def apart(one: str | None, other: str | None) -> int:
    """Return the number of bits that differ."""
    assert one is not None
    assert other is not None
    return int(distances([one], [other])[0, 0])


@pytest.fixture(scope="module")
def volume() -> NDArray[np.float32]:
    """One volume."""
    return anatomy(1)


def test_different_patients_are_far_apart() -> None:
    """Volumes that share the outline of the body and nothing else differ in far more bits than the limit."""
    hashes = [hashed(anatomy(seed)) for seed in range(12)]
    bits = distances(hashes, hashes)[np.triu_indices(12, 1)]

    assert all(is_hash(text) for text in hashes)
    assert bits.min() > 2 * NEAR_BITS


def test_one_voxel_changes_next_to_nothing(volume: NDArray[np.float32]) -> None:
    """A voxel made the brightest of all leaves the hash nearly as it was."""
    changed = volume.copy()
    changed[6, 20, 20] = 1e6

    assert apart(hashed(volume), hashed(changed)) <= 10


@given(factor=st.floats(0.01, 1000), offset=st.floats(-5000, 5000))
@settings(max_examples=20, deadline=None)
def test_scale_and_offset_change_nothing(factor: float, offset: float) -> None:
    """Intensities in another unit, or with another zero, give nearly the same hash."""
    volume = anatomy(2)

    assert apart(hashed(volume), hashed(volume * np.float64(factor) + offset)) <= 10


@pytest.mark.parametrize("how", ["noise", "8 bits", "int16", "smoothed", "coarser", "finer", "first slice lost"])
def test_processed_volume_is_near(volume: NDArray[np.float32], how: str) -> None:
    """Noise, coarser types, smoothing, another grid and one slice less leave the volume recognisable."""
    low, high = volume.min(), volume.max()
    if how in {"coarser", "finer"}:
        zoom = 0.75 if how == "coarser" else 1.5
        copy = ndimage.zoom(volume, zoom, order=1, mode="nearest", grid_mode=True)
    else:
        copy = {
            "noise": lambda: volume + np.random.default_rng(0).normal(0, 0.1 * volume.std(), volume.shape),
            "8 bits": lambda: np.round(255 * (volume - low) / (high - low)),
            "int16": lambda: volume.astype(np.int16),
            "smoothed": lambda: ndimage.gaussian_filter(volume, (0, 0.7, 0.7)),
            "first slice lost": lambda: volume[1:],
        }[how]()

    limit = 2 * NEAR_BITS if how == "first slice lost" else NEAR_BITS  # often found, not always
    assert apart(hashed(volume), hashed(copy)) <= limit


def test_mirror_image_is_not_recognised(volume: NDArray[np.float32]) -> None:
    """What the documentation says is not recognised is not: half of the cosines are odd."""
    assert apart(hashed(volume), hashed(volume[:, :, ::-1])) == BITS // 2


@pytest.mark.parametrize(
    "voxels",
    [
        np.zeros(SHAPE),
        np.full(SHAPE, -1000.0),
        np.where(np.arange(np.prod(SHAPE)).reshape(SHAPE) % 500 == 0, 900.0, 0.0),
        np.broadcast_to(np.arange(SHAPE[2], dtype=float), SHAPE),
        np.random.default_rng(0).normal(size=(3, 40, 40)),
        np.random.default_rng(0).normal(size=(8, 15, 40)),
    ],
    ids=["zero", "air", "few voxels", "along one axis", "three slices", "fifteen rows"],
)
def test_hash_that_would_say_nothing_is_none(voxels: NDArray[np.float64]) -> None:
    """Constant images, and those too small, have no hash: all of them would be near-duplicates of each other."""
    assert perceptual_hash(voxels.astype(np.float32)) is None


def test_slides_are_recognised_after_lossy_compression_and_resampling() -> None:
    """A slide at another resolution or darker is near; other tissue is far; glass alone has no hash."""
    picture = tissue(512, 480, 1)
    small = np.asarray(Image.fromarray(picture).resize((400, 430)))
    darker = (255 * (picture / 255) ** 1.3).astype(np.uint8)

    assert apart(slide_hash(picture), slide_hash(small)) <= NEAR_BITS
    assert apart(slide_hash(picture), slide_hash(darker)) <= NEAR_BITS
    assert apart(slide_hash(picture), slide_hash(tissue(512, 480, 2))) > 2 * NEAR_BITS
    assert slide_hash(np.full((300, 300, 3), 243, np.uint8)) is None
    assert slide_hash(picture[:31]) is None


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_distances_are_counts_of_differing_bits(data: st.DataObject) -> None:
    """Distances agree with bits compared one by one, for any number of hashes, none included."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    first, second = (rng.integers(0, 2, (data.draw(st.integers(0, 5)), BITS)) for _ in range(2))
    hashes = [[np.packbits(row).tobytes().hex() for row in side] for side in (first, second)]

    expected = (first[:, None] != second[None]).sum(axis=-1)
    assert np.array_equal(distances(*hashes), expected)


def test_blocks_join() -> None:
    """More hashes than one block holds are compared row by row with the same result."""
    rng = np.random.default_rng(0)
    many = [rng.bytes(BITS // 8).hex() for _ in range(600)]

    assert (np.diag(distances(many, many)) == 0).all()
    assert np.array_equal(distances(many, many[:3]), distances(many[:3], many).T)
    assert near_pairs(many, many) == [(i, i, 0) for i in range(600)]


def test_near_pairs_lie_within_the_limit() -> None:
    """A pair counts up to the limit and is given with its number of bits; nothing is near nothing."""
    plain, bits = "0" * 240, np.zeros(BITS, np.uint8)
    bits[:NEAR_BITS] = 1
    edge = np.packbits(bits).tobytes().hex()
    bits[NEAR_BITS] = 1
    beyond = np.packbits(bits).tobytes().hex()

    assert near_pairs([plain], [beyond, edge, plain]) == [(0, 1, NEAR_BITS), (0, 2, 0)]
    assert near_pairs([], [plain]) == near_pairs([plain], []) == []


@pytest.mark.parametrize("text", [None, "", "f" * 239, "g" * 240, "F" * 240, 7])
def test_what_is_no_hash(text: object) -> None:
    """Only 240 lower-case hexadecimal digits are a hash."""
    assert not is_hash(text)
    assert is_hash("0f" * 120)
