"""A perceptual hash: 960 bits that stay nearly the same when an image is processed again, and differ between patients.

    a, b = perceptual_hash(volume.array), perceptual_hash(other.array)
    distances([a], [b])                        # bits that differ, of 960; up to NEAR_BITS: near-duplicates

The hash is the "pHash" of Zauner (Implementation and benchmarking of perceptual image hash functions, Hagenberg 2010):
signs of low-frequency coefficients of the discrete cosine transform (DCT-II). What differs, and why: a volume has three
axes; coefficients are taken from the image on its own grid, which needs no resizing, as low frequencies do not depend
on the spacing; signs are compared with 0, not with the median, as the mean of an image has no part in these
frequencies; there are 960 bits in place of 64, and the lowest frequencies, which show the outline of a body and are
alike in all patients, are left out.

Recognised: one voxel changed, noise, another scale or type of intensities, lossy compression, smoothing, another
spacing; often, not always, a border slice that is lost. Not recognised: an image that is cropped further (2 % of a
slide's side are enough), padded, rotated, mirrored, of another field of view, taken again, or of another sequence or
phase. How far copies and different patients lie apart: `benchmarks/near_duplicates.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

BITS = 960
NEAR_BITS = 80  # a twelfth: copies lie below, the nearest of ten million pairs of synthetic patients at 118
SLICES = 4  # frequencies along slices: 0 to 3
VOLUME_BAND = (4, 16)  # in the plane: the larger of the two frequencies, from and below
SLIDE_BAND = (8, 32)
TAILS_PERCENT = (1.0, 99.0)  # intensities beyond are cut off: metal, or one bright voxel, would outweigh the tissue
SAMPLED = 2**20  # voxels of which these limits are taken
NEGLIGIBLE = 1e-9  # a coefficient this small beside the largest has no sign but that of rounding
_WORDS = BITS // 64
_BLOCK = 256  # rows compared with all others at once


def perceptual_hash(voxels: NDArray[np.float32]) -> str | None:
    """Return the hash of a volume.

    Args:
        voxels: Finite intensities, axes (slice, row, column) along the patient's axes, so that it does not matter how
            the file stores them.

    Returns:
        240 hexadecimal digits; None where a hash would say nothing: fewer than 4 slices, or 16 rows or columns, an
        image that is constant but for a hundredth of its voxels, or one that does not vary along some axis.
    """
    return _hashed(voxels, SLICES, VOLUME_BAND)


def slide_hash(overview: NDArray[np.uint8]) -> str | None:
    """Return the hash of a slide, whatever the resolution of its scan.

    Args:
        overview: The whole slide, RGB, shape (rows, columns, 3).

    Returns:
        240 hexadecimal digits; None for an overview below 32 rows or columns, or one that is constant.
    """
    return _hashed(overview.mean(axis=-1, dtype=np.float32)[None], 1, SLIDE_BAND)


def distances(first: Sequence[str], second: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of differing bits of every pair of hashes, shape (first, second)."""
    a, b = _words(first), _words(second)
    return np.concatenate([np.empty((0, len(b)), np.int64), *(block for _, block in _blocks(a, b))])


def near_pairs(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int, int]]:
    """Return (place in first, place in second, differing bits) of every pair of near-duplicates, in this order.

    Memory grows with the number of hashes, not with that of pairs.
    """
    return [
        (start + int(i), int(j), int(block[i, j]))
        for start, block in _blocks(_words(first), _words(second))
        for i, j in np.argwhere(block <= NEAR_BITS)
    ]


def is_hash(text: object) -> bool:
    """Whether this is written as a hash is."""
    return isinstance(text, str) and len(text) == BITS // 4 and not set(text) - set("0123456789abcdef")


def _words(hashes: Sequence[str]) -> NDArray[np.uint64]:
    """Return hashes as unsigned integers, shape (hashes, 15)."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(-1, _WORDS)


def _blocks(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield the distances of some rows of `a` to all of `b`, after the number of the first."""
    for start in range(0, len(a), _BLOCK):
        rows = a[start : start + _BLOCK]
        block = np.zeros((len(rows), len(b)), np.int64)
        for word in range(_WORDS):
            block += np.bitwise_count(rows[:, word, None] ^ b[None, :, word])
        yield start, block


def _hashed(voxels: NDArray[np.float32], slices: int, band: tuple[int, int]) -> str | None:
    """Return the signs of `slices` x the band's coefficients as text; the slices are transformed one by one."""
    low, high = band
    if voxels.shape[0] < slices or min(voxels.shape[1:]) < high:
        return None
    sampled = np.ravel(voxels)[:: -(-voxels.size // SAMPLED)]
    darkest, brightest = np.percentile(sampled, TAILS_PERCENT)
    along_slices, along_rows, along_columns = (
        _cosines(length, count) for length, count in zip(voxels.shape, (slices, high, high), strict=True)
    )
    planes = np.stack(
        [along_rows @ np.clip(plane.astype(np.float64), darkest, brightest) @ along_columns.T for plane in voxels]
    )
    larger = np.maximum(*np.indices((high, high)))
    coefficients = np.tensordot(along_slices, planes, 1)[:, larger >= low].ravel()
    size = np.abs(coefficients)
    floor = NEGLIGIBLE * max(float(np.abs(planes).max()), 1e-300)
    if 2 * np.count_nonzero(size > floor) < BITS:
        return None
    return np.packbits(coefficients > 0).tobytes().hex()


def _cosines(length: int, count: int) -> NDArray[np.float64]:
    """Return the first `count` cosines of the DCT-II, shape (count, length), such that products are means."""
    middles = (np.arange(length) + 0.5) / length
    cosines: NDArray[np.float64] = np.cos(np.pi * np.outer(np.arange(count), middles)) / length
    return cosines
