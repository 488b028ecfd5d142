"""Whether two cohorts are disjoint: no patient, no image file, no voxels and no near-duplicate in both.

Voxels (of a slide: pixels) are compared because a file that is renamed, recompressed or stored in another type has
another sha256; perceptual hashes because one changed voxel, lossy compression or resampling changes the voxels.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from validation.fingerprints import COMPARED_KINDS, fingerprint
from validation.perceptual import near_pairs

KEYS = {"patients": "patient", "image_files": "file", "voxel_contents": "voxels"}
NEAR = "near_duplicates"
_SALT = b"hallmark: both manifests are here"  # no secret: these fingerprints are never written

Pair = dict[str, Any]


def compare(development: pd.DataFrame, external: pd.DataFrame) -> dict[str, Any]:
    """Compare the fingerprints of two cohorts, made with the same salt.

    Args:
        development: `fingerprints.fingerprint` of the cohort that a model is made from.
        external: That of the cohort it is judged on.

    Returns:
        Plain JSON values. `success`: all four comparisons had something to compare on both sides, and nothing is
        shared. `compared`: per comparison the number of distinct keys [development, external], of near-duplicates that
        of hashes of images that both cohorts have. `shared`: per comparison a list of {"development": {"row", "image"},
        "external": {...}}, rows from 0 in the fingerprints; image is None for a patient, whose first row is given. A
        near-duplicate also has `bits`, which differ of 960. An image is listed once: under its file, else its voxels,
        else as near-duplicate.
    """
    sides = [side.reset_index(drop=True) for side in (development, external)]
    compared = {name: [int(side[key].nunique()) for side in sides] for name, key in KEYS.items()}
    shared = {name: _shared(sides[0], sides[1], key) for name, key in KEYS.items()}
    compared[NEAR], shared[NEAR] = _near(sides[0], sides[1])
    listed: set[tuple[int, int]] = set()
    for name in ("image_files", "voxel_contents", NEAR):
        shared[name] = [pair for pair in shared[name] if _rows(pair) not in listed]
        listed |= {_rows(pair) for pair in shared[name]}
    something = all(count > 0 for counts in compared.values() for count in counts)
    return {"success": something and not any(shared.values()), "compared": compared, "shared": shared}


def compare_manifests(development: pd.DataFrame, external: pd.DataFrame) -> dict[str, Any]:
    """Compare two cohorts whose manifests are both at hand.

    Args:
        development: `CohortReport.manifest` of the cohort that a model is made from.
        external: That of the cohort it is judged on.

    Returns:
        What `compare` returns, each row replaced by its `patient_id`.
    """
    manifests = {"development": development, "external": external}
    record = compare(*(fingerprint(manifest, _SALT) for manifest in manifests.values()))
    ids = {
        side: manifest.loc[manifest["kind"].isin(COMPARED_KINDS), "patient_id"].tolist()
        for side, manifest in manifests.items()
    }
    for pairs in record["shared"].values():
        for pair in pairs:
            for side, known in ids.items():
                pair[side] = {"patient_id": known[pair[side]["row"]], "image": pair[side]["image"]}
    return record


def _rows(pair: Pair) -> tuple[int, int]:
    return pair["development"]["row"], pair["external"]["row"]


def _pair(one: tuple[Hashable, str | None], other: tuple[Hashable, str | None]) -> Pair:
    """Return a pair of (row, image)."""
    return {side: {"row": row, "image": im} for side, (row, im) in (("development", one), ("external", other))}


def _shared(development: pd.DataFrame, external: pd.DataFrame, key: str) -> list[Pair]:
    """Return the pairs of rows with the same key, in the order of the development fingerprint."""
    sides = [side.dropna(subset=[key]) for side in (development, external)]
    if key == KEYS["patients"]:
        sides = [side.drop_duplicates(key).assign(image=None) for side in sides]
    left, right = (pd.DataFrame({"key": side[key], "row": side.index, "image": side["image"]}) for side in sides)
    pairs = left.merge(right, on="key", suffixes=("_a", "_b"))
    columns = (pairs[name].tolist() for name in ("row_a", "image_a", "row_b", "image_b"))
    return [_pair((a, image_a), (b, image_b)) for a, image_a, b, image_b in zip(*columns, strict=True)]


def _near(development: pd.DataFrame, external: pd.DataFrame) -> tuple[list[int], list[Pair]]:
    """Return how many hashes were compared, and the near-duplicates: images of one name whose hashes nearly agree."""
    sides = [side.dropna(subset=["perceptual_hash"]) for side in (development, external)]
    names = sorted(set(sides[0]["image"]) & set(sides[1]["image"]))
    found: list[Pair] = []
    for name in names:
        left, right = (side.loc[side["image"] == name, "perceptual_hash"] for side in sides)
        for i, j, bits in near_pairs(left.tolist(), right.tolist()):
            found.append({**_pair((int(left.index[i]), name), (int(right.index[j]), name)), "bits": bits})
    compared = [int(side.loc[side["image"].isin(names), "perceptual_hash"].nunique()) for side in sides]
    return compared, sorted(found, key=_rows)
